import { parsed, refused } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** No size is longer, and the pattern that reads it takes quadratic time. */
const textLengthMax = 64;
const powers: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 };
const decimalNames: readonly string[] = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const binaryNames: readonly string[] = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/**
 * Reads a size in multiples of 1024, as `512m` or `1.5 GiB`: what compose files use for memory.
 * Out: bytes, rounded down. Above 2^53 the value is the nearest double.
 * Source: docker/go-units RAMInBytes (behaviour).
 */
export function ramInBytes(text: string): Parsed<number> {
  return parseSize(text, 1024);
}

/** Reads a size in multiples of 1000, as `32kb`. Source: docker/go-units FromHumanSize (behaviour). */
export function fromHumanSize(text: string): Parsed<number> {
  return parseSize(text, 1000);
}

/**
 * A byte count as the canonical model prints it: a whole number as a string.
 * Whole numbers pass exactly up to 64 bits; everything else goes through `ramInBytes`.
 */
export function canonicalBytes(text: string): Parsed<string> {
  if (/^[+-]?\d+$/.test(text) && text.length <= 20) {
    const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
    if (BigInt.asIntN(64, value) === value) return parsed(value.toString());
  }
  const size = ramInBytes(text);
  return size.ok ? parsed(BigInt(size.value).toString()) : size;
}

/** `1.024kB`, `3.42GB`: four significant digits, powers of 1000. */
export function humanSize(bytes: number): string {
  return scaled(bytes, 1000, decimalNames);
}

/** `2MiB`: four significant digits, powers of 1024. */
export function bytesSize(bytes: number): string {
  return scaled(bytes, 1024, binaryNames);
}

/** `35 minutes`, `About an hour`: an age as `ps` prints it. */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  if (whole < 1) return 'Less than a second';
  if (whole === 1) return '1 second';
  if (whole < 60) return `${whole} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(seconds / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 730) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(Math.trunc(seconds / 3600) / 24 / 365)} years`;
}

export type Ulimit = { readonly name: string; readonly soft: number; readonly hard: number };

const ulimitNames: ReadonlySet<string> = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

/** Reads `nofile=1024:2048` (soft:hard) or `nofile=1024`; -1 means unlimited. */
export function parseUlimit(text: string): Parsed<Ulimit> {
  const equals = text.indexOf('=');
  if (equals < 0) return refused(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, equals);
  if (!ulimitNames.has(name)) return refused(`invalid ulimit type: ${name}`);
  const values = text.slice(equals + 1).split(':');
  if (values.length > 2) return refused(`too many limit values in '${text}': at most soft:hard`);
  const [softText = '', hardText = softText] = values;
  for (const one of [softText, hardText]) {
    if (!/^[+-]?\d+$/.test(one)) return refused(`invalid ulimit value '${one}' in '${text}'`, equals + 1);
  }
  const soft = Number(softText);
  const hard = Number(hardText);
  if (hard !== -1 && (soft === -1 || soft > hard)) return refused(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return parsed({ name, soft, hard });
}

function parseSize(text: string, base: number): Parsed<number> {
  if (text.length > textLengthMax) return refused(`invalid size: longer than ${textLengthMax} characters`);
  let end = text.length - 1;
  while (end >= 0 && !/[0-9. ]/.test(text.charAt(end))) end -= 1;
  if (end < 0) return refused(`invalid size: '${text}'`);
  const digits = text.charAt(end) === ' ' ? text.slice(0, end) : text.slice(0, end + 1);
  const suffix = text.slice(end + 1).toLowerCase();
  if (!/^[+-]?(\d+(_\d+)*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits)) return refused(`invalid number '${digits}' in size '${text}'`);
  const size = Number(digits.replaceAll('_', ''));
  if (size < 0 || size >= 2 ** 63) return refused(`invalid size: '${text}'`);
  if (suffix === '' || suffix === 'b') return parsed(whole(size));
  const power = /^[kmgtp](b|ib)?$/.test(suffix) ? powers[suffix.charAt(0)] : undefined;
  if (power === undefined) return refused(`invalid suffix: '${suffix}' in size '${text}' (use b, k, m, g, t or p)`);
  return parsed(whole(size * base ** power));
}

/** Rounds towards zero, and never gives -0. */
function whole(size: number): number {
  return Math.trunc(size) + 0;
}

function scaled(bytes: number, base: number, names: readonly string[]): string {
  let size = bytes;
  let index = 0;
  while (size >= base && index < names.length - 1) {
    size /= base;
    index += 1;
  }
  return `${fourDigits(size)}${names[index] ?? ''}`;
}

/** C's `%.4g`. */
function fourDigits(value: number): string {
  if (value === 0) return '0';
  const [mantissa = '', exponentText = '0'] = value.toExponential(3).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 4) return String(Number(value.toPrecision(4)));
  const sign = exponent < 0 ? '-' : '+';
  return `${Number(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
