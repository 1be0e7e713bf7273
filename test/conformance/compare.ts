import { readFileSync, statSync } from 'node:fs';
import type { Project } from '../../src/model/project.ts';
import type { LoadInput, Loaded, LoadFailed, Provided } from '../../src/spec/input.ts';
import { load } from '../../src/spec/load.ts';
import { printJson } from '../../src/spec/print/json.ts';
import type { Diagnostic } from '../../src/base/diagnostic.ts';

/** The rules of comparison: null, {} and [] count as absent, so does `create_host_path: true`; `$$` equals `$`. */
export function normalized(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalized);
  if (typeof value === 'string') return value.replaceAll('$$', '$');
  if (typeof value !== 'object' || value === null) return value;
  const kept: [string, unknown][] = [];
  for (const [key, child] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (key === 'create_host_path' && child === true) continue;
    const one = normalized(child);
    const isEmpty = one === null || (typeof one === 'object' && Object.keys(one).length === 0);
    if (!isEmpty) kept.push([key, one]);
  }
  return Object.fromEntries(kept);
}

export function comparable(value: unknown, replace: readonly (readonly [string, string])[] = []): string {
  let text = JSON.stringify(normalized(value));
  for (const [from, to] of replace) text = text.replaceAll(from, to);
  return text;
}

export function jsonOf(project: Project, escapeDollars: boolean): unknown {
  const value: unknown = JSON.parse(printJson(project, { indent: 0, escapeDollars }));
  return value;
}

export type Host = (path: string) => Provided;

/** Runs the loader to its end, answering what it asks for. */
export function loadWith(host: Host, input: Omit<LoadInput, 'provided'>): Loaded | LoadFailed {
  const provided = new Map<string, Provided>();
  const links = new Map<string, string>();
  for (let round = 0; round < 100; round += 1) {
    const result = load({ ...input, provided, links });
    if (result.kind !== 'need') return result;
    for (const need of result.needs) {
      if (need.kind === 'link') links.set(need.path, need.path);
      else provided.set(need.path, host(need.path));
    }
  }
  throw new Error('the loader never stops asking');
}

export function diskHost(path: string): Provided {
  try {
    if (statSync(path).isDirectory()) return { kind: 'directory' };
    return { kind: 'file', content: readFileSync(path) };
  } catch {
    return { kind: 'missing' };
  }
}

export function memoryHost(files: ReadonlyMap<string, string>, folders: readonly string[] = []): Host {
  return (path) => {
    const content = files.get(path);
    if (content !== undefined) return { kind: 'file', content };
    return folders.includes(path) ? { kind: 'directory' } : { kind: 'missing' };
  };
}

export function whyNot(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((one) => `${one.file ?? ''}:${one.line}:${one.column} ${one.code} ${one.message}`).join('; ');
}

/** The first place where two comparable texts differ, with some text around it. */
export function difference(want: string, got: string): string {
  let at = 0;
  while (at < want.length && want[at] === got[at]) at += 1;
  const start = Math.max(0, at - 60);
  return `want …${want.slice(start, at + 120)}… got …${got.slice(start, at + 120)}…`;
}
