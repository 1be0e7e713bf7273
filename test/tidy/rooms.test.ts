import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { brains, codeOnly, importsOf, mayImport, packageOwner, sourceFiles } from './rooms.ts';

const files = sourceFiles();

describe('the rooms keep to the table', () => {
  test('every folder under src is a room of the table', () => {
    expect([...new Set(files.map((file) => file.room))].filter((room) => !Object.hasOwn(mayImport, room))).toEqual([]);
  });

  test('no file imports a room that its own may not', () => {
    const broken: string[] = [];
    for (const file of files) {
      for (const name of file.imports.filter((one) => one.startsWith('.'))) {
        const target = normalize(join(dirname(file.path), name));
        const room = target.split('/')[0] ?? '';
        if (room === file.room || target.startsWith('..')) {
          if (target.startsWith('..')) broken.push(`${file.path} leaves src: ${name}`);
          continue;
        }
        const allowed = mayImport[file.room] ?? [];
        if (!allowed.some((one) => one === room || target.startsWith(`${one}/`) || target === `${one}.ts`)) broken.push(`${file.path} → ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('relative imports end in .ts or .json, or name generated code, and name a file, not a folder', () => {
    const broken = files.flatMap((file) => file.imports.filter((one) => one.startsWith('.') && !/\.(ts|json)$|\/generated\/[a-z-]+\.js$/.test(one)).map((one) => `${file.path} → ${one}`));
    expect(broken).toEqual([]);
  });

  test('a package has one owner room', () => {
    const broken = files.flatMap((file) =>
      file.imports
        .filter((one) => !one.startsWith('.') && !one.startsWith('node:'))
        .filter((one) => packageOwner[one.split('/')[0] ?? ''] !== file.room)
        .map((one) => `${file.path} → ${one}`),
    );
    expect(broken).toEqual([]);
  });

  test('brains touch no clock, dice, promise, process or module of Node', () => {
    const banned = /\bPromise\b|\basync\b|\bawait\b|\bDate\b|\bMath\.random\b|\bprocess\b\.|\bconsole\b|\bsetTimeout\b|\bsetInterval\b/;
    const broken: string[] = [];
    for (const file of files.filter((one) => brains.includes(one.room))) {
      if (file.imports.some((one) => one.startsWith('node:'))) broken.push(`${file.path} imports node:*`);
      const hit = banned.exec(codeOnly(file.text));
      if (hit !== null) broken.push(`${file.path} uses ${hit[0]}`);
    }
    expect(broken).toEqual([]);
  });

  test('only os spawns processes and touches files; the doors may read what they are given on the command line', () => {
    const broken = files
      .filter((file) => file.room !== 'os')
      .flatMap((file) => file.imports.filter((one) => /^node:(child_process|fs|fs\/promises)$/.test(one)).map((one) => `${file.path} → ${one}`));
    expect(broken).toEqual([]);
  });

  test('no any, no enum, no default export, no barrel', () => {
    const broken: string[] = [];
    for (const file of files) {
      const code = codeOnly(file.text);
      for (const [name, pattern] of [
        ['any', /:\s*any\b|<any>|\bas any\b/],
        ['enum', /^\s*(export\s+)?(const\s+)?enum\s/m],
        ['default export', /^export default/m],
        ['barrel', /^export \* from/m],
      ] as const) {
        if (pattern.test(code)) broken.push(`${file.path}: ${name}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('no file of the source is longer than 500 lines', () => {
    expect(files.filter((file) => file.text.split('\n').length > 500).map((file) => `${file.path}: ${file.text.split('\n').length}`)).toEqual([]);
  });
});

test('the reader of imports sees every form', () => {
  expect(importsOf(`import { a } from './a.ts';\nimport type { b } from "./b.ts";\nexport { c } from './c.ts';\nconst d = await import('./d.ts');\nimport './e.ts';`)).toEqual([
    './a.ts', './b.ts', './c.ts', './d.ts', './e.ts',
  ]);
});
