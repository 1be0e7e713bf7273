import { hostMutations, raftMutations } from '../../src/raft/mutations.ts';
import type { HostMutation, RaftMutation } from '../../src/raft/mutations.ts';
import { runSeed } from './run-seed.ts';
import { scenarios } from './scenarios.ts';

/**
 * `node test/sim/mutations.ts [SEEDS] [NAME…]`: each known mistake switched on in turn; the suite has to notice it. First the scenarios, then seeds until one fails.
 * A row: mistake, what caught it (scenario or SEED=…), how many seeds it took. Last line `N passed, N failed`.
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
  for (const scenario of scenarios) {
    const failure = scenario.run(options);
    if (failure !== null) return `scenario "${scenario.name}": ${short(failure)}`;
  }
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { failure } = runSeed(seed, options);
    if (failure !== null) return `SEED=${seed} (${seed} seeds): ${short(failure)}`;
  }
  return null;
}

function short(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 110);
}

function isRaftMutation(name: string): name is RaftMutation {
  return Object.hasOwn(raftMutations, name);
}

function isHostMutation(name: string): name is HostMutation {
  return Object.hasOwn(hostMutations, name);
}
