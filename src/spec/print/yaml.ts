import type { Project } from '../../model/project.ts';
import type { Field, Kind } from '../decode/kinds.ts';
import { projectFields } from '../decode/tables.ts';
import { resolvePlain } from '../source/scalar.ts';
import { FloatValue, TimeValue, floatText } from '../source/values.ts';

export type YamlStyle = { readonly escapeDollars: boolean };

/** Prints the canonical form as the reference's YAML: two spaces, keys in the order of the model, extensions last. */
export function printYaml(project: Project, style: YamlStyle): string {
  const out: string[] = [];
  writeStruct(out, projectFields, project, 0, style);
  return `${out.join('\n')}\n`;
}

/** Any value as YAML, keys in their natural order (`a2` before `a10`). */
export function printValueYaml(value: unknown, style: YamlStyle): string {
  const out: string[] = [];
  if (isMapping(value) && Object.keys(value).length > 0) writeEntries(out, sortedEntries(value), anyKind, 0, style);
  else out.push(scalarText(value, 0, style));
  return `${out.join('\n')}\n`;
}

const anyKind: Kind = { kind: 'leaf', read: (value) => value };

function writeStruct(out: string[], fields: readonly Field[], value: object, depth: number, style: YamlStyle): void {
  for (const field of fields) {
    if (field.hiddenBeside !== undefined && Reflect.get(value, field.hiddenBeside) !== undefined) continue;
    const child: unknown = Reflect.get(value, field.name);
    if (child === undefined || (child === null && field.jsonAbsent === null)) continue;
    if (field.isAlways === true && isMapping(child) && isEmptyDeep(child) && field.name !== 'services') continue;
    writePair(out, field.name, child, field.kind, depth, style);
  }
  writeEntries(out, sortedEntries(value).filter(([key]) => key.startsWith('x-')), anyKind, depth, style);
}

function writeEntries(out: string[], entries: readonly (readonly [string, unknown])[], kind: Kind, depth: number, style: YamlStyle): void {
  for (const [key, value] of entries) writePair(out, key, value, kind, depth, style);
}

function writePair(out: string[], key: string, value: unknown, kind: Kind, depth: number, style: YamlStyle): void {
  const indent = '  '.repeat(depth);
  const name = scalarText(key, depth, style);
  if (isMapping(value) && !isEmptyStruct(kind, value)) {
    out.push(`${indent}${name}:`);
    writeMapping(out, kind, value, depth + 1, style);
  } else if (Array.isArray(value) && value.length > 0) {
    out.push(`${indent}${name}:`);
    writeList(out, kind, value, depth + 1, style);
  } else out.push(`${indent}${name}: ${scalarText(value, depth, style)}`);
}

function writeMapping(out: string[], kind: Kind, value: object, depth: number, style: YamlStyle): void {
  if (kind.kind === 'struct') writeStruct(out, kind.fields, value, depth, style);
  else if (kind.kind === 'leaf' && kind.keys !== undefined) for (const name of kind.keys) writePair(out, name, Reflect.get(value, name) ?? 0, anyKind, depth, style);
  else writeEntries(out, sortedEntries(value), kind.kind === 'map' ? kind.of : anyKind, depth, style);
}

function writeList(out: string[], kind: Kind, list: readonly unknown[], depth: number, style: YamlStyle): void {
  const of = kind.kind === 'list' ? kind.of : anyKind;
  const indent = '  '.repeat(depth);
  for (const item of list) {
    const inner: string[] = [];
    if (isMapping(item) && !isEmptyStruct(of, item)) writeMapping(inner, of, item, depth + 1, style);
    else if (Array.isArray(item) && item.length > 0) writeList(inner, of, item, depth + 1, style);
    else inner.push(`${indent}  ${scalarText(item, depth, style)}`);
    const [first = '', ...rest] = inner;
    out.push(`${indent}- ${first.slice(indent.length + 2)}`, ...rest);
  }
}

function scalarText(value: unknown, depth: number, style: YamlStyle): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return textScalar(style.escapeDollars ? value.replaceAll('$', '$$$$') : value, depth);
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : floatText(value);
  if (value instanceof FloatValue) return Number.isFinite(value.value) ? floatText(value.value) : Number.isNaN(value.value) ? '.nan' : value.value > 0 ? '.inf' : '-.inf';
  if (value instanceof TimeValue) return value.text;
  if (Array.isArray(value)) return '[]';
  return typeof value === 'object' ? '{}' : String(value);
}

const oldWords: readonly string[] = ['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'];

/** A text in the plainest form that reads back as the same text. */
function textScalar(text: string, depth: number): string {
  // A space before a line's end is lost on readers that trim, so such a text is quoted, as the reference does too.
  if (text.includes('\n') && isPrintable(text) && !/ (?:\n|$)/.test(text)) return blockScalar(text, depth);
  const readsAsOther = text.includes('\n') || typeof resolvePlain(text) !== 'string' || oldWords.includes(text) || /^[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?$/.test(text) || text === '<<' || text === '=';
  if (readsAsOther || !isPrintable(text)) return doubleQuoted(text);
  return isPlainSafe(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

function isPlainSafe(text: string): boolean {
  if (text === '' || /^[\s]|[\s]$/.test(text)) return false;
  if (/^[,[\]{}#&*!|>'"%@`]/.test(text) || /^(?:---|\.\.\.)/.test(text)) return false;
  if (/^[-?:](?:\s|$)/.test(text)) return false;
  return !/:(?:\s|$)|\s#/.test(text);
}

function blockScalar(text: string, depth: number): string {
  const trailing = /\n*$/.exec(text)?.[0].length ?? 0;
  const chomp = trailing === 0 ? '-' : trailing === 1 && text !== '\n' ? '' : '+';
  const hint = /^[ \n]/.test(text) ? '2' : '';
  const indent = '  '.repeat(depth + 1);
  const body = trailing === 0 ? text : text.slice(0, -1);
  return `|${hint}${chomp}\n${body.split('\n').map((line) => (line === '' ? '' : indent + line)).join('\n')}`;
}

function doubleQuoted(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\0': '\\0', '\x07': '\\a', '\b': '\\b', '\t': '\\t', '\n': '\\n', '\v': '\\v', '\f': '\\f', '\r': '\\r', '\x1b': '\\e', '"': '\\"', '\\': '\\\\', '\u0085': '\\N', '\u00a0': '\\_', '\u2028': '\\L', '\u2029': '\\P' };
  // eslint-disable-next-line no-control-regex -- control characters are what is escaped here
  const body = text.replace(/["\\\u0000-\u001f\u007f-\u00a0\u2028\u2029\ufeff]|[\ud800-\udfff]/gu, (char) => escapes[char] ?? `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`);
  return `"${body}"`;
}

function isPrintable(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return !/[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u2028\u2029\ufeff]|[\ud800-\udfff]|\t/u.test(text);
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof FloatValue) && !(value instanceof TimeValue);
}

function isEmptyStruct(kind: Kind, value: object): boolean {
  if (kind.kind === 'leaf' && kind.keys !== undefined) return false;
  if (Object.keys(value).length === 0) return true;
  if (kind.kind !== 'struct') return false;
  const out: string[] = [];
  writeStruct(out, kind.fields, value, 0, { escapeDollars: false });
  return out.length === 0;
}

function isEmptyDeep(value: unknown): boolean {
  return isMapping(value) && Object.values(value).every(isEmptyDeep);
}

function sortedEntries(value: object): [string, unknown][] {
  const entries: [string, unknown][] = Object.entries(value);
  return entries.toSorted((a, b) => compareNatural(a[0], b[0]));
}

/** Numbers inside names count as numbers; letters come after other signs, but before them behind a digit. Source: go-yaml (order of keys). */
function compareNatural(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  const at = left.findIndex((char, index) => char !== right[index]);
  if (at < 0 || at >= right.length) return left.length - right.length;
  const [x = '', y = ''] = [left[at], right[at]];
  const [xIsLetter, yIsLetter] = [/\p{L}/u.test(x), /\p{L}/u.test(y)];
  if (xIsLetter && yIsLetter) return x < y ? -1 : 1;
  if (xIsLetter || yIsLetter) return isDigit(left[at - 1]) === xIsLetter ? -1 : 1;
  // Behind a digit that is not 0, a zero counts: `10` is more than `1`.
  let start = at;
  while (start > 0 && isDigit(left[start - 1])) start -= 1;
  const lead = (x === '0' || y === '0') && left.slice(start, at).some((char) => char !== '0') ? '1' : '';
  const [m, n] = [digitsAt(left, at), digitsAt(right, at)];
  const [i, j] = [Number(lead + m), Number(lead + n)];
  return i - j || m.length - n.length || (x < y ? -1 : 1);
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}

function digitsAt(chars: readonly string[], at: number): string {
  let end = at;
  while (isDigit(chars[end])) end += 1;
  return chars.slice(at, end).join('');
}
