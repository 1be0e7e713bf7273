import { filters } from './filters.ts';
import type { Candidate, Demand } from './types.ts';

export type Pick = { readonly nodeId: string } | { readonly nodeId: null; readonly summary: string; readonly reasons: readonly string[] };

/** From so many failures of the service on, a node comes after those with fewer. */
const failuresMany = 5;

/**
 * The node for one task: of those that every filter passes, the one in the emptiest branch of the spread, with the fewest tasks of
 * the service, then the fewest tasks, then the lowest id. In: candidates in any order. Bound: O(candidates × filters).
 */
export function pickNode(demand: Demand, candidates: readonly Candidate[]): Pick {
  const counts = new Map<string, number>();
  const reasons: string[] = [];
  const fitting: Candidate[] = [];
  for (const candidate of [...candidates].sort((a, b) => (a.node.id < b.node.id ? -1 : 1))) {
    const refusing = filters.map((filter) => ({ filter, reason: filter.refusal(demand, candidate) })).find((one) => one.reason !== null);
    if (refusing === undefined) {
      fitting.push(candidate);
      continue;
    }
    counts.set(refusing.filter.name, (counts.get(refusing.filter.name) ?? 0) + 1);
    reasons.push(`${candidate.node.hostname}: ${refusing.reason ?? ''}`);
  }
  const [best] = emptiestBranch(fitting, demand.spreadOver).sort(byLoad);
  if (best !== undefined) return { nodeId: best.node.id };
  const parts = filters.filter((filter) => counts.has(filter.name)).map((filter) => filter.summary(counts.get(filter.name) ?? 0));
  return { nodeId: null, summary: parts.length === 0 ? 'no suitable node' : `no suitable node (${parts.join('; ')})`, reasons };
}

function byLoad(a: Candidate, b: Candidate): number {
  const failing = (one: Candidate): number => (one.failures >= failuresMany ? one.failures : 0);
  return failing(a) - failing(b) || a.tasksOfService - b.tasksOfService || a.tasks - b.tasks || (a.node.id < b.node.id ? -1 : 1);
}

/** Level by level, the candidates that share the label value with the fewest tasks of the service. */
function emptiestBranch(candidates: readonly Candidate[], spreadOver: readonly string[]): Candidate[] {
  let left = [...candidates];
  for (const key of spreadOver) {
    const branches = new Map<string, Candidate[]>();
    for (const one of left) {
      const value = labelOf(one, key);
      branches.set(value, [...(branches.get(value) ?? []), one]);
    }
    const load = (branch: readonly Candidate[]): number => branch.reduce((sum, one) => sum + one.tasksOfService, 0);
    left = [...branches.values()].reduce<Candidate[]>((best, branch) => (best.length === 0 || load(branch) < load(best) ? branch : best), []);
  }
  return left;
}

function labelOf(candidate: Candidate, key: string): string {
  if (key.startsWith('node.labels.')) return candidate.node.labels[key.slice('node.labels.'.length)] ?? '';
  if (key.startsWith('engine.labels.')) return candidate.node.engineLabels[key.slice('engine.labels.'.length)] ?? '';
  return '';
}
