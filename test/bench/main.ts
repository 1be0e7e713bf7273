// make bench [ONLY=name,…] [RUNS=n]: a JSON line for each figure as it comes, and a table of all at the end.
// A file *.bench.ts exports `benches`, and `close` if they share something that must end.
// Exit code 1 when a bar is missed or a bench could not run.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchLine } from './harness.ts';

const only = (process.env['ONLY'] ?? '').split(',').filter((one) => one !== '');
const runs = Number(process.env['RUNS'] ?? 5);
const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.bench.ts')).sort();
const lines: BenchLine[] = [];
const failures: string[] = [];

for (const file of files) {
  const { benches, close } = (await import(join(import.meta.dirname, file))) as { readonly benches: readonly Bench[]; readonly close?: () => Promise<void> };
  for (const bench of benches) {
    if (only.length > 0 && !only.some((one) => bench.name === one || bench.name.startsWith(one))) continue;
    if (bench.needsRoot && process.getuid?.() !== 0) {
      process.stderr.write(`${bench.name}: left out, it needs root\n`);
      continue;
    }
    try {
      for (const line of await bench.run({ runs, note: (text) => process.stderr.write(`${bench.name}: ${text}\n`) })) {
        lines.push(line);
        process.stdout.write(`${JSON.stringify(line)}\n`);
      }
    } catch (error) {
      failures.push(bench.name);
      process.stderr.write(`${bench.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    }
  }
  await close?.();
}

const rows = [['figure', 'unit', 'ours', 'peer', 'ratio', 'bar', ''], ...lines.map((one) => [one.name, one.unit, String(one.ours), one.peer === null ? '' : `${one.peer} (${one.peerName ?? ''})`, one.ratio === null ? '' : String(one.ratio), one.bar ?? '', one.ok === null ? '' : one.ok ? 'ok' : 'MISSED'])];
const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
process.stdout.write(`\n${rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')}\n`);
if (failures.length > 0) process.stdout.write(`could not run: ${failures.join(', ')}\n`);
process.exit(failures.length > 0 || lines.some((one) => one.ok === false) ? 1 : 0);
