import { graphOf } from '../../graph/graph.ts';
import { restartedWith, withDependencies } from '../../graph/order.ts';
import type { Project } from '../../model/project.ts';

/** Which services a command is about. */
export type Selection = {
  /** Named on the command line, or all. Sorted. */
  readonly named: readonly string[];
  /** `named` and, unless asked otherwise, all that they need. Sorted. */
  readonly all: readonly string[];
  /** Named, and not there. */
  readonly unknown: readonly string[];
};

export function select(project: Pick<Project, 'services'>, options: { readonly services: readonly string[]; readonly withDependencies: boolean }): Selection {
  const known = Object.keys(project.services).sort();
  const unknown = [...new Set(options.services)].filter((name) => !known.includes(name)).sort();
  const named = options.services.length === 0 ? known : known.filter((name) => options.services.includes(name));
  if (!options.withDependencies || options.services.length === 0) return { named, all: named, unknown };
  return { named, all: withDependencies(graphOf(project), named, { withOptional: true }), unknown };
}

/** `named` and whoever wants to be restarted with them. */
export function withRestartedDependents(project: Pick<Project, 'services'>, named: readonly string[]): string[] {
  return [...new Set([...named, ...restartedWith(graphOf(project), named)])].sort();
}
