import { AppError } from '../../base/app-error.ts';

/** Reads one flag's value; the words of the error are the same everywhere. */
export function wholeNumber(flag: string, value: unknown): number | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (typeof value !== 'string' || !/^-?\d+$/.test(value.trim()) || !Number.isSafeInteger(number)) throw usage(`${flag} takes a whole number, not "${String(value)}"`);
  return number;
}

/** Seconds on the command line, milliseconds inside. */
export function secondsFlag(flag: string, value: unknown): number | null {
  const seconds = wholeNumber(flag, value);
  if (seconds === null) return null;
  if (seconds < -1) throw usage(`${flag} can't be negative`);
  return seconds * 1000;
}

export function textList(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** `web=3`, several times. */
export function scaleFlag(value: unknown): Record<string, number> {
  const scale: Record<string, number> = {};
  for (const one of textList(value)) {
    const match = /^([^=]+)=(\d+)$/.exec(one);
    if (match === null || match[1] === undefined) throw usage(`--scale takes SERVICE=NUM, not "${one}"`);
    scale[match[1]] = Number(match[2]);
  }
  return scale;
}

/** RFC 3339, seconds since 1970, or a span before now (`42m`): milliseconds since 1970. */
export function timeFlag(flag: string, value: unknown, nowMs: number): number | null {
  if (value === undefined) return null;
  const given = String(value);
  if (/^\d+(\.\d+)?$/.test(given)) return Number(given) * 1000;
  const span = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(given);
  if (span !== null && given !== '') return nowMs - (Number(span[1] ?? 0) * 3600 + Number(span[2] ?? 0) * 60 + Number(span[3] ?? 0)) * 1000;
  const time = Date.parse(given);
  if (Number.isNaN(time)) throw usage(`${flag} takes a time as 2013-01-02T13:23:37Z or a span as 42m, not "${given}"`);
  return time;
}

export function usage(message: string): AppError {
  return new AppError({ code: 'CLI_USAGE', message });
}
