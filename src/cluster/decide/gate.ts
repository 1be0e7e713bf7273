import type { Change } from '../../model/entry.ts';
import type { ObjectError, ServiceObject, TaskObject } from '../../model/objects.ts';
import type { View } from '../state/view.ts';
import { patch } from './draft.ts';
import { isCurrent, isLeaving, projectGraph, type ProjectGraph } from './facts.ts';
import { namespaceServices } from './namespaces.ts';
import { dependencyError, verdictOf, type Verdict } from './verdict.ts';

/**
 * Lets tasks through their two gates. fetched → prepared: nothing of the predecessor is left, addresses and ports are given, and
 * the containers whose namespaces are shared are there. prepared → running: every condition of `depends_on` holds; what fails one
 * is told in the task's status and tried again when the dependency changes. All of it follows events: nothing is polled.
 */
export function gate(view: View, projectName: string): Change[] {
  const project = projectGraph(view, projectName);
  const changes: Change[] = [];
  for (const name of project.order) {
    const service = project.services.get(name);
    if (service === undefined || service.desired === 'removed') continue;
    const tasks = project.tasks.get(name) ?? [];
    const waiting = tasks.filter((task) => isCurrent(task, service) && (task.desired === 'fetched' || task.desired === 'prepared'));
    if (waiting.length === 0) continue;
    const verdict: Verdict = service.desired === 'running' ? verdictOf(project, service) : { kind: 'waits', reason: 'the service is stopped' };
    for (const task of waiting) changes.push(...passOne({ project, service, task, tasks, verdict }));
  }
  return changes;
}

type Scene = { readonly project: ProjectGraph; readonly service: ServiceObject; readonly task: TaskObject; readonly tasks: readonly TaskObject[]; readonly verdict: Verdict };

function passOne(scene: Scene): Change[] {
  const { task, service, verdict } = scene;
  let next = task;
  if (next.desired === 'fetched') {
    const joins = mayBeMade(scene);
    if (joins !== null) next = { ...next, joins, desired: service.desired === 'stopped' ? 'stopped' : 'prepared' };
  }
  if (next.desired === 'prepared' && verdict.kind === 'holds' && mayStart(next)) next = { ...next, desired: 'running' };
  const error = errorOf(next, verdict);
  if (error !== next.status.error) next = { ...next, status: { ...next.status, error } };
  return next === task ? [] : [patch<'task'>(task, next)];
}

/** The ids of the containers whose namespaces it joins, or null while something is in its way. */
function mayBeMade({ project, service, task, tasks }: Scene): readonly string[] | null {
  if (!task.isAllocated || task.nodeId === null) return null;
  // A predecessor on its way out still has the name.
  if (tasks.some((other) => other.id !== task.id && other.slot === task.slot)) return null;
  if (service.spec.container_name !== undefined && isNameHeld(project, task)) return null;
  const joins: string[] = [];
  for (const { serviceName, mustRun } of namespaceServices(service.spec)) {
    const owner = namespaceOwner(project, serviceName, task);
    if (owner === null) return null;
    const { state } = owner.status;
    const isThere = mustRun ? state === 'running' : state === 'prepared' || state === 'starting' || state === 'running' || state === 'restarting' || state === 'exited';
    if (!isThere) return null;
    joins.push(owner.containerId);
  }
  return joins;
}

/** By a container of another service, one that the file no longer has: `up --remove-orphans` after a service was renamed. */
function isNameHeld(project: ProjectGraph, task: TaskObject): boolean {
  return [...project.tasks.values()].some((tasks) => tasks.some((other) => other.id !== task.id && other.containerName === task.containerName));
}

function namespaceOwner(project: ProjectGraph, serviceName: string, task: TaskObject): TaskObject | null {
  const owners = (project.tasks.get(serviceName) ?? []).filter((one) => !isLeaving(one) && one.nodeId === task.nodeId);
  return owners.find((one) => one.slot === task.slot) ?? owners[0] ?? null;
}

/** A container that ran before is started again only once the agent has seen that this is another wish than the last. */
function mayStart(task: TaskObject): boolean {
  if (task.isDone) return false;
  return task.status.startedMs === null ? task.status.state !== 'stopping' : task.status.desired === 'prepared' && task.status.state === 'prepared';
}

function errorOf(task: TaskObject, verdict: Verdict): ObjectError | null {
  const { error } = task.status;
  const isOfGate = error?.code === 'CLUSTER_DEPENDENCY_FAILED';
  // NOTE: a successor is held back as fetched for as long as its predecessor may not go (orchestrate.ts).
  if (verdict.kind !== 'failed' || (task.desired !== 'prepared' && task.desired !== 'fetched')) return isOfGate ? null : error;
  const found = dependencyError(verdict.reason);
  return error !== null && (!isOfGate || error.message === found.message) ? error : found;
}
