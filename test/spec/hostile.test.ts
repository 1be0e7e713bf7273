import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isErrorCode } from '../../src/base/error-codes.ts';
import { hostileCases } from './hostile-cases.ts';
import type { Hostile } from './hostile-cases.ts';
import { loadFiles } from './load-files.ts';

type Line = { readonly name: string; readonly want: Hostile['want']; readonly kind: string; readonly codes: readonly string[]; readonly longest: number; readonly cpuMs: number; readonly ordinaryMs: number; readonly isClean: boolean };

describe('files made to hurt end in a value or a coded error, within a second and 256 MB', () => {
  const lines = new Map<string, Line>();
  let stderr = '';

  beforeAll(() => {
    const child = spawnSync(process.execPath, ['--max-old-space-size=256', join(import.meta.dirname, 'hostile-child.ts')], { encoding: 'utf8', maxBuffer: 1 << 24 });
    ({ stderr } = child);
    for (const text of child.stdout.split('\n').filter((one) => one !== '')) {
      const line: Line = JSON.parse(text);
      lines.set(line.name, line);
    }
  }, 120_000);

  test.for(Object.keys(hostileCases))('%s', (name) => {
    const line = lines.get(name);
    expect(line, stderr.slice(-2_000)).toBeDefined();
    if (line === undefined) return;
    const { want } = line;
    expect(['loaded', 'failed']).toContain(line.kind);
    if (line.kind === 'failed') expect(line.codes.length).toBeGreaterThan(0);
    expect(line.codes.filter((code) => !isErrorCode(code))).toEqual([]);
    if (want === 'loaded') expect(line.kind).toBe('loaded');
    else if (want !== 'any') expect(line.codes).toEqual(want);
    expect(line.longest).toBeLessThanOrEqual(1_000);
    // Time of the processor, not of the clock: other tests run beside this one. A machine that is slow, or full, has longer.
    expect(line.cpuMs).toBeLessThan(Math.max(1_000, 2 * line.ordinaryMs));
    expect(line.isClean).toBe(true);
  });
});

describe('values that look like others', () => {
  // Source: answers of Docker Compose 2.40.3 for the same file.
  const shown = (yaml: string): unknown => {
    const result = loadFiles({ 'compose.yaml': `services:\n  web:\n    image: nginx\n    environment:\n      V: ${yaml}\n` }, { projectName: { name: 'app', isExplicit: false } });
    return result.kind === 'loaded' ? result.project.services['web']?.environment?.['V'] : 'refused';
  };
  test.for([
    ['yes', 'yes'],
    ['NO', 'NO'],
    ['True', 'true'],
    ['0x1F', '31'],
    ['0o17', '15'],
    ['017', '15'],
    ['1e3', '1000'],
    ['22:22', '22:22'],
    ['1_000', '1000'],
    ['1.50', '1.5'],
    ['~', null],
    ['2001-12-14', 'refused'],
    ['.inf', '+Inf'],
    ['0.1e-7', '1e-08'],
    ['12345678.9', '1.23456789e+07'],
    ['-017', '-15'],
    ['"null"', 'null'],
    ['+5', '5'],
    ['0b11', '3'],
    ['1.0', '1'],
    ['08', '8'],
  ] as const)('%s', ([yaml, want]) => {
    expect(shown(yaml)).toBe(want);
  });
});

test('names of the prototype are names like any other', () => {
  const text = 'services:\n  __proto__:\n    image: nginx\n    environment: {__proto__: a, constructor: b}\n    labels: [__proto__=c]\n    depends_on: [constructor]\n  constructor:\n    image: nginx\n';
  const result = loadFiles({ 'compose.yaml': text }, { projectName: { name: 'app', isExplicit: false } });
  expect(result.kind).toBe('loaded');
  if (result.kind !== 'loaded') return;
  expect(Object.keys(result.project.services).sort()).toEqual(['__proto__', 'constructor']);
  const service = Object.entries(result.project.services).find(([name]) => name === '__proto__')?.[1];
  expect(Object.entries(service?.environment ?? {})).toEqual([['__proto__', 'a'], ['constructor', 'b']]);
  expect(Object.keys(service?.depends_on ?? {})).toEqual(['constructor']);
});
