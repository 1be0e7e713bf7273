import { runSeed } from './run-seed.ts';
import { addTally, emptyTally, isTally } from './tally.ts';
import type { Tally } from './tally.ts';

/** Seeds that a job's process is asked for, and what became of them. */
export type Block = { readonly from: number; readonly count: number };
export type Report = { readonly tally: Tally; readonly failures: readonly string[]; readonly cpuMs: number };

if (process.send !== undefined && import.meta.main) {
  process.on('message', (message) => {
    if (isBlock(message)) process.send?.(runBlock(message));
  });
  // NOTE: ctrl-c reaches the whole group. The block under way is ended; then the parent disconnects, and that ends this process.
  process.on('SIGINT', () => undefined);
}

function runBlock({ from, count }: Block): Report {
  const tally = emptyTally();
  const failures: string[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    const result = runSeed(seed);
    addTally(tally, result.tally);
    if (result.failure !== null) failures.push(`SEED=${seed} ${replayed(seed, result.fingerprint)}`);
  }
  const { user, system } = process.cpuUsage();
  return { tally, failures, cpuMs: (user + system) / 1000 };
}

/** A failed seed does the same again, this time with the stack; where it doesn't, that is the worse failure. */
function replayed(seed: number, fingerprint: string): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const again = runSeed(seed);
  Error.stackTraceLimit = before;
  return again.fingerprint === fingerprint ? String(again.failure) : `does not replay: ${fingerprint}, then ${again.fingerprint}: ${again.failure}`;
}

function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && 'from' in value && typeof value.from === 'number' && 'count' in value && typeof value.count === 'number';
}

export function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null && 'tally' in value && isTally(value.tally) && 'failures' in value && Array.isArray(value.failures) && 'cpuMs' in value && typeof value.cpuMs === 'number';
}
