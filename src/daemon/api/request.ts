import { AppError } from '../../base/app-error.ts';

/** Readers of a request's parts: what has not the agreed shape is refused by name. */
export function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.fromEntries(Object.entries(value));
  throw bad(`${what} must be an object`);
}

export function optionalNumber(value: unknown, what: string): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw bad(`${what} must be a number`);
}

export function stringList(value: unknown, what: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw bad(`${what} must be a list of strings`);
}

export function queryNumber(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null) return null;
  const value = Number(text);
  if (!Number.isFinite(value)) throw bad(`${name} must be a number`);
  return value;
}

export function bad(message: string): AppError {
  return new AppError({ code: 'DAEMON_BAD_REQUEST', message });
}
