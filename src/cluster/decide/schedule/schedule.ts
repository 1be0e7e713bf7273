import type { Change } from '../../../model/entry.ts';
import type { NodeObject, ServiceObject, TaskObject } from '../../../model/objects.ts';
import { allOf, get, servicesOfProject, tasksOfNode, tasksOfService, type View } from '../../state/view.ts';
import { portRange } from '../allocate-ports.ts';
import { patch } from '../draft.ts';
import { isLeaving, sortTasks } from '../facts.ts';
import { namespaceServices } from '../namespaces.ts';
import { pickNode } from './pick.ts';
import type { Candidate, Demand } from './types.ts';

/**
 * Gives each task without a node one, and each of its volumes the node it will be on. A task that fits nowhere says why, and is
 * tried again at the next change. Bound: O(new tasks × nodes) and one pass over the tasks of each node.
 */
export function schedule(view: View, projectName: string): Change[] {
  const changes: Change[] = [];
  const placed = new Map<string, TaskObject[]>();
  const volumeNodes = new Map<string, string>();
  const nodes = allOf(view, 'node');
  for (const service of servicesOfProject(view, projectName)) {
    for (const task of sortTasks(tasksOfService(view, service.id))) {
      if (task.nodeId !== null || isLeaving(task)) continue;
      const demand = demandOf(view, { service, task, volumeNodes });
      const pick = pickNode(demand, nodes.map((node) => candidateOf(view, { node, service, task, placed: placed.get(node.id) ?? [] })));
      if (pick.nodeId === null) {
        const hint = pick.reasons.length === 0 ? 'no node has joined yet' : pick.reasons.join('; ');
        const error = { code: 'CLUSTER_NO_NODE', message: `${task.containerName}: ${pick.summary}`, hint };
        if (task.status.error?.message !== error.message || task.status.error.hint !== hint) changes.push(patch<'task'>(task, { status: { ...task.status, state: 'pending', error } }));
        continue;
      }
      const next: TaskObject = { ...task, nodeId: pick.nodeId, status: { ...task.status, state: 'assigned', error: null } };
      changes.push(patch<'task'>(task, next));
      placed.set(pick.nodeId, [...(placed.get(pick.nodeId) ?? []), next]);
      for (const volumeId of Object.values(service.refs.volumes)) {
        const volume = get(view, 'volume', volumeId);
        if (volume === undefined || volume.nodeId !== null || volumeNodes.has(volumeId)) continue;
        volumeNodes.set(volumeId, pick.nodeId);
        changes.push(patch<'volume'>(volume, { nodeId: pick.nodeId }));
      }
    }
  }
  return changes;
}

function demandOf(view: View, scene: { readonly service: ServiceObject; readonly task: TaskObject; readonly volumeNodes: ReadonlyMap<string, string> }): Demand {
  const { service, task, volumeNodes } = scene;
  const { deploy, platform } = service.spec;
  const reservations = deploy?.resources?.reservations;
  const [os = '', architecture = ''] = (platform ?? '').split('/');
  const volumes = Object.values(service.refs.volumes).map((id) => volumeNodes.get(id) ?? get(view, 'volume', id)?.nodeId ?? null);
  return {
    constraints: deploy?.placement?.constraints ?? [],
    spreadOver: (deploy?.placement?.preferences ?? []).map((one) => one.spread).filter((one) => one !== undefined),
    // NOTE: a foreign platform may run by emulation; Compose leaves that to the engine, and so do we on a single node.
    platforms: platform === undefined || allOf(view, 'node').length < 2 ? [] : [{ os, architecture }],
    nanoCpus: (reservations?.cpus ?? 0) * 1e9,
    memoryBytes: Number(reservations?.memory ?? 0),
    ports: fixedPorts(service),
    replicasMaxPerNode: deploy?.placement?.max_replicas_per_node ?? 0,
    nodeIds: [...volumes, ...namespaceNodes(view, service, task)].filter((id) => id !== null),
  };
}

/** A container can only join namespaces of its own node. */
function namespaceNodes(view: View, service: ServiceObject, task: TaskObject): string[] {
  const names = new Set(namespaceServices(service.spec).map((one) => one.serviceName));
  if (names.size === 0) return [];
  const owners = servicesOfProject(view, service.projectName).filter((one) => names.has(one.name)).map((one) => {
    const tasks = tasksOfService(view, one.id).filter((two) => !isLeaving(two) && two.nodeId !== null);
    return tasks.find((two) => two.slot === task.slot) ?? tasks[0];
  });
  return owners.map((owner) => owner?.nodeId ?? null).filter((id) => id !== null);
}

function fixedPorts(service: ServiceObject): string[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const range = portRange(port.published);
    return range === null || range.first !== range.last ? [] : [portText({ hostIp: port.host_ip ?? '', hostPort: range.first, protocol: port.protocol ?? 'tcp' })];
  });
}

function portText(port: { readonly hostIp: string; readonly hostPort: number; readonly protocol: string }): string {
  return `${port.hostIp === '0.0.0.0' || port.hostIp === '' ? '' : `${port.hostIp}:`}${port.hostPort}/${port.protocol}`;
}

function candidateOf(view: View, scene: { readonly node: NodeObject; readonly service: ServiceObject; readonly task: TaskObject; readonly placed: readonly TaskObject[] }): Candidate {
  const { node, service, task, placed } = scene;
  // The predecessor in its slot makes way.
  const tasks = [...tasksOfNode(view, node.id), ...placed].filter((one) => !isLeaving(one) && !(one.serviceId === service.id && one.slot === task.slot));
  let nanoCpus = node.cpuCount * 1e9;
  let memoryBytes = node.memoryBytes;
  const usedPorts = new Map<string, string>();
  for (const one of tasks) {
    const reservations = get(view, 'service', one.serviceId)?.spec.deploy?.resources?.reservations;
    nanoCpus -= (reservations?.cpus ?? 0) * 1e9;
    memoryBytes -= Number(reservations?.memory ?? 0);
    // A published port of the service's own is shared by its tasks.
    if (one.serviceId !== service.id) for (const port of one.ports) usedPorts.set(portText(port), one.containerName);
  }
  return { node, free: { nanoCpus, memoryBytes }, usedPorts, tasks: tasks.length, tasksOfService: tasks.filter((one) => one.serviceId === service.id).length, failures: 0 };
}
