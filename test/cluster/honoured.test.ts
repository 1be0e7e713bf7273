import { describe, expect, test } from 'vitest';
import { checkSupport, supportRows } from '../../src/model/support/check.ts';
import { preflight } from '../../src/daemon/preflight.ts';
import type { Service } from '../../src/model/project.ts';
import { fakeEngine } from '../fakes/fake-engine.ts';
import { createFakeNet } from '../fakes/fake-net.ts';
import { effectsOf, type Scene } from './effects.ts';
import { serviceEvidence, topEvidence } from './evidence.ts';
import { deployment, service } from './world.ts';

/** Nothing is ignored in silence: what the table calls honoured changes what is decided or made, and the table says so of nothing else. */
const evidence = { ...topEvidence, ...Object.fromEntries(Object.entries(serviceEvidence).map(([key, one]) => [`services.*.${key}`, one])) };

/** Shown below in a way of their own. */
const apart = ['services.*.build', 'services.*.pull_policy'];

const honoured = supportRows.filter((row) => row.laptop.kind === 'honoured').map((row) => row.key);
/** A key with rows below it that are honoured is shown by them. */
const shown = honoured.filter((key) => !honoured.some((other) => other.startsWith(`${key}.`)));

test('every key that a laptop honours has its evidence, and no other has', () => {
  const covered = (key: string): boolean => honoured.some((other) => other.startsWith(`${key}.`));
  expect(shown.filter((key) => !Object.hasOwn(evidence, key) && !apart.includes(key))).toEqual([]);
  expect(Object.keys(evidence).filter((key) => !shown.includes(key) && !covered(key))).toEqual([]);
});

describe('honoured keys', () => {
  test.for(Object.entries(evidence).filter(([, one]) => one.kind === 'differs'))('%s changes what is decided or made', ([, one]) => {
    expect(refusals(one.with)).toEqual([]);
    expect(effectsOf(one.with)).not.toBe(effectsOf(one.without));
  });

  test.for(Object.entries(evidence).filter(([, one]) => one.kind === 'same'))('%s honours only what is so anyway', ([, one]) => {
    expect(refusals(one.with)).toEqual([]);
    expect(effectsOf(one.with)).toBe(effectsOf(one.without));
  });

  test('the same scene has the same effects', () => {
    expect(effectsOf({ web: { scale: 2, ports: [{ target: 80 }] } })).toBe(effectsOf({ web: { scale: 2, ports: [{ target: 80 }] } }));
  });

  test('build beside an image is told to have no effect', () => {
    expect(checkSupport({ name: 'shop', services: { web: service({ build: { context: '.' } }) } }, { target: 'laptop' }).map((one) => one.verdict.kind)).toEqual(['unheeded']);
  });

  test('pull_policy decides what is fetched before a deployment', async () => {
    expect(await fetched({ pull_policy: 'missing' })).toEqual([]);
    expect(await fetched({ pull_policy: 'if_not_present' })).toEqual([]);
    expect(await fetched({ pull_policy: 'never' })).toEqual([]);
    expect(await fetched({ pull_policy: 'always' })).toEqual(['pull busybox']);
    expect(await fetched({ pull_policy: 'missing', image: 'other' })).toEqual(['pull other']);
    await expect(fetched({ pull_policy: 'never', image: 'other' })).rejects.toThrow();
  });
});

function refusals(scene: Scene): string[] {
  const project = { name: 'shop', ...scene.project, services: { web: service(scene.web) } };
  return checkSupport(project, { target: 'laptop' }).map((one) => `${one.verdict.kind} ${one.path.join('.')}`);
}

async function fetched(fields: Partial<Service>): Promise<string[]> {
  const engine = fakeEngine({ clock: { nowMs: () => 0 }, pullable: ['busybox', 'other'] });
  engine.addImage('busybox');
  const steps = preflight({ engine, net: createFakeNet(), queries: { tasks: () => [] } as never }, deployment({ web: service(fields) }), AbortSignal.timeout(5000));
  for await (const _step of steps) continue;
  return engine.calls.filter((call) => call.startsWith('pull'));
}
