import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cycleText, findCycles } from '../../src/base/cycles.ts';
import { errorCodes } from '../../src/base/error-codes.ts';
import { codeOnly, root, sourceFiles, walk } from './rooms.ts';

const files = sourceFiles();

/** All that is written by hand, tests too. */
const written = ['src', 'test', 'build', 'scripts', 'examples', 'packaging', 'bin']
  .flatMap((dir) => walk(join(root, dir)))
  .filter((path) => /\.(ts|js|sh|md|service|yaml)$/.test(path) || !path.includes('.'))
  .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));

describe('the table of error codes', () => {
  const inTable = (path: string): boolean => path.startsWith('base/codes/') || path === 'base/error-codes.ts';

  test('a code begins with the room whose file it is in', () => {
    const broken = files.filter((file) => file.path.startsWith('base/codes/')).flatMap((file) => {
      const room = file.path.slice('base/codes/'.length, -'.ts'.length).toUpperCase();
      return Array.from(file.text.matchAll(/^ {2}([A-Z_]+):/gm), (match) => match[1] ?? '').filter((code) => !code.startsWith(`${room}_`));
    });
    expect(broken).toEqual([]);
  });

  test('every code is used', () => {
    const used = new Set(files.filter((file) => !inTable(file.path)).flatMap((file) => file.text.match(/\b[A-Z]+_[A-Z0-9_]+\b/g) ?? []));
    expect(Object.keys(errorCodes).filter((code) => !used.has(code))).toEqual([]);
  });

  test('every code that is used is in it', () => {
    const broken = files.filter((file) => !inTable(file.path)).flatMap((file) =>
      Array.from(file.text.matchAll(/\bcode:\s*'([A-Z_]+)'/g), (match) => match[1] ?? '').filter((code) => !Object.hasOwn(errorCodes, code) && code.includes('_')).map((code) => `${file.path}: ${code}`));
    expect(broken).toEqual([]);
  });

  test('every meaning is a sentence', () => {
    expect(Object.entries(errorCodes).filter(([, meaning]) => !/^[A-Z].{9,}\.$/.test(meaning))).toEqual([]);
  });
});

describe('nothing is left lying about', () => {
  test('no note of work to be done', () => {
    // In pieces, so that this file does not find itself.
    const mark = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);
    expect(written.filter((file) => mark.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  test('what is exported is used somewhere', () => {
    const counts = new Map<string, number>();
    for (const file of written.filter((one) => one.path.endsWith('.ts'))) for (const word of codeOnly(file.text).match(/[A-Za-z_$][\w$]*/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    const dead = files.flatMap((file) => Array.from(codeOnly(file.text).matchAll(/^export (?:async )?(?:function\*?|const|class|type) ([A-Za-z_$][\w$]*)/gm), (match) => match[1] ?? '').filter((name) => (counts.get(name) ?? 0) < 2).map((name) => `${file.path}: ${name}`));
    expect(dead).toEqual([]);
  });

  test('no test is skipped or alone', () => {
    expect(written.filter((file) => file.path.endsWith('.test.ts') || file.path.endsWith('.e2e.ts')).filter((file) => /\b(test|describe|it)\.(only|skip|todo)\b/.test(codeOnly(file.text))).map((file) => file.path)).toEqual([]);
  });

  test('the source names no place of the machine it was written on', () => {
    expect(written.filter((file) => file.path !== 'test/tidy/docs.test.ts' && file.path !== 'test/tidy/code.test.ts').filter((file) => /['"`\s]\/work\//.test(file.text)).map((file) => file.path)).toEqual([]);
  });
});

test('files do not import each other in a circle', () => {
  const edges = new Map(files.map((file) => [file.path, file.imports.filter((one) => one.startsWith('.') && one.endsWith('.ts')).map((one) => normalize(join(dirname(file.path), one)))]));
  expect(findCycles(edges, 20).map(cycleText)).toEqual([]);
});
