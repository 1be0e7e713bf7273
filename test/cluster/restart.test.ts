import { describe, expect, test } from 'vitest';
import { comesBackAfterReboot, decideRestart, freshHistory, restartPolicyOf, type RestartHistory, type RestartPolicy } from '../../src/cluster/restart.ts';

const always: RestartPolicy = { condition: 'always', attemptsMax: null, delayMs: null, windowMs: null };

function run(policy: RestartPolicy, runs: readonly { readonly exitCode: number; readonly ranMs: number }[]): (number | null)[] {
  let history: RestartHistory = freshHistory;
  return runs.map((one) => {
    const decision = decideRestart({ policy, ...one, history, jitter: 0 });
    if (decision !== null) history = decision.history;
    return decision?.delayMs ?? null;
  });
}

describe('the policy that a service asks for', () => {
  test.for([
    [{}, { condition: 'no', attemptsMax: null }],
    [{ restart: 'always' }, { condition: 'always' }],
    [{ restart: 'unless-stopped' }, { condition: 'unless-stopped' }],
    [{ restart: 'on-failure:3' }, { condition: 'on-failure', attemptsMax: 3 }],
    [{ restart: 'on-failure' }, { condition: 'on-failure', attemptsMax: null }],
    [{ restart: 'always', deploy: { restart_policy: { condition: 'none' }, resources: {}, placement: {} } }, { condition: 'no' }],
    [{ deploy: { restart_policy: { delay: '5s', max_attempts: 3, window: '2m0s' }, resources: {}, placement: {} } }, { condition: 'always', delayMs: 5000, attemptsMax: 3, windowMs: 120_000 }],
  ] as const)('%j is read as %j', ([spec, expected]) => {
    expect(restartPolicyOf(spec)).toMatchObject(expected);
  });
});

describe('the wait before a restart', () => {
  const crash = { exitCode: 1, ranMs: 50 };

  test('doubles from 100 ms to a minute', () => {
    expect(run(always, Array.from({ length: 12 }, () => crash))).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
  });

  test('begins anew after a run of ten seconds, not one of less', () => {
    expect(run(always, [crash, crash, { exitCode: 1, ranMs: 9999 }, { exitCode: 1, ranMs: 10_000 }, crash])).toEqual([100, 200, 400, 100, 200]);
  });

  test('is the one that deploy.restart_policy names', () => {
    expect(run({ ...always, delayMs: 5000 }, [crash, crash])).toEqual([5000, 5000]);
  });

  test('is spread by at most a tenth', () => {
    expect(decideRestart({ policy: always, ...crash, history: freshHistory, jitter: 0.999 })?.delayMs).toBe(110);
  });
});

describe('giving up', () => {
  const onFailure: RestartPolicy = { ...always, condition: 'on-failure', attemptsMax: 2 };

  test('on-failure leaves an exit with 0 alone', () => {
    expect(run(onFailure, [{ exitCode: 0, ranMs: 5 }])).toEqual([null]);
  });

  test('on-failure:2 restarts twice', () => {
    expect(run(onFailure, [{ exitCode: 1, ranMs: 5 }, { exitCode: 1, ranMs: 20_000 }, { exitCode: 1, ranMs: 5 }])).toEqual([100, 100, null]);
  });

  test('a run as long as the window makes the count begin anew', () => {
    expect(run({ ...onFailure, windowMs: 5000 }, [{ exitCode: 1, ranMs: 5 }, { exitCode: 1, ranMs: 5 }, { exitCode: 1, ranMs: 5000 }, { exitCode: 1, ranMs: 5 }, { exitCode: 1, ranMs: 5 }])).toEqual([100, 200, 400, 800, null]);
  });

  test('no restarts nothing, always restarts an exit with 0', () => {
    expect(run({ ...always, condition: 'no' }, [{ exitCode: 1, ranMs: 5 }])).toEqual([null]);
    expect(run(always, [{ exitCode: 0, ranMs: 5 }])).toEqual([100]);
  });
});

test('a reboot brings back what ran and has a policy, and what is always to run', () => {
  expect(comesBackAfterReboot(always, false)).toBe(true);
  expect(comesBackAfterReboot({ ...always, condition: 'unless-stopped' }, true)).toBe(true);
  expect(comesBackAfterReboot({ ...always, condition: 'on-failure' }, false)).toBe(false);
  expect(comesBackAfterReboot({ ...always, condition: 'no' }, true)).toBe(false);
});
