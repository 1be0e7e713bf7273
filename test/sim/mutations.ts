import { hostMutations, raftMutations } from '../../src/raft/mutations.ts';
import type { HostMutation, RaftMutation } from '../../src/raft/mutations.ts';
import { isAppError } from '../../src/base/app-error.ts';
import { scenarios as stories } from '../raft/scenarios.ts';
import { Broken, World } from '../raft/world.ts';
import { runSeed } from './run-seed.ts';
import { scenarios } from './scenarios.ts';

/**
 * `node test/sim/mutations.ts [SEEDS] [NAME…]`: each known mistake switched on in turn; the suite has to notice it. A row: the mistake, the seed of the
 * simulation that failed first and so how many it took, and the story that shows it (of the core, or of the whole store). Last line `N passed, N failed`.
 */
const seedsMax = Number(process.argv[2] ?? '3000');
const wanted = process.argv.slice(3);

let caught = 0;
let missed = 0;
for (const name of [...Object.keys(raftMutations), ...Object.keys(hostMutations)]) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startMs = performance.now();
  const found = search(name);
  if (found === null) missed += 1;
  else caught += 1;
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${name.padEnd(32)} ${found === null ? `NOT CAUGHT in ${seedsMax} seeds` : found} (${seconds} s)`);
}
console.log(`${caught} passed, ${missed} failed`);
if (missed > 0) process.exitCode = 1;

function search(name: string): string | null {
  const options = {
    raftMutations: new Set<RaftMutation>(isRaftMutation(name) ? [name] : []),
    hostMutations: new Set<HostMutation>(isHostMutation(name) ? [name] : []),
  };
  const story = tellStory(name, options);
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { failure } = runSeed(seed, options);
    if (failure !== null) return `SEED=${String(seed).padEnd(5)} ${short(failure).padEnd(72)} ${story ?? ''}`;
  }
  return story === null ? null : `not in ${seedsMax} seeds ${''.padEnd(64)} ${story}`;
}

/** Those of the core are told by its own room, over nothing but cores; those of the host over whole simulated managers. */
function tellStory(name: string, options: { readonly raftMutations: ReadonlySet<RaftMutation>; readonly hostMutations: ReadonlySet<HostMutation> }): string | null {
  for (const story of stories) {
    if (story.catches !== name) continue;
    try {
      story.play((setup) => new World({ seed: 7, voters: ['a', 'b', 'c'], ...setup, mutations: options.raftMutations }));
    } catch (error) {
      if (error instanceof Broken || isAppError(error, 'RAFT_LOG_DIVERGED') || isAppError(error, 'BASE_INTERNAL')) return `story: ${story.name}`;
      throw error;
    }
  }
  for (const scenario of scenarios) if (scenario.run(options) !== null) return `story: ${scenario.name}`;
  return null;
}

function short(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 70);
}

function isRaftMutation(name: string): name is RaftMutation {
  return Object.hasOwn(raftMutations, name);
}

function isHostMutation(name: string): name is HostMutation {
  return Object.hasOwn(hostMutations, name);
}
