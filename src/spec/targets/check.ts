import type { Project } from '../../model/project.ts';
import { serviceKeys } from './service-keys.ts';
import type { KeyRow, Target, Verdict } from './target.ts';
import { topKeys } from './top-keys.ts';

/** A key of a project that a target refuses, or that ties the service to a node. */
export type TargetFinding = {
  readonly path: readonly (string | number)[];
  readonly kind: 'refused' | 'bound';
  readonly reason: string;
};

/** What is known of a key and of those below it. */
type Branch = { row: KeyRow | undefined; readonly below: Map<string, Branch> };

/**
 * Lists each key of a project that `target` would refuse, and each that ties a service to one node there.
 * A key that is absent, null, false or empty asks for nothing and is passed over.
 */
export function checkTarget(project: Project, target: Target): TargetFinding[] {
  const findings: TargetFinding[] = [];
  visit({ branch: table, value: project, path: [], target }, findings);
  for (const [name, service] of Object.entries(project.services)) {
    const replicas = service.deploy?.replicas ?? service.scale ?? 1;
    if (service.container_name !== undefined && replicas > 1) {
      findings.push({ path: ['services', name, 'container_name'], kind: 'refused', reason: `a fixed name allows one copy, and ${replicas} are asked for` });
    }
  }
  return findings;
}

/** Every row, with service keys below `services.*`. */
export function allRows(): readonly KeyRow[] {
  return [...topKeys, ...serviceKeys.map((row) => ({ ...row, key: `services.*.${row.key}` }))];
}

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

const table = treeOf(allRows());

type Visit = { readonly branch: Branch; readonly value: unknown; readonly path: readonly (string | number)[]; readonly target: Target };

function visit({ branch, value, path, target }: Visit, findings: TargetFinding[]): void {
  if (asksNothing(value) && !(value === false && branch.row?.values !== undefined)) return;
  const verdict = branch.row === undefined ? undefined : verdictOf(branch.row, value, target);
  if (verdict !== undefined && verdict.kind !== 'honoured') findings.push({ path, kind: verdict.kind, reason: verdict.reason });
  if (verdict?.kind === 'refused' || typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const isList = Array.isArray(value);
    const next = branch.below.get(isList ? '[]' : key) ?? (isList ? undefined : branch.below.get('*'));
    if (next !== undefined) visit({ branch: next, value: inner, path: [...path, isList ? Number(key) : key], target }, findings);
  }
}

function verdictOf(row: KeyRow, value: unknown, target: Target): Verdict {
  const verdict = row[target];
  if (verdict.kind !== 'honoured' || row.values === undefined) return verdict;
  return row.values.check(value, target);
}

function asksNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
