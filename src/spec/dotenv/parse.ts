import { interpolate } from '../interpolate/template.ts';
import type { Lookup } from '../interpolate/template.ts';

export type DotenvError = { readonly message: string; readonly line: number; readonly column: number };

export type DotenvResult =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly error: DotenvError; readonly values: ReadonlyMap<string, string> };

export type DotenvOptions = {
  /** The environment outside the file: it wins over the file's own values in `$NAME`, and gives bare keys their value. */
  readonly lookup: Lookup;
  /** Values of earlier files, seen by `$NAME` after `lookup`. */
  readonly earlier?: ReadonlyMap<string, string>;
  readonly onUnset?: (name: string) => void;
};

// The reference's two notions of space: with and without the line break.
const anySpace = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const lineSpace = /[\t\v\f\r \u0085\u00a0]/;
const keyCharacter = /[_.\-[\]]|\p{L}|\p{N}/u;

/**
 * Reads an env file in the reference loader's dialect: `KEY=value`, `KEY: value`, `export KEY=value`, `#` comments,
 * 'raw' and "expanded" quotes over several lines, `$NAME` in unquoted and double-quoted values, bare keys looked up.
 * A later line wins. On an error `values` holds what came before it.
 */
export function parseDotenv(text: string, options: DotenvOptions): DotenvResult {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const values = new Map<string, string>();
  let at = skipBlank(source, 0);
  while (at < source.length) {
    const key = readKey(source, at);
    if (!key.ok) return failure(source, key.at, key.message, values);
    if (key.kind === 'bare') {
      const value = options.lookup(key.name);
      if (value !== undefined) values.set(key.name, value);
      at = skipBlank(source, key.next);
      continue;
    }
    const raw = readValue(source, key.next);
    if (!raw.ok) return failure(source, raw.at, raw.message, values);
    const value = raw.isExpanded ? interpolate(raw.text, (name) => options.lookup(name) ?? values.get(name) ?? options.earlier?.get(name), unsetOption(options)) : { ok: true as const, value: raw.text };
    if (!value.ok) return failure(source, key.next, value.error.message, values);
    values.set(key.name, value.value);
    at = skipBlank(source, raw.next);
  }
  return { ok: true, values };
}

/**
 * Reads an env file as `format: raw` wants it: one `KEY=value` a line, the value untouched, no quotes, no variables.
 * A key without `=` takes its value from `lookup`, or is left out.
 */
export function parseRawEnv(text: string, lookup: Lookup): DotenvResult {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const values = new Map<string, string>();
  let start = 0;
  for (const ended of source.split('\n')) {
    const line = (ended.endsWith('\r') ? ended.slice(0, -1) : ended).replace(/^[\s\u0085]+/, '');
    const lineStart = start;
    start += ended.length + 1;
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const key = equals < 0 ? line : line.slice(0, equals);
    if (key === '') return failure(source, lineStart, `no variable name on line '${clip(line)}'`, values);
    if (anySpace.test(key)) return failure(source, lineStart, `variable '${clip(key)}' contains whitespaces`, values);
    const value = equals < 0 ? lookup(key) : line.slice(equals + 1);
    if (value !== undefined) values.set(key, value);
  }
  return { ok: true, values };
}

type KeyRead =
  | { readonly ok: true; readonly kind: 'bare' | 'assigned'; readonly name: string; readonly next: number }
  | { readonly ok: false; readonly message: string; readonly at: number };

type ValueRead =
  | { readonly ok: true; readonly text: string; readonly isExpanded: boolean; readonly next: number }
  | { readonly ok: false; readonly message: string; readonly at: number };

function readKey(source: string, at: number): KeyRead {
  const exported = /export[\t\n\f\r ]+/y;
  exported.lastIndex = at;
  let start = at;
  if (exported.test(source)) {
    start = at + 'export'.length;
    while (start < source.length && lineSpace.test(source.charAt(start))) start += 1;
  }
  let end = start;
  while (end < source.length) {
    const char = String.fromCodePoint(source.codePointAt(end) ?? 0);
    if (char === '=' || char === ':' || char === '\n') break;
    if (!lineSpace.test(char) && !keyCharacter.test(char)) {
      return { ok: false, message: `unexpected character ${JSON.stringify(char)} in variable name ${JSON.stringify(clip(firstLine(source, start)))}`, at: end };
    }
    end += char.length;
  }
  // NOTE: without `=`, `:` or a line break the reference takes the whole rest as the value of the empty name.
  if (end >= source.length) return { ok: true, kind: 'assigned', name: '', next: start };
  const name = trimEnd(source.slice(start, end));
  if (name.includes(' ')) return { ok: false, message: 'key cannot contain a space', at: start };
  let next = end + 1;
  while (next < source.length && lineSpace.test(source.charAt(next))) next += 1;
  return { ok: true, kind: source.charAt(end) === '\n' ? 'bare' : 'assigned', name, next };
}

function readValue(source: string, at: number): ValueRead {
  const quote = source.charAt(at);
  if (quote === '"' || quote === "'") return readQuoted(source, at, quote);
  const newline = source.indexOf('\n', at);
  const end = newline < 0 ? source.length : newline;
  const line = source.slice(at, end);
  const comment = line.indexOf(' #');
  const text = trimEnd(comment < 0 ? line : line.slice(0, comment));
  return { ok: true, text, isExpanded: true, next: Math.min(end + 1, source.length) };
}

function readQuoted(source: string, at: number, quote: string): ValueRead {
  let text = '';
  let from = at + 1;
  let i = from;
  for (; i < source.length; i += 1) {
    const char = source.charAt(i);
    if (char === quote) {
      text += source.slice(from, i);
      return { ok: true, text: quote === '"' ? expandEscapes(text) : text, isExpanded: quote === '"', next: i + 1 };
    }
    if (char === '\\') {
      // A backslash before the quote gives the quote alone; before anything else both stay, for the escapes below.
      if (source.charAt(i + 1) === quote) {
        text += source.slice(from, i);
        from = i + 1;
      }
      i += 1;
    }
  }
  return { ok: false, message: `unterminated quoted value ${clip(firstLine(source, at))}`, at };
}

const escapes: Readonly<Record<string, string>> = { a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"', $: '$$' };

function expandEscapes(text: string): string {
  return text.replace(/\\(?:[abcfnrtv$"\\]|0\d{0,3})/g, (match) => {
    const char = match.charAt(1);
    if (char !== '0') return escapes[char] ?? match;
    // `\0` and three octal digits name a character up to 255; anything else loses the 0 and stays, as in the reference.
    const digits = match.slice(2);
    const code = /^[0-7]{3}$/.test(digits) ? Number.parseInt(digits, 8) : 256;
    return code > 255 ? `\\${digits}` : String.fromCodePoint(code);
  });
}

/** NOTE: a loop, because the pattern for it takes quadratic time on a long run of blanks. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && anySpace.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function skipBlank(source: string, at: number): number {
  let i = at;
  while (i < source.length) {
    if (source.charAt(i) === '#') {
      const newline = source.indexOf('\n', i);
      if (newline < 0) return source.length;
      i = newline;
    } else if (!anySpace.test(source.charAt(i))) return i;
    i += 1;
  }
  return i;
}

function failure(source: string, at: number, message: string, values: ReadonlyMap<string, string>): DotenvResult {
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  return { ok: false, error: { message, line, column: at - before.lastIndexOf('\n') }, values };
}

function unsetOption(options: DotenvOptions): { onUnset?: (name: string) => void } {
  return options.onUnset === undefined ? {} : { onUnset: options.onUnset };
}

function firstLine(source: string, at: number): string {
  const newline = source.indexOf('\n', at);
  return newline < 0 ? source.slice(at) : source.slice(at, newline);
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
