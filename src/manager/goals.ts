import { hasEnded, isAlive, isCurrent, isLeaving, isQuiet, isSettled, projectGraph, sortTasks } from '../cluster/decide/facts.ts';
import { dependencyError, verdictOf } from '../cluster/decide/verdict.ts';
import { allOf, get, networksOfProject, servicesOfProject, tasksOfService, volumesOfProject, type View } from '../cluster/state/view.ts';
import type { ObjectError, ServiceObject, TaskObject } from '../model/objects.ts';
import type { Goal } from '../model/progress.ts';

export type GoalScope = { readonly projectName: string; readonly services: readonly string[]; readonly goal: Goal };

export type GoalVerdict = { readonly kind: 'reached' } | { readonly kind: 'open' } | { readonly kind: 'failed'; readonly failures: readonly { readonly task: TaskObject; readonly error: ObjectError }[] };

/** Whether what a command waits for is there, can still come, or has failed. */
export function judgeGoal(view: View, scope: GoalScope): GoalVerdict {
  const services = servicesOfProject(view, scope.projectName).filter((one) => scope.services.includes(one.name));
  if (scope.goal === 'removed') return { kind: isRemoved(view, scope, services) ? 'reached' : 'open' };
  let isReached = true;
  const failures: { task: TaskObject; error: ObjectError }[] = [];
  for (const service of services) {
    const tasks = sortTasks(tasksOfService(view, service.id));
    if (scope.goal !== 'stopped' && (!isSettled(service, tasks) || tasks.some(isLeaving))) isReached = false;
    for (const task of tasks) {
      if (isLeaving(task)) continue;
      const error = scope.goal === 'stopped' ? null : failureOf(view, task, scope.goal);
      if (error !== null) failures.push({ task, error });
      else if (!hasReached(view, service, task, scope.goal)) isReached = false;
    }
  }
  if (failures.length > 0) return { kind: 'failed', failures };
  if (isReached && (scope.goal === 'started' || scope.goal === 'healthy')) return judgeDependencies(view, scope);
  return { kind: isReached ? 'reached' : 'open' };
}

/**
 * What runs already has its conditions too: a migration that the command runs again is waited for, and its failure is the command's,
 * though nothing was held back by it. So it is with Compose.
 */
function judgeDependencies(view: View, scope: GoalScope): GoalVerdict {
  const project = projectGraph(view, scope.projectName);
  let isReached = true;
  const failures: { task: TaskObject; error: ObjectError }[] = [];
  for (const name of scope.services) {
    const service = project.services.get(name);
    const [task] = project.tasks.get(name) ?? [];
    if (service === undefined || task === undefined) continue;
    const verdict = verdictOf(project, service, scope.services);
    if (verdict.kind === 'failed') failures.push({ task, error: dependencyError(verdict.reason) });
    if (verdict.kind === 'waits') isReached = false;
  }
  return failures.length > 0 ? { kind: 'failed', failures } : { kind: isReached ? 'reached' : 'open' };
}

function isRemoved(view: View, scope: GoalScope, services: readonly ServiceObject[]): boolean {
  // A service that is wished for again since is not waited for.
  if (services.some((one) => one.desired === 'removed' || tasksOfService(view, one.id).some(isLeaving))) return false;
  if (networksOfProject(view, scope.projectName).some((one) => one.desired === 'removed')) return false;
  return volumesOfProject(view, scope.projectName).every((one) => one.desired === 'present');
}

function hasReached(view: View, service: ServiceObject, task: TaskObject, goal: Exclude<Goal, 'removed'>): boolean {
  const { status } = task;
  const isObeyed = status.desired === task.desired;
  switch (goal) {
    case 'created':
      return isObeyed && (status.state === 'prepared' || status.state === 'exited' || isAlive(task));
    case 'started':
      return hasStarted(task);
    case 'restarted':
      return hasStarted(task) && (task.isDone || hasEnded(task) || hasRestarted(service, task));
    case 'healthy':
      return task.isDone || (isObeyed && task.desired === 'running' && status.state === 'running' && hasRestarted(service, task) && (status.health === 'none' || status.health === 'healthy'));
    case 'stopped':
      return isQuiet(view, task) || hasEnded(task);
  }
}

function hasRestarted(service: ServiceObject, task: TaskObject): boolean {
  return task.restartCount >= service.restartCount && task.status.restartCountDone >= task.restartCount;
}

function hasStarted(task: TaskObject): boolean {
  if (task.isDone) return true;
  return task.desired === 'running' && task.status.desired === 'running' && task.status.startedMs !== null && task.status.state !== 'starting' && task.status.state !== 'stopping';
}

/** What stands in a task's way for good, as far as one can know. */
export function failureOf(view: View, task: TaskObject, goal: Goal): ObjectError | null {
  const { status } = task;
  if (status.state === 'rejected') return status.error ?? { code: 'CLUSTER_TASK_FAILED', message: `container ${task.containerName} could not be made`, hint: null };
  if (status.error?.code === 'CLUSTER_NO_NODE' && !allOf(view, 'node').some((node) => node.status === 'ready')) return null;
  // What another container of the slot still holds comes free with it.
  if (status.error !== null && status.error.code.startsWith('CLUSTER_') && !isAlive(task)) return status.error;
  if (goal !== 'healthy') return null;
  if (hasEnded(task) && !task.isDone && status.exitCode !== 0) return { code: 'CLUSTER_TASK_FAILED', message: `container ${task.containerName} exited (${status.exitCode ?? '?'})`, hint: `flotilla logs ${task.containerName}` };
  if (task.desired === 'running' && status.desired === 'running' && status.state === 'running' && status.health === 'unhealthy') return { code: 'CLUSTER_TASK_FAILED', message: `container ${task.containerName} is unhealthy`, hint: `flotilla inspect ${task.containerName} shows what the health check says` };
  return null;
}

export function serviceOf(view: View, task: TaskObject): ServiceObject | undefined {
  return get(view, 'service', task.serviceId);
}

/** A predecessor is about to make way for another task of its slot. */
export function hasSuccessor(view: View, task: TaskObject): boolean {
  const service = serviceOf(view, task);
  return service !== undefined && service.desired !== 'removed' && task.slot <= service.replicas && tasksOfService(view, service.id).some((one) => one.id !== task.id && one.slot === task.slot && !isLeaving(one) && isCurrent(one, service));
}

/** Something of a predecessor is still there. */
export function sharesSlot(view: View, task: TaskObject): boolean {
  return tasksOfService(view, task.serviceId).some((one) => one.id !== task.id && one.slot === task.slot);
}
