import { readFileSync } from 'node:fs';

/** A file of cases from outside; what a case holds besides its id is its set's business. */
export type CaseFile = { readonly cases: readonly Case[] };
export type Case = { readonly id: string; readonly [field: string]: unknown };

/** Whether we agree with one case; `why` says what differs. */
export type CaseResult = {
  readonly id: string;
  readonly ok: boolean;
  readonly why?: string;
  /** It can't be run: it reads files that the set does not hold. */
  readonly outside?: boolean;
};

/** What a set's runner looks like: the cases of one file in, one result a case out, same order. */
export type RunSet = (cases: readonly Case[]) => CaseResult[];

export function readCases(path: string): readonly Case[] {
  const file: CaseFile = JSON.parse(readFileSync(path, 'utf8'));
  return file.cases;
}

/** Where the outside cases are: `CASES`, or next to the checkout. */
export function casesRoot(): string {
  return process.env['CASES'] ?? new URL('../../../shared/conformance', import.meta.url).pathname;
}

/** Compares an outcome with a case's `expect` or `error`. Texts of errors need not match, the verdict must. */
export function judge(one: Case, outcome: { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string }): CaseResult {
  if ('error' in one) {
    return outcome.ok ? { id: one.id, ok: false, why: `expected the error ${JSON.stringify(one['error'])}, got ${stableText(outcome.value)}` } : { id: one.id, ok: true };
  }
  if (!outcome.ok) return { id: one.id, ok: false, why: `expected ${stableText(one['expect'])}, got the error ${JSON.stringify(outcome.message)}` };
  const got = stableText(outcome.value);
  const want = stableText(one['expect']);
  return got === want ? { id: one.id, ok: true } : { id: one.id, ok: false, why: `expected ${want}, got ${got}` };
}

/** JSON with sorted keys, so that equal values have equal texts. */
export function stableText(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? 'undefined';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]));
}
