import type { Project } from '../../model/project.ts';
import type { Field, Kind } from '../decode/kinds.ts';
import { projectFields, serviceFields } from '../decode/tables.ts';
import { FloatValue, TimeValue } from '../source/values.ts';

export type JsonStyle = {
  /** Spaces a level; 0 is one line without spaces. */
  readonly indent: number;
  /** Write `$$` for `$`, so that the text can be loaded again. */
  readonly escapeDollars: boolean;
};

/** Top-level keys as the reference's JSON has them: in the order of the alphabet, extensions among them. */
const jsonFields: readonly Field[] = projectFields.filter((field) => field.name !== 'models').toSorted((a, b) => (a.name < b.name ? -1 : 1));

/**
 * Prints the canonical form as the reference's JSON: byte for byte the same for the same project.
 * NOTE: as there, extensions below the top level and the top-level `models` are not part of the JSON; YAML has them.
 */
export function printJson(project: Project, style: JsonStyle): string {
  const extensions: Field[] = Object.keys(project).filter((key) => key.startsWith('x-')).map((name) => ({ name, kind: anyKind }));
  const fields = [...jsonFields, ...extensions].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return structText(fields, project, newline(style, 0), style);
}

/** One service, as the hash is made of it. */
export function printServiceJson(service: unknown, style: JsonStyle): string {
  return structText(serviceFields, service, newline(style, 0), style);
}

/** Any value as JSON, keys in the order of the alphabet. */
export function printValueJson(value: unknown, style: JsonStyle): string {
  return leafText(value, newline(style, 0), style);
}

const anyKind: Kind = { kind: 'leaf', read: (value) => value };

type Line = { readonly break: string; readonly depth: number };

function newline({ indent }: JsonStyle, depth: number): Line {
  return { break: indent === 0 ? '' : `\n${' '.repeat(indent * depth)}`, depth };
}

function kindText(kind: Kind, value: unknown, line: Line, style: JsonStyle): string {
  if (value === null || value === undefined) return 'null';
  if (kind.kind === 'leaf' && kind.keys !== undefined && typeof value === 'object') return structText(kind.keys.map((name) => ({ name, kind: anyKind })), value, line, style);
  if (kind.kind === 'leaf') return leafText(value, line, style);
  if (kind.kind === 'struct') return structText(kind.fields, value, line, style);
  const inner = newline(style, line.depth + 1);
  if (kind.kind === 'list') return Array.isArray(value) ? bracket('[', value.map((one) => kindText(kind.of, one, inner, style)), ']', inner, line) : leafText(value, line, style);
  const entries = entriesOf(value).map(([key, one]) => pairText(key, kindText(kind.of, one, inner, style), style));
  return bracket('{', entries, '}', inner, line);
}

function structText(fields: readonly Field[], value: unknown, line: Line, style: JsonStyle): string {
  if (typeof value !== 'object' || value === null) return leafText(value, line, style);
  const inner = newline(style, line.depth + 1);
  const parts: string[] = [];
  for (const field of fields) {
    if (field.hiddenBeside !== undefined && Reflect.get(value, field.hiddenBeside) !== undefined) continue;
    const child: unknown = Reflect.get(value, field.name);
    const name = field.jsonName ?? field.name;
    if (child !== undefined) parts.push(pairText(name, kindText(field.kind, child, inner, style), style));
    else if (field.jsonAbsent !== undefined) parts.push(pairText(name, leafText(field.jsonAbsent, inner, style), style));
  }
  return bracket('{', parts, '}', inner, line);
}

function leafText(value: unknown, line: Line, style: JsonStyle): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return quote(style.escapeDollars ? value.replaceAll('$', '$$$$') : value);
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof FloatValue) return Number.isFinite(value.value) ? numberText(value.value) : quote(String(value.value));
  if (value instanceof TimeValue) return quote(value.text);
  const inner = newline(style, line.depth + 1);
  if (Array.isArray(value)) return bracket('[', value.map((one) => leafText(one, inner, style)), ']', inner, line);
  return bracket('{', entriesOf(value).map(([key, one]) => pairText(key, leafText(one, inner, style), style)), '}', inner, line);
}

function bracket(open: string, parts: readonly string[], close: string, inner: Line, outer: Line): string {
  return parts.length === 0 ? open + close : `${open}${inner.break}${parts.join(`,${inner.break}`)}${outer.break}${close}`;
}

function pairText(key: string, value: string, style: JsonStyle): string {
  return `${quote(style.escapeDollars ? key.replaceAll('$', '$$$$') : key)}:${style.indent === 0 ? '' : ' '}${value}`;
}

function entriesOf(value: unknown): [string, unknown][] {
  const entries: [string, unknown][] = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return entries.toSorted((a, b) => (a[0] < b[0] ? -1 : 1));
}

/** Go's way: the signs that matter in HTML and two line separators are escaped too. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029\b\f]|\\[bf]/g, (char) => (char === '\\b' ? '\\b' : char === '\\f' ? '\\f' : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

function numberText(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-6 || size >= 1e21)) return value.toExponential();
  return String(value);
}
