import type { AssignedTask, Assignment } from '../../model/assignment.ts';
import type { ConfigObject, NetworkObject, SecretObject, ServiceObject, TaskObject, VolumeObject } from '../../model/objects.ts';
import { allOf, get, tasksOfNode, type View } from '../state/view.ts';

/**
 * What one node is to have at this revision. Networks and volumes are those that its tasks name, so a node learns nothing of the
 * others; secrets go only to nodes that run a task with them.
 */
export function assignmentOf(view: View, nodeId: string): Assignment {
  const tasks = tasksOfNode(view, nodeId);
  const assigned = tasks.flatMap((task) => assignedTask(view, task));
  const networkIds = new Set(tasks.flatMap((task) => task.attachments.map((attachment) => attachment.networkId)));
  return {
    nodeId,
    revision: view.revision,
    tasks: assigned,
    networks: found<NetworkObject>([...networkIds].sort().map((id) => get(view, 'network', id))),
    volumes: volumesOf(view, nodeId, assigned),
  };
}

/** True when what the node is told would be another text: the revision alone is no reason to send. */
export function isSameAssignment(a: Assignment, b: Assignment): boolean {
  return (
    a.tasks.length === b.tasks.length && a.networks.length === b.networks.length && a.volumes.length === b.volumes.length &&
    a.tasks.every((one, index) => isSameTask(one, b.tasks[index])) &&
    a.networks.every((one, index) => one === b.networks[index]) &&
    a.volumes.every((one, index) => one === b.volumes[index])
  );
}

function isSameTask(a: AssignedTask, b: AssignedTask | undefined): boolean {
  return b !== undefined && isSameWish(a.task, b.task) && a.spec === b.spec && a.refs === b.refs && a.isInRotation === b.isInRotation;
}

/** Statuses go up, not down: a task that only reported is not told of it. Objects are frozen, so identity is equality. */
function isSameWish(a: TaskObject, b: TaskObject): boolean {
  return (
    a === b ||
    (a.id === b.id && a.desired === b.desired && a.restartCount === b.restartCount && a.stopGraceMs === b.stopGraceMs && a.specHash === b.specHash &&
      a.containerName === b.containerName && a.removeVolumes === b.removeVolumes && a.attachments === b.attachments && a.ports === b.ports && a.isAllocated === b.isAllocated)
  );
}

function assignedTask(view: View, task: TaskObject): AssignedTask[] {
  const service = get(view, 'service', task.serviceId);
  const project = get(view, 'project', task.projectName);
  const version = service === undefined ? null : versionOf(service, task);
  return [{
    task,
    service: { id: task.serviceId, name: task.serviceName, projectName: task.projectName, workingDir: project?.workingDir ?? '', configFiles: project?.configFiles ?? [] },
    spec: version?.spec ?? null,
    refs: version?.refs ?? null,
    secrets: found<SecretObject>(Object.values(version?.refs.secrets ?? {}).map((id) => get(view, 'secret', id))),
    configs: found<ConfigObject>(Object.values(version?.refs.configs ?? {}).map((id) => get(view, 'config', id))),
    isInRotation: task.desired === 'running',
  }];
}

function versionOf(service: ServiceObject, task: TaskObject): { readonly spec: ServiceObject['spec']; readonly refs: ServiceObject['refs'] } | null {
  if (service.specHash === task.specHash) return { spec: service.spec, refs: service.refs };
  return service.previous?.specHash === task.specHash ? { spec: service.previous.spec, refs: service.previous.refs } : null;
}

/** Those that its tasks mount, and those that it holds and is to remove. */
function volumesOf(view: View, nodeId: string, assigned: readonly AssignedTask[]): VolumeObject[] {
  const mounted = new Set(assigned.flatMap((one) => Object.values(one.refs?.volumes ?? {})));
  const leaving = allOf(view, 'volume').filter((volume) => volume.desired === 'removed' && (volume.nodeId === nodeId || volume.nodeId === null));
  return found<VolumeObject>([...new Set([...mounted, ...leaving.map((volume) => volume.id)])].sort().map((id) => get(view, 'volume', id)));
}

function found<T>(objects: readonly (T | undefined)[]): T[] {
  return objects.filter((object) => object !== undefined);
}
