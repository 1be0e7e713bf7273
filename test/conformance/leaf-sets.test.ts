import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { leafSets } from './leaf-sets.ts';
import { runSet as ports } from './lib-ports.ts';
import { runSet as reference } from './lib-reference.ts';
import { runSet as shellwords } from './lib-shellwords.ts';
import { runSet as units } from './lib-units.ts';
import { casesRoot, readCases } from './set.ts';
import type { RunSet } from './set.ts';

const root = join(casesRoot(), 'cases');
const sets: readonly (readonly [string, RunSet])[] = [
  ...Object.entries(leafSets).map(([name, run]): [string, RunSet] => [`compose-go/${name}`, run]),
  ['lib/ports', ports],
  ['lib/reference', reference],
  ['lib/shellwords', shellwords],
  ['lib/units', units],
];

/** Cases that ask for what is not on this machine: `go env` of the recorder's machine. */
const outside: readonly string[] = ['shellwords-040'];

describe.skipIf(!existsSync(root))('small parsers agree with the cases from outside', () => {
  test.for(sets)('%s', ([name, run]) => {
    const bad = run(readCases(join(root, `${name}.json`))).filter((result) => !result.ok && !outside.includes(result.id));
    expect(bad).toEqual([]);
  });
});
