import { expect, test } from 'vitest';
import { runSeed } from './run-seed.ts';
import { scenarios } from './scenarios.ts';

test('the first seeds of the simulation hold', () => {
  const failures = Array.from({ length: 60 }, (_, at) => runSeed(at + 1)).filter((result) => result.failure !== null);
  expect(failures.map((result) => `SEED=${result.seed} ${result.failure}`)).toEqual([]);
});

test('what once failed holds: a second snapshot of the leader comes while the first is not yet installed, as the log has no room', () => {
  expect(runSeed(494).failure).toBeNull();
});

test('what once failed holds: keys are changed several times within one slow answer of the log', () => {
  expect(runSeed(1017).failure).toBeNull();
});

test('one seed does the same twice, event for event', () => {
  const first = runSeed(8, { isTraced: true });
  expect(runSeed(8, { isTraced: true })).toEqual(first);
  expect(first.acknowledged).toBeGreaterThan(50);
});

test.for(scenarios)('$name', ({ run }) => {
  expect(run({})).toBeNull();
});
