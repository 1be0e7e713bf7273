import type { Project } from '../../model/project.ts';
import { keyRefusals } from '../../model/refusals.ts';
import { tiesOf } from './ties.ts';

/** Where an application can run: on one node, or on many. */
export type Target = 'laptop' | 'cluster';

/** A key that a target refuses, that has no effect there, or that ties its service to a node. */
export type TargetFinding = { readonly kind: 'refused' | 'unheeded' | 'bound'; readonly path: readonly string[]; readonly reason: string; readonly hint?: string };

/**
 * Lists each key of a project that `target` would refuse, each that has no effect, and, on a cluster, each that ties a service
 * to a node. What is refused is what a deployment refuses: both go by model/support.ts.
 */
export function checkTarget(project: Project, target: Target): TargetFinding[] {
  const names = Object.keys(project.services);
  const refusals = keyRefusals(project, names);
  if (target === 'laptop') return refusals;
  const isRefused = (path: readonly string[]): boolean => refusals.some((one) => one.kind === 'refused' && one.path.every((step, index) => path[index] === step));
  const bound = Object.entries(project.services).flatMap(([name, service]) => tiesOf(name, service)).filter((tie) => !isRefused(tie.path));
  return [...refusals, ...bound.map((tie): TargetFinding => ({ kind: 'bound', ...tie }))];
}
