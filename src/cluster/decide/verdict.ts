import type { Edge } from '../../graph/graph.ts';
import type { ObjectError, ServiceObject, TaskObject } from '../../model/objects.ts';
import { hasEnded, isAlive, isSettled, standingTasks, type ProjectGraph } from './facts.ts';

/** Whether a dependency is as its condition wants it. `failed` stands until the dependency changes. */
export type Verdict = { readonly kind: 'holds' } | { readonly kind: 'waits'; readonly reason: string } | { readonly kind: 'failed'; readonly reason: string };

const holds: Verdict = { kind: 'holds' };

/** All that a service waits for, taken together, or what of it is `among` these services: the first failure, else the first wait. */
export function verdictOf(project: ProjectGraph, service: ServiceObject, among: readonly string[] | null = null): Verdict {
  const edges = (project.graph.needs.get(service.name) ?? []).filter((edge) => among === null || among.includes(edge.to));
  const verdicts = edges.map((edge) => verdictOfEdge(project, edge));
  return verdicts.find((one) => one.kind === 'failed') ?? verdicts.find((one) => one.kind === 'waits') ?? holds;
}

export function dependenciesHold(project: ProjectGraph, service: ServiceObject): boolean {
  return verdictOf(project, service).kind === 'holds';
}

/** What a failed verdict means for those that wait. */
export function dependencyError(reason: string): ObjectError {
  return { code: 'CLUSTER_DEPENDENCY_FAILED', message: `dependency failed to start: ${reason}`, hint: 'look at what the dependency says: flotilla compose logs; it is tried again by flotilla compose up' };
}

/**
 * Source: Compose spec, depends_on. As in Compose: a dependency that is not part of the deployment (`--no-deps`), was stopped by
 * command or is scaled to nothing isn't waited for; one that isn't required is passed over when it fails.
 */
function verdictOfEdge(project: ProjectGraph, edge: Edge): Verdict {
  const dependency = project.services.get(edge.to);
  if (dependency === undefined || dependency.desired !== 'running' || dependency.replicas === 0) return holds;
  const tasks = project.tasks.get(edge.to) ?? [];
  const verdicts = standingTasks(dependency, tasks).map((task) => verdictOfTask(dependency, task, edge));
  const failed = verdicts.find((one) => one.kind === 'failed');
  if (failed !== undefined) return edge.isRequired ? failed : holds;
  if (!isSettled(dependency, tasks)) return { kind: 'waits', reason: `${edge.to} is being replaced` };
  return verdicts.find((one) => one.kind === 'waits') ?? holds;
}

function verdictOfTask(service: ServiceObject, task: TaskObject, edge: Edge): Verdict {
  const name = task.containerName;
  const { status } = task;
  if (status.state === 'rejected') return { kind: 'failed', reason: `container ${name} could not be started: ${status.error?.message ?? 'no reason was given'}` };
  if (status.error !== null && task.desired !== 'running') return { kind: 'failed', reason: `container ${name} was not started: ${status.error.message}` };
  switch (edge.condition) {
    case 'service_completed_successfully':
      return completed(task, edge.to);
    case 'service_healthy':
      return healthy(service, task);
    case 'service_started':
      return hasStarted(task) ? holds : { kind: 'waits', reason: `waits for ${name} to start` };
  }
}

function completed(task: TaskObject, serviceName: string): Verdict {
  if (task.isDone) return holds;
  if (hasEnded(task)) return task.status.exitCode === 0 ? holds : { kind: 'failed', reason: `service "${serviceName}" didn't complete successfully: exit ${task.status.exitCode ?? '?'}` };
  return { kind: 'waits', reason: `waits for ${task.containerName} to complete` };
}

function healthy(service: ServiceObject, task: TaskObject): Verdict {
  const name = task.containerName;
  if (hasEnded(task)) return { kind: 'failed', reason: `container ${name} exited (${task.status.exitCode ?? '?'})` };
  if (task.desired === 'running' && task.status.desired === 'running' && task.status.state === 'running') {
    if (task.status.health === 'healthy') return holds;
    if (task.status.health === 'unhealthy') return { kind: 'failed', reason: `container ${name} is unhealthy` };
    // An image may bring a health check of its own, so that only the agent can tell that there is none.
    if (task.status.health === 'none' && service.spec.healthcheck?.test === undefined) return { kind: 'failed', reason: `container ${name} has no healthcheck configured` };
  }
  return { kind: 'waits', reason: `waits for ${name} to be healthy` };
}

/** What has been started holds, even if it has ended since: that is another matter than being healthy. */
function hasStarted(task: TaskObject): boolean {
  return task.isDone || (task.desired === 'running' && task.status.desired === 'running' && (isAlive(task) ? task.status.state !== 'starting' : task.status.state === 'exited'));
}
