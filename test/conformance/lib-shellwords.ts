import { spawnSync } from 'node:child_process';
import type { Parsed } from '../../src/base/parsed.ts';
import { splitShellWords } from '../../src/spec/short/shell-words.ts';
import { judge } from './set.ts';
import type { Case, CaseResult } from './set.ts';

/**
 * The cases do not carry the environment that their test set; here it is, by the line of the source where a test begins.
 * Source: mattn/go-shellwords shellwords_test.go.
 */
const environments: readonly (readonly [number, Readonly<Record<string, string>>])[] = [
  [222, { FOO: 'bar' }],
  [237, { FOO: 'baz' }],
  [251, {}],
  [264, { FOO: 'bar baz' }],
  [279, { FOO: "bar '" }],
  [296, { FOO: 'bar `' }],
  [303, { FOO: 'bar', FOO_BAR: 'baz' }],
  [393, { FOO: 'bar' }],
];

/** Runs cases/lib/shellwords.json. */
export function runSet(cases: readonly Case[]): CaseResult[] {
  return cases.map((one) => {
    const line = Number(String(one['source']).split(':').pop());
    const env = environments.findLast(([from]) => from <= line)?.[1] ?? {};
    return judge(
      one,
      splitShellWords(String(one['line']), {
        isStrict: true,
        ...(one['parseEnv'] === true ? { lookup: (name: string) => env[name] } : {}),
        ...(one['parseBacktick'] === true ? { run: runShell } : {}),
      }),
    );
  });
}

function runShell(command: string): Parsed<string> {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
  return status === 0 ? { ok: true, value: stdout.trim() } : { ok: false, message: stderr };
}
