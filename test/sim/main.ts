import { spawn } from 'node:child_process';
import { runSeed } from './run-seed.ts';

/** `node test/sim/main.ts SEEDS [FIRST] [JOBS]`: last line `N passed, N failed`; each failure prints its `SEED=…`. With one seed, its trace. */
const count = Number(process.argv[2] ?? '100');
const first = Number(process.argv[3] ?? '1');
const jobs = Number(process.argv[4] ?? '1');

if (jobs > 1) await spread();
else runHere();

function runHere(): void {
  const startMs = performance.now();
  let failed = 0;
  let events = 0;
  let acknowledged = 0;
  let terms = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const result = runSeed(seed, { isTraced: count === 1 });
    events += result.events;
    acknowledged += result.acknowledged;
    terms += result.terms;
    if (count === 1) for (const line of result.trace) console.log(line);
    if (result.failure !== null) {
      failed += 1;
      console.log(`SEED=${seed} ${result.failure}`);
    }
    if (count > 1000 && (seed - first + 1) % 5000 === 0) console.log(`… ${seed - first + 1} seeds, ${failed} failed, ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`${events} events, ${acknowledged} acknowledged writes, ${terms} elections won, ${seconds.toFixed(1)} s, ${(count / seconds).toFixed(1)} seeds/s`);
  console.log(`${count - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

async function spread(): Promise<void> {
  const share = Math.ceil(count / jobs);
  let passed = 0;
  let failed = 0;
  await Promise.all(Array.from({ length: jobs }, async (_, at) => {
    const from = first + at * share;
    const mine = Math.min(share, first + count - from);
    if (mine <= 0) return;
    const child = spawn(process.execPath, [import.meta.filename, String(mine), String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    const lines = text.trimEnd().split('\n');
    const match = /^(\d+) passed, (\d+) failed$/.exec(lines.pop() ?? '');
    passed += Number(match?.[1] ?? 0);
    failed += Number(match?.[2] ?? mine);
    for (const line of lines) console.log(line);
  }));
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}
