import { describe, expect, test } from 'vitest';
import { isAppError } from '../../src/base/app-error.ts';
import { raftMutations, type RaftMutation } from '../../src/raft/mutations.ts';
import { scenarios } from './scenarios.ts';
import type { Setup } from './scenarios/scenario.ts';
import { Broken, World } from './world.ts';

function maker(mutations: ReadonlySet<RaftMutation>): (options?: Partial<Setup>) => World {
  return (options) => new World({ seed: 7, voters: ['a', 'b', 'c'], ...options, mutations });
}

/** A mistake shows as a broken promise, or as the core stopping because it sees that data was lost. */
function outcome(play: () => void): string {
  try {
    play();
    return 'all promises kept';
  } catch (error) {
    if (error instanceof Broken || isAppError(error, 'RAFT_LOG_DIVERGED') || isAppError(error, 'BASE_INTERNAL')) return 'caught';
    throw error;
  }
}

describe('each known mistake of the core has a story that shows it', () => {
  test.for(scenarios)('$catches: $name', ({ catches, play }) => {
    expect(outcome(() => play(maker(new Set())))).toBe('all promises kept');
    expect(outcome(() => play(maker(new Set([catches]))))).toBe('caught');
  });

  test('no known mistake is left without one', () => {
    const told = new Set<string>(scenarios.map((scenario) => scenario.catches));
    expect(Object.keys(raftMutations).filter((name) => !told.has(name))).toEqual([]);
  });
});
