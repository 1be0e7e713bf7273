// Runs every set of outside cases of the Compose language below a folder: `node test/conformance/run.ts [folder]`.
// Prints one line a set, each disagreement, and last `N passed, N failed`. Needs no root, network or engine.
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { leafSets } from './leaf-sets.ts';
import { runSet as ports } from './lib-ports.ts';
import { runSet as reference } from './lib-reference.ts';
import { runSet as shellwords } from './lib-shellwords.ts';
import { runSet as units } from './lib-units.ts';
import { differenceOf } from './differences.ts';
import { readStackLines, runLoad, runProbes, runStacks, stacksFor } from './load-sets.ts';
import { modelSets } from './model-sets.ts';
import { casesRoot, readCases } from './set.ts';
import type { Case, CaseResult, RunSet } from './set.ts';

const byFolder: Readonly<Record<string, Readonly<Record<string, RunSet>>>> = {
  'compose-go': { ...leafSets, ...modelSets, load: runLoad },
  lib: { ports, reference, shellwords, units },
};

/** Kinds that other parts of the project are measured by. */
const otherKinds: readonly string[] = ['docker-cli', 'swarm', 'raft', 'engine', 'api', 'oci', 'compose-calls', 'stack-calls', 'stacks', 'linearizability', 'raft-transcripts'];

const root = resolve(process.argv[2] ?? casesRoot());
let passed = 0;
let failed = 0;
const skipped = new Set<string>();
const outside: string[] = [];
const intended: string[] = [];

for (const path of filesBelow(root)) {
  const cases = casesOf(path);
  const all = cases === undefined ? undefined : resultsOf(path, cases);
  if (cases === undefined || all === undefined) continue;
  for (const one of cases) {
    const reason = differenceOf(one);
    if (reason !== undefined) intended.push(`${relative(root, path)} ${one.id}: ${reason}`);
  }
  const meant = new Set(cases.filter((one) => differenceOf(one) !== undefined).map((one) => one.id));
  const results = all.filter((result) => result.outside !== true && !meant.has(result.id));
  for (const result of all) if (result.outside === true) outside.push(`${relative(root, path)} ${result.id}`);
  const good = results.filter((result) => result.ok).length;
  passed += good;
  failed += results.length - good;
  console.log(`${relative(root, path)}: ${good}/${results.length}`);
  for (const result of results) if (!result.ok) console.log(`  ${result.id}: ${(result.why ?? '').slice(0, 600)}`);
}
for (const kind of [...skipped].sort()) console.log(`skipped: ${kind} (not of the Compose language)`);
for (const line of intended) console.log(`differs on purpose: ${line}`);
for (const id of outside) console.log(`not run: ${id} reads files that the set does not hold`);
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;

function casesOf(path: string): readonly Case[] | undefined {
  if (!path.endsWith('.jsonl')) return isKnown(path) ? readCases(path) : undefined;
  return basename(dirname(path)) === 'config' ? readStackLines(path) : undefined;
}

function isKnown(path: string): boolean {
  const name = basename(path, '.json');
  const known = name.startsWith('compose-probes') || byFolder[basename(dirname(path))]?.[name] !== undefined;
  if (!known) skipped.add(relative(root, path));
  return known;
}

function resultsOf(path: string, cases: readonly Case[]): CaseResult[] | undefined {
  if (path.endsWith('.jsonl')) {
    const stacks = stacksFor(dirname(path));
    if (stacks === undefined) skipped.add(relative(root, path));
    return stacks === undefined ? undefined : runStacks(cases, stacks);
  }
  const name = basename(path, '.json');
  return name.startsWith('compose-probes') ? runProbes(cases) : byFolder[basename(dirname(path))]?.[name]?.(cases);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).sort().flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      if (!otherKinds.includes(name)) return filesBelow(path);
      if (name !== 'stacks') skipped.add(relative(root, path));
      return [];
    }
    return /\.jsonl?$/.test(name) ? [path] : [];
  });
}
