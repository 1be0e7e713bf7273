import type { DependencyCondition, Project, Service } from '../model/project.ts';

/** Why one service needs another. */
export type DependencyReason = 'depends_on' | 'links' | 'network_mode' | 'ipc' | 'pid' | 'volumes_from';

export type Edge = {
  readonly from: string;
  readonly to: string;
  readonly reason: DependencyReason;
  readonly condition: DependencyCondition;
  readonly isRequired: boolean;
  /** `from` is restarted when `to` is replaced: it was asked for, or the two share a namespace that goes away with `to`. */
  readonly isRestarted: boolean;
};

/** The services of an application and what each needs. Names and edges are sorted. */
export type Graph = {
  readonly names: readonly string[];
  /** Edges by the service that needs another. */
  readonly needs: ReadonlyMap<string, readonly Edge[]>;
  /** The same edges by the service that is needed. */
  readonly neededBy: ReadonlyMap<string, readonly Edge[]>;
};

/**
 * Reads who needs whom: `depends_on`, and what implies it (links, shared namespaces, volumes_from).
 * Edges to services that are not in the project are left out: the loader has refused them, or they are optional.
 * Bound: O(services + edges).
 */
export function graphOf(project: Pick<Project, 'services'>): Graph {
  const names = Object.keys(project.services).sort();
  const known = new Set(names);
  const needs = new Map<string, Edge[]>(names.map((name) => [name, []]));
  const neededBy = new Map<string, Edge[]>(names.map((name) => [name, []]));
  for (const from of names) {
    const service = project.services[from];
    if (service === undefined) continue;
    for (const edge of edgesOf(from, service)) {
      if (!known.has(edge.to)) continue;
      needs.get(from)?.push(edge);
      neededBy.get(edge.to)?.push(edge);
    }
  }
  return { names, needs, neededBy };
}

function edgesOf(from: string, service: Service): Edge[] {
  const edges = new Map<string, Edge>();
  const shared = [
    { to: serviceNamed(service.network_mode), reason: 'network_mode' as const },
    { to: serviceNamed(service.ipc), reason: 'ipc' as const },
    { to: serviceNamed(service.pid), reason: 'pid' as const },
  ];
  for (const [to, dependency] of Object.entries(service.depends_on ?? {})) {
    const namespace = shared.find((one) => one.to === to);
    edges.set(to, {
      from,
      to,
      reason: 'depends_on',
      condition: dependency.condition,
      isRequired: dependency.required,
      isRestarted: dependency.restart === true || namespace !== undefined,
    });
  }
  const implied = [
    ...shared,
    ...(service.links ?? []).map((link) => ({ to: link.split(':')[0], reason: 'links' as const })),
    ...(service.volumes_from ?? []).filter((one) => !one.startsWith('container:')).map((one) => ({ to: one.split(':')[0], reason: 'volumes_from' as const })),
  ];
  for (const { to, reason } of implied) {
    if (to === undefined || edges.has(to)) continue;
    const isRestarted = reason !== 'links' && reason !== 'volumes_from';
    edges.set(to, { from, to, reason, condition: 'service_started', isRequired: true, isRestarted });
  }
  return [...edges.values()].sort((a, b) => (a.to < b.to ? -1 : 1));
}

function serviceNamed(mode: string | undefined): string | undefined {
  return mode?.startsWith('service:') === true ? mode.slice('service:'.length) : undefined;
}
