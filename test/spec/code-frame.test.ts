import { expect, test } from 'vitest';
import type { Diagnostic } from '../../src/base/diagnostic.ts';
import { printDiagnostics } from '../../src/spec/diagnostics/code-frame.ts';

const wrong: Diagnostic = { severity: 'error', code: 'SPEC_UNKNOWN_KEY', message: '"imgae" is not a known key', hint: 'did you mean "image"?', file: 'compose.yaml', line: 3, column: 5, length: 5 };

function printed(text: string, diagnostic: Diagnostic, isColoured = false): string {
  return printDiagnostics([diagnostic], { isColoured, sources: new Map([['compose.yaml', text]]) });
}

test('the place, the lines before it, a caret under the key, and the hint', () => {
  expect(printed('services:\n  web:\n    imgae: nginx\n', wrong)).toBe(
    [
      'compose.yaml:3:5: error SPEC_UNKNOWN_KEY: "imgae" is not a known key',
      '  1 | services:',
      '  2 |   web:',
      '> 3 |     imgae: nginx',
      '    |     ^^^^^',
      '  hint: did you mean "image"?',
      '',
    ].join('\n'),
  );
});

test('the caret stands right behind tabs and wide characters, and with either line break', () => {
  expect(printed('a: 1\r\n\t"名": x', { ...wrong, line: 2, column: 7, length: 1 }).split('\n').slice(2, 4)).toEqual(['> 2 |     "名": x', '    |           ^']);
});

test('of a long line the part around the caret is shown', () => {
  const text = `${'x'.repeat(5_000)}HERE${'y'.repeat(5_000)}`;
  const lines = printed(text, { ...wrong, line: 1, column: 5_001, length: 4 }).split('\n');
  expect(lines[1]?.indexOf('HERE')).toBe(lines[2]?.indexOf('^^^^'));
  expect(lines[1]?.length).toBeLessThan(120);
});

test('what a terminal would obey is not printed', () => {
  const out = printed('a: \u001b[31mred\u0007', { ...wrong, line: 1, column: 1, message: 'bad \u001b[2J', length: 1 });
  // oxlint-disable-next-line no-control-regex -- they must not be there
  expect(out).not.toMatch(/[\u0007\u001b]/);
});

test('colours only where they are asked for', () => {
  expect(printed('services:\n', { ...wrong, line: 1, column: 1 }, true)).toContain('\u001b[1;31merror\u001b[0m');
});

test('a finding without a place, or in a file that is not at hand, is printed without lines', () => {
  const { hint: _, file: __, ...bare } = wrong;
  expect(printed('', { ...bare, line: 0, column: 0 })).toBe('error SPEC_UNKNOWN_KEY: "imgae" is not a known key\n');
  expect(printed('', { ...wrong, file: 'other.yaml' }).split('\n')).toHaveLength(3);
});

test('several are sorted by place', () => {
  const out = printDiagnostics([{ ...wrong, line: 9 }, { ...wrong, line: 2 }], { isColoured: false, sources: new Map() });
  expect(out.match(/:\d:5:/g)).toEqual([':2:5:', ':9:5:']);
});
