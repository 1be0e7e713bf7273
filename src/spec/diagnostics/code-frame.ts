import { sortDiagnostics } from '../../base/diagnostic.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';

export type PrintOptions = {
  /** Colours by terminal codes; the caller knows whether the place to print to wants them. */
  readonly isColoured: boolean;
  /** The text of each file, by the name that the diagnostics carry. A file that is not here is printed without its lines. */
  readonly sources: ReadonlyMap<string, string>;
};

/** Lines shown before the one that is meant. */
const linesBefore = 2;
/** Of a longer line only a part around the caret is shown. */
const widthMax = 100;

/**
 * All diagnostics, sorted by place, as people read them:
 *
 *     compose.yaml:3:5: error SPEC_UNKNOWN_KEY: "imgae" is not a known key in services.web
 *       1 | services:
 *       2 |   web:
 *     > 3 |     imgae: nginx
 *         |     ^^^^^
 *       hint: did you mean "image"?
 */
export function printDiagnostics(diagnostics: readonly Diagnostic[], options: PrintOptions): string {
  const paint = painter(options.isColoured);
  const split = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] | undefined => {
    const known = split.get(file);
    if (known !== undefined) return known;
    const lines = options.sources.get(file)?.split(/\r\n|\n|\r/);
    if (lines !== undefined) split.set(file, lines);
    return lines;
  };
  return sortDiagnostics(diagnostics).map((one) => printOne(one, linesOf(one.file ?? ''), paint)).join('\n');
}

type Paint = (text: string, style: 'red' | 'yellow' | 'cyan' | 'bold' | 'dim') => string;

function painter(isColoured: boolean): Paint {
  const codes = { red: '1;31', yellow: '1;33', cyan: '36', bold: '1', dim: '2' } as const;
  return (text, style) => (isColoured ? `\u001b[${codes[style]}m${text}\u001b[0m` : text);
}

function printOne(one: Diagnostic, lines: readonly string[] | undefined, paint: Paint): string {
  const style = one.severity === 'error' ? 'red' : 'yellow';
  const place = [one.file === undefined ? '' : visible(one.file), one.line > 0 ? `${one.line}:${one.column}` : ''].filter((text) => text !== '').join(':');
  const head = `${place === '' ? '' : `${paint(place, 'bold')}: `}${paint(one.severity, style)} ${paint(one.code, 'dim')}: ${visible(one.message)}`;
  const out = [head];
  if (lines !== undefined && one.line > 0 && one.line <= lines.length) out.push(...frame(one, lines, { paint, style }));
  if (one.hint !== undefined) {
    const [first = '', ...rest] = visible(one.hint).split('\n');
    out.push(`  ${paint('hint:', 'cyan')} ${first}`, ...rest.map((line) => `    ${line}`));
  }
  return `${out.join('\n')}\n`;
}

function frame(one: Diagnostic, lines: readonly string[], { paint, style }: { readonly paint: Paint; readonly style: 'red' | 'yellow' }): string[] {
  const from = Math.max(1, one.line - linesBefore);
  const digits = String(one.line).length;
  const meant = lines[one.line - 1] ?? '';
  // Columns count UTF-16 units; on a screen a tab takes four columns and some characters two.
  const before = screenText(meant.slice(0, Math.max(0, one.column - 1)));
  const marked = screenText(meant.slice(Math.max(0, one.column - 1), Math.max(0, one.column - 1) + Math.max(1, one.length ?? 1)));
  const start = widthOf(before) > widthMax - 20 ? widthOf(before) - 20 : 0;
  const out: string[] = [];
  for (let number = from; number <= one.line; number += 1) {
    const text = cut(screenText(lines[number - 1] ?? ''), start);
    const isMeant = number === one.line;
    out.push(`${isMeant ? paint('>', style) : ' '} ${paint(`${String(number).padStart(digits)} |`, 'dim')}${text === '' ? '' : ` ${text}`}`);
  }
  const carets = '^'.repeat(Math.max(1, Math.min(widthOf(marked), widthMax - (widthOf(before) - start))));
  out.push(`  ${paint(`${' '.repeat(digits)} |`, 'dim')} ${' '.repeat(widthOf(before) - start)}${paint(carets, style)}`);
  return out;
}

function cut(text: string, start: number): string {
  const rest = start === 0 ? text : `…${text.slice(start + 1)}`;
  return rest.length > widthMax ? `${rest.slice(0, widthMax - 1)}…` : rest;
}

/** Tabs as four blanks, and nothing that a terminal would obey. */
function screenText(text: string): string {
  return visible(text.replaceAll('\t', '    '));
}

/** Control characters, which a file may hold and a terminal would obey, become a dot. Line breaks stay. */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '·');
}

function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += isWide(char.codePointAt(0) ?? 0) ? 2 : /\p{Mn}/u.test(char) ? 0 : 1;
  return width;
}

/** East Asian wide characters and emoji: the blocks that matter, not the whole table. */
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) || (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd)
  );
}
