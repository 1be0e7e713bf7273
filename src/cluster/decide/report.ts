import type { AgentReport } from '../../model/assignment.ts';
import type { Change } from '../../model/entry.ts';
import type { NodeObject, ObjectError, TaskObject, TaskStatus } from '../../model/objects.ts';
import { comesBackAfterReboot, restartPolicyOf } from '../restart.ts';
import { get, tasksOfNode, type View } from '../state/view.ts';
import { patch, put, remove, unstored } from './draft.ts';
import { isAlive, isLeaving } from './facts.ts';

/** What an agent tells, written into the tasks. Of tasks and volumes that are not there or not its own, nothing is taken. */
export function decideReport(view: View, report: AgentReport): Change[] {
  const changes: Change[] = [];
  for (const { taskId, status } of report.tasks) {
    const task = get(view, 'task', taskId);
    if (task === undefined || task.nodeId !== report.nodeId) continue;
    const next: TaskStatus = { ...status, error: status.error ?? waitingError(task, status) };
    // Ended with 0 by itself, and its policy leaves it down: it has done what it was for.
    const isDone = task.isDone || (task.desired === 'running' && status.desired === 'running' && status.state === 'exited' && status.exitCode === 0);
    changes.push(patch<'task'>(task, { status: next, ...(isDone && !task.isDone ? { isDone, desired: 'stopped' as const } : {}) }));
  }
  for (const id of report.removedVolumes) {
    const volume = get(view, 'volume', id);
    if (volume?.desired === 'removed') changes.push(remove(volume));
  }
  const node = get(view, 'node', report.nodeId);
  if (report.hostSubnets !== undefined && node !== undefined && !isSameList(report.hostSubnets, node.hostSubnets)) changes.push(patch<'node'>(node, { hostSubnets: report.hostSubnets }));
  return changes;
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

/** What the manager has to say of a task that waits outlives what the agent says of its preparation. */
function waitingError(task: TaskObject, status: TaskStatus): ObjectError | null {
  const { error } = task.status;
  return error?.code.startsWith('CLUSTER_') === true && status.desired !== 'running' ? error : null;
}

/** What a node says of itself; see wire/session.ts. */
export type NodeIntroduction = Pick<NodeObject, 'hostname' | 'os' | 'architecture' | 'cpuCount' | 'memoryBytes' | 'daemonVersion' | 'bootId' | 'hostSubnets'> & { readonly nodeId: string };

/**
 * A node comes, or comes back. Another boot id means that none of its processes is left: what ran and has a policy that brings it
 * back goes through its gate again, so that the order of dependencies holds after a reboot as after `up`; the rest stays down.
 */
export function decideHello(view: View, facts: NodeIntroduction): Change[] {
  const { nodeId, ...fields } = facts;
  const known = get(view, 'node', nodeId);
  const node: NodeObject = known === undefined
    ? { kind: 'node', id: nodeId, ...unstored, ...fields, status: 'ready', availability: 'active', role: 'manager', labels: {}, address: null, engineLabels: {} }
    : { ...known, ...fields, status: 'ready' };
  const changes: Change[] = known !== undefined && JSON.stringify(known) === JSON.stringify(node) ? [] : [put(node)];
  if (known !== undefined && known.bootId !== facts.bootId) for (const task of tasksOfNode(view, nodeId)) changes.push(...afterReboot(view, task));
  return changes;
}

function afterReboot(view: View, task: TaskObject): Change[] {
  if (isLeaving(task)) return [];
  const service = get(view, 'service', task.serviceId);
  const wasAlive = isAlive(task);
  // What was told before the reboot proves nothing about now.
  const status: TaskStatus = { ...task.status, state: wasAlive ? 'exited' : task.status.state, health: 'none', desired: null };
  if (task.desired !== 'running') return [patch<'task'>(task, { status })];
  // NOTE: one that was on its way up for the first time goes on: `up` is still owed.
  const comesBack = task.status.startedMs === null || (service !== undefined && comesBackAfterReboot(restartPolicyOf(service.spec), wasAlive));
  return [patch<'task'>(task, { desired: comesBack ? 'prepared' : 'stopped', status })];
}

export function decideNodeDown(view: View, nodeId: string): Change[] {
  const node = get(view, 'node', nodeId);
  return node === undefined || node.status === 'down' ? [] : [patch<'node'>(node, { status: 'down' })];
}

