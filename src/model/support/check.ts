import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Project, Service } from '../project.ts';
import { serviceKeys } from './service-keys.ts';
import type { KeyRow, Target, Verdict } from './table.ts';
import { topKeys } from './top-keys.ts';

/** A key of a project that a target refuses, that has no effect there, or that ties a service to a node. */
export type SupportFinding = {
  readonly path: readonly (string | number)[];
  readonly verdict: Exclude<Verdict, { readonly kind: 'honoured' | 'resolved' }>;
};

export type SupportQuestion = {
  readonly target: Target;
  /** Only these services and the networks, volumes, secrets and configs that they use; absent: the whole project. */
  readonly services?: readonly string[];
};

/** Every row of the table: those of a service below `services.*`. */
export const supportRows: readonly KeyRow[] = [...topKeys, ...serviceKeys.map((row) => ({ ...row, key: `services.*.${row.key}` }))];

/**
 * Asks the table for each key of a project, in the order in which they stand there. A key that is absent, null, false or empty asks
 * for nothing and is passed over. Bound: one visit a value.
 */
export function checkSupport(project: Project, question: SupportQuestion): SupportFinding[] {
  const findings: SupportFinding[] = [];
  const part = question.services === undefined ? project : partOf(project, question.services);
  visit({ branch: table, value: part, path: [], target: question.target, project, service: null, parent: null }, findings);
  return findings;
}

/** The findings as they are printed, an error for each that is refused. What is bound or has no effect is a warning. */
export function supportDiagnostics(findings: readonly SupportFinding[]): Diagnostic[] {
  return findings.map(({ path, verdict }) => {
    const common = { line: 0, column: 0, path: pathText(path) };
    switch (verdict.kind) {
      case 'refused':
        return { ...common, severity: 'error', code: 'CLUSTER_KEY_REFUSED', message: `${nameOf(path)} is not supported: ${verdict.reason}`, hint: verdict.hint };
      case 'bound':
        return { ...common, severity: 'warning', code: 'CLUSTER_KEY_BOUND', message: `${nameOf(path)} ties the service to a node: ${verdict.reason}` };
      case 'unheeded':
        return { ...common, severity: 'warning', code: 'CLUSTER_KEY_UNHEEDED', message: `${nameOf(path)} has no effect: ${verdict.reason}` };
    }
  });
}

/** `services.web.ports[0].protocol`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`), '');
}

/** `service web: ports[0].protocol`. */
function nameOf(path: readonly (string | number)[]): string {
  const [section, name, ...rest] = path;
  if (name === undefined) return pathText(path);
  const what = `${String(section).replace(/s$/, '')} ${name}`;
  return rest.length === 0 ? what : `${what}: ${pathText(rest)}`;
}

/** What is known of a key and of those below it. */
type Branch = { row: KeyRow | undefined; readonly below: Map<string, Branch> };

function treeOf(rows: readonly KeyRow[]): Branch {
  const root: Branch = { row: undefined, below: new Map() };
  for (const row of rows) {
    let branch = root;
    for (const step of row.key.split('.')) {
      const next = branch.below.get(step) ?? { row: undefined, below: new Map<string, Branch>() };
      branch.below.set(step, next);
      branch = next;
    }
    branch.row = row;
  }
  return root;
}

const table = treeOf(supportRows);

type Visit = {
  readonly branch: Branch;
  readonly value: unknown;
  readonly path: readonly (string | number)[];
  readonly target: Target;
  readonly project: Project;
  readonly service: Service | null;
  readonly parent: unknown;
};

function visit(at: Visit, findings: SupportFinding[]): void {
  const { branch, value, path } = at;
  // What is looked at by its value is looked at where it says no, too, and as an item of a list where it is empty: `dns: [""]`.
  const isLookedAt = branch.row?.values !== undefined && (value === false || (value === '' && typeof path.at(-1) === 'number'));
  if (asksNothing(value) && !isLookedAt) return;
  const found = branch.row === undefined ? null : findingOf(branch.row, at);
  if (found !== null) findings.push({ path, verdict: found });
  if (found?.kind === 'refused' || found?.kind === 'unheeded' || branch.row?.[at.target].kind === 'resolved') return;
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  for (const [key, inner] of Object.entries(value)) {
    const next = branch.below.get(isList ? '[]' : key) ?? (isList || key.startsWith('x-') ? undefined : branch.below.get('*'));
    if (next === undefined) continue;
    const service = path.length === 1 && path[0] === 'services' ? (at.project.services[key] ?? null) : at.service;
    visit({ ...at, branch: next, value: inner, path: [...path, isList ? Number(key) : key], service, parent: value }, findings);
  }
}

/** null: nothing to tell. A row that settles a key for every value is a matter of the page, not of a file. */
function findingOf(row: KeyRow, at: Visit): SupportFinding['verdict'] | null {
  const fixed = row[at.target];
  if (fixed.kind === 'refused' || fixed.kind === 'unheeded') return fixed;
  if (fixed.kind === 'resolved') return null;
  const ruled = row.values?.check(at.value, { target: at.target, project: at.project, service: at.service, parent: at.parent });
  if (ruled !== undefined && ruled.kind !== 'honoured' && ruled.kind !== 'resolved') return ruled;
  return fixed.kind === 'bound' ? fixed : null;
}

function asksNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** The named services, and what they use. */
function partOf(project: Project, names: readonly string[]): Project {
  const services = Object.fromEntries(names.flatMap((name): [string, Service][] => (project.services[name] === undefined ? [] : [[name, project.services[name]]])));
  const all = Object.values(services);
  const sources = (uses: readonly { readonly source?: string }[] | undefined): string[] => (uses ?? []).flatMap((use) => use.source ?? []);
  return {
    name: project.name,
    services,
    networks: pick(project.networks, all.flatMap((service) => Object.keys(service.networks ?? {}))),
    volumes: pick(project.volumes, all.flatMap((service) => sources((service.volumes ?? []).filter((mount) => mount.type === 'volume')))),
    secrets: pick(project.secrets, all.flatMap((service) => sources(service.secrets))),
    configs: pick(project.configs, all.flatMap((service) => sources(service.configs))),
  };
}

function pick<Value>(section: Readonly<Record<string, Value>> | undefined, names: readonly string[]): Record<string, Value> {
  return Object.fromEntries([...new Set(names)].sort().flatMap((name): [string, Value][] => {
    const value = section?.[name];
    return value === undefined ? [] : [[name, value]];
  }));
}

