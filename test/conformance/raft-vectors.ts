import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fields, list, type Fields } from './raft/cases.ts';
import { runLog } from './raft/run-log.ts';
import { runRpc } from './raft/run-rpc.ts';
import { runCommit, runConfChange, runElection, runQuorum } from './raft/run-sets.ts';
import { playTranscript } from './raft/transcript.ts';

/**
 * `make raft-vectors [CASES=dir]`: the outside cases of the consensus core. Finds the sets by their file names anywhere below the folder,
 * prints `set: agree/total` for each and every disagreement with its id, and last `N passed, N failed`.
 */

const sets: Readonly<Record<string, (one: Fields) => string | null>> = {
  'quorum.json': runQuorum,
  'commit.json': runCommit,
  'election.json': runElection,
  'log.json': runLog,
  'rpc.json': runRpc,
  'confchange.json': runConfChange,
};

type Verdict = { readonly id: string; readonly problem: string | null };

function walk(dir: string): string[] {
  return readdirSync(dir).sort().flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
}

function runJson(path: string, run: (one: Fields) => string | null): Verdict[] {
  const file = fields(JSON.parse(readFileSync(path, 'utf8')), path);
  return list(file['cases'], 'cases').map((raw, at) => {
    const one = fields(raw, 'case');
    const id = String(one['id'] ?? at);
    try {
      return { id, problem: run(one) };
    } catch (error) {
      return { id, problem: `could not be run: ${error instanceof Error ? error.message : String(error)}` };
    }
  });
}

/** Is a folder of the raft cases meant, and not another set that happens to use the same file name? */
function isRaftJson(path: string): boolean {
  return Object.hasOwn(sets, basename(path)) && (basename(dirname(path)) === 'raft' || /"(?:origin)":\s*"etcd-io\/raft/.test(readFileSync(path, 'utf8').slice(0, 2000)));
}

/** A transcript is a text in whose blocks nodes are added, whatever its folder is called. */
function isTranscript(path: string): boolean {
  if (!path.endsWith('.txt')) return false;
  const text = readFileSync(path, 'utf8');
  return basename(dirname(path)) === 'raft-transcripts' || (/^add-nodes /m.test(text) && /^----$/m.test(text));
}

function runTranscripts(paths: readonly string[]): Verdict[] {
  return paths.map((path) => {
    const { blocks, disagreements } = playTranscript(readFileSync(path, 'utf8'));
    const first = disagreements[0];
    if (first === undefined) return { id: `${basename(path)} (${blocks} blocks)`, problem: blocks === 0 ? 'holds no block' : null };
    const rest = disagreements.map((one) => one.line).join(', ');
    return { id: basename(path), problem: `${disagreements.length} of ${blocks} blocks, at lines ${rest}; the first (${first.command}):\n    wanted\n${quote(first.expected)}\n    got\n${quote(first.got)}` };
  });
}

function quote(text: string): string {
  return text.split('\n').map((line) => `      ${line}`).join('\n');
}

function report(name: string, verdicts: readonly Verdict[]): number {
  const wrong = verdicts.filter((one) => one.problem !== null);
  console.log(`${name}: ${verdicts.length - wrong.length}/${verdicts.length}`);
  for (const { id, problem } of wrong) console.log(`  ${id}: ${problem}`);
  return wrong.length;
}

const root = process.env['CASES'] ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'conformance');
const paths = walk(root);
let total = 0;
let failed = 0;
for (const path of paths.filter(isRaftJson)) {
  const run = sets[basename(path)];
  if (run === undefined) continue;
  const verdicts = runJson(path, run);
  total += verdicts.length;
  failed += report(relative(root, path), verdicts);
}
const transcripts = paths.filter(isTranscript);
for (const dir of new Set(transcripts.map((path) => dirname(path)))) {
  const verdicts = runTranscripts(transcripts.filter((path) => dirname(path) === dir));
  total += verdicts.length;
  failed += report(relative(root, dir) || basename(dir), verdicts);
}
if (total === 0) console.log(`no raft cases below ${root}`);
console.log(`${total - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 || total === 0 ? 1 : 0;
