import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { runSeed } from './run-seed.ts';
import { addTally, describeTally, emptyTally } from './tally.ts';
import { isReport } from './worker.ts';
import type { Block } from './worker.ts';

/**
 * `node test/sim/main.ts SEEDS [FIRST] [JOBS]`: last line `N passed, N failed`; each failure prints its `SEED=…`. With one seed, its trace.
 * Each job is a process of its own that takes seeds by blocks; it keeps its compiled code warm over all of them. It stops
 * after the first failures or at ctrl-c, and says with which seed to go on.
 */
const count = numberOf(2, 100);
const first = numberOf(3, 1);
const jobs = Math.min(numberOf(4, 1), count);

const blockSeeds = 25;
const failuresMax = 5;
/** How often one line of progress is for a pipe, and for a terminal. */
const pipeMs = 60_000;
const terminalMs = 500;
/** A seed is small and its garbage short-lived; errors are expected values here, and a failed seed is run again with its stack. */
const workerFlags: readonly string[] = ['--stack-trace-limit=0', '--single-threaded-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];

if (count === 1) replay();
else await spread();

function numberOf(at: number, otherwise: number): number {
  const text = process.argv[at] ?? '';
  return text === '' ? otherwise : Math.max(1, Math.floor(Number(text)) || otherwise);
}

function replay(): void {
  const result = runSeed(first, { isTraced: true });
  for (const line of result.trace) console.log(line);
  console.log(`${describeTally(result.tally)}\nfingerprint ${result.fingerprint}`);
  if (result.failure !== null) console.log(`SEED=${first} ${result.failure}`);
  finish(result.failure === null ? 0 : 1, 1);
}

function finish(failed: number, done: number): void {
  console.log(`${Math.max(0, done - failed)} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

async function spread(): Promise<void> {
  const startMs = performance.now();
  const tally = emptyTally();
  const failures: string[] = [];
  const cpuMs = new Map<ChildProcess, number>();
  const open = new Map<ChildProcess, Block>();
  let next = first;
  let isStopping = false;
  const done = (): number => tally['seeds'] ?? 0;
  const seconds = (): number => (performance.now() - startMs) / 1000;
  process.on('SIGINT', () => {
    if (isStopping) process.exit(130);
    isStopping = true;
  });
  process.on('SIGTERM', () => {
    isStopping = true;
  });
  const progress = setInterval(() => {
    const perSecond = done() / seconds();
    const line = `… ${done()} of ${count} seeds, ${failures.length} failed, ${perSecond.toFixed(1)} seeds/s, ${done() === 0 ? '' : `${duration((count - done()) / perSecond)} left`}`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line}\x1b[K`);
    else console.log(line);
  }, process.stdout.isTTY ? terminalMs : pipeMs);
  const say = (text: string): void => console.log(process.stdout.isTTY ? `\r\x1b[K${text}` : text);
  await Promise.all(Array.from({ length: jobs }, () => new Promise<void>((resolve) => {
    const child = fork(`${import.meta.dirname}/worker.ts`, [], { execArgv: [...process.execArgv, ...workerFlags] });
    const give = (): void => {
      open.delete(child);
      if (isStopping || failures.length >= failuresMax || next >= first + count) {
        if (child.connected) child.disconnect();
        return;
      }
      const block: Block = { from: next, count: Math.min(blockSeeds, first + count - next) };
      open.set(child, block);
      child.send(block);
      next += block.count;
    };
    child.on('message', (message) => {
      if (!isReport(message)) return;
      addTally(tally, message.tally);
      cpuMs.set(child, message.cpuMs);
      for (const failure of message.failures) say(failure);
      failures.push(...message.failures);
      give();
    });
    child.on('exit', (code, signal) => {
      const block = open.get(child);
      if (block !== undefined) {
        failures.push(`SEED=${block.from} the process ended within this seed or the ${block.count - 1} after it: ${signal ?? `exit ${code}`}`);
        say(failures.at(-1) ?? '');
      }
      resolve();
    });
    give();
  })));
  clearInterval(progress);
  const cpuSeconds = [...cpuMs.values()].reduce((sum, one) => sum + one, 0) / 1000;
  say(describeTally(tally));
  console.log(`${seconds().toFixed(1)} s, ${(done() / seconds()).toFixed(1)} seeds/s, ${(done() / cpuSeconds).toFixed(1)} seeds a second of the processor`);
  if (next < first + count) console.log(`stopped early: go on with SEED=${next} SEEDS=${first + count - next}`);
  finish(failures.length, done());
}

function duration(seconds: number): string {
  return seconds < 90 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;
}
