import { findCycles } from '../base/cycles.ts';
import type { Edge, Graph } from './graph.ts';

export type Ordered =
  /** Services of one level need only services of earlier levels; a level is sorted by name. */
  | { readonly ok: true; readonly levels: readonly (readonly string[])[] }
  | { readonly ok: false; readonly cycles: readonly (readonly string[])[] };

/** More circles than this are not shown. */
const cyclesMax = 20;

/** The order to start in, by levels. Bound: O(services + edges), plus sorting. */
export function startOrder(graph: Graph): Ordered {
  const missing = new Map(graph.names.map((name) => [name, graph.needs.get(name)?.length ?? 0]));
  const levels: string[][] = [];
  let level = graph.names.filter((name) => missing.get(name) === 0);
  let placed = 0;
  while (level.length > 0) {
    levels.push(level);
    placed += level.length;
    const next: string[] = [];
    for (const name of level) {
      for (const edge of graph.neededBy.get(name) ?? []) {
        const left = (missing.get(edge.from) ?? 0) - 1;
        missing.set(edge.from, left);
        if (left === 0) next.push(edge.from);
      }
    }
    level = next.sort();
  }
  return placed === graph.names.length ? { ok: true, levels } : { ok: false, cycles: cyclesOf(graph) };
}

/** The order to stop in: whoever needs a service stops before it. A graph with circles gives them all the same. */
export function stopOrder(graph: Graph): Ordered {
  const order = startOrder(graph);
  return order.ok ? { ok: true, levels: [...order.levels].reverse() } : order;
}

export function cyclesOf(graph: Graph): string[][] {
  return findCycles(new Map(graph.names.map((name) => [name, (graph.needs.get(name) ?? []).map((edge) => edge.to)])), cyclesMax);
}

/** The named services and all they need, directly or not; sorted. Optional needs are followed too if `withOptional`. */
export function withDependencies(graph: Graph, names: readonly string[], { withOptional }: { readonly withOptional: boolean }): string[] {
  return reach(names, (name) => (graph.needs.get(name) ?? []).filter((edge) => withOptional || edge.isRequired).map((edge) => edge.to));
}

/** The named services and all that need them, directly or not; sorted. */
export function withDependents(graph: Graph, names: readonly string[]): string[] {
  return reach(names, (name) => (graph.neededBy.get(name) ?? []).map((edge) => edge.from));
}

/** The services that must be restarted because the named ones are replaced; without the named ones; sorted. */
export function restartedWith(graph: Graph, names: readonly string[]): string[] {
  const given = new Set(names);
  const follow = (edges: readonly Edge[]): string[] => edges.filter((edge) => edge.isRestarted).map((edge) => edge.from);
  return reach(names, (name) => follow(graph.neededBy.get(name) ?? [])).filter((name) => !given.has(name));
}

function reach(names: readonly string[], next: (name: string) => readonly string[]): string[] {
  const seen = new Set(names);
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    for (const one of next(name)) {
      if (seen.has(one)) continue;
      seen.add(one);
      pending.push(one);
    }
  }
  return [...seen].sort();
}
