import { parsed, refused } from './parsed.ts';
import type { Parsed } from './parsed.ts';

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  'µs': 1_000n,
  'μs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};
const nanosMax = (1n << 63n) - 1n;

/**
 * Reads `1h30m`, `1.5s`, `250ms`, and days and weeks (`2d`, `1w`), as the reference loader does.
 * Out: nanoseconds; a bigint, because a number is exact only up to 104 days.
 */
export function parseDuration(text: string): Parsed<bigint> {
  const sign = /^[+-]/.test(text) ? text.charAt(0) : '';
  const body = text.slice(sign.length);
  if (body === '0') return parsed(0n);
  if (body === '') return refused(`invalid duration "${text}"`);
  const part = /(\d*)(?:\.(\d*))?([^\d.]*)/y;
  let total = 0n;
  while (part.lastIndex < body.length) {
    const start = part.lastIndex;
    const [all = '', whole = '', fraction = '', unit = ''] = part.exec(body) ?? [];
    if (all === '' || (whole === '' && fraction === '')) return refused(`invalid duration "${text}"`, start + sign.length);
    if (unit === '') return refused(`missing unit in duration "${text}" (use ns, us, ms, s, m, h)`, start + sign.length + all.length);
    const nanos = Object.hasOwn(unitNanos, unit) ? unitNanos[unit] : undefined;
    if (nanos === undefined) return refused(`unknown unit "${unit}" in duration "${text}" (use ns, us, ms, s, m, h)`, start + sign.length + all.length - unit.length);
    // NOTE: 18 digits are finer than a nanosecond of a week; longer fractions only cost time.
    const digits = fraction.slice(0, 18);
    if (whole.length > 19) return refused(`duration "${text}" is too long`);
    total += BigInt(whole === '' ? '0' : whole) * nanos + (digits === '' ? 0n : (BigInt(digits) * nanos) / 10n ** BigInt(digits.length));
    if (total > nanosMax) return refused(`duration "${text}" is too long`);
  }
  return parsed(sign === '-' ? -total : total);
}

/** Prints nanoseconds as `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 1_000n)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 1_000_000n)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = `${decimal(size % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return `${sign}${seconds}`;
  const hours = minutes / 60n;
  return hours === 0n ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60n}m${seconds}`;
}

/** Nanoseconds to whole milliseconds, rounded up, so that a short positive time never becomes none. */
export function nanosToMs(nanos: bigint): number {
  return Number((nanos + 999_999n) / 1_000_000n);
}

function decimal(value: bigint, unit: bigint): string {
  const fraction = (value % unit).toString().padStart(unit.toString().length - 1, '0').replace(/0+$/, '');
  return fraction === '' ? (value / unit).toString() : `${value / unit}.${fraction}`;
}
