import { parseDriverMtu } from './network-options.ts';
import type { AssignedTask, Assignment } from '../../model/assignment.ts';
import type { Attachment, Endpoint, NodeNetwork, NodeNetworkState, PublishedPort } from '../../model/node-network.ts';
import type { NetworkObject, TaskAttachment } from '../../model/objects.ts';
import type { ServiceNetwork } from '../../model/project.ts';
import { publishedIps } from '../../model/published-ips.ts';

/** What the node knows of a task beside its assignment; null where it has not begun with it. */
export type TaskFacts = { readonly isRunning: boolean; readonly isHealthy: boolean };

/** Which namespace a task's container lives in. `none` is a namespace of its own without any link. */
export function networkKind(assigned: AssignedTask): 'own' | 'host' | 'shared' | 'none' {
  const mode = assigned.spec?.network_mode;
  if (mode === 'host') return 'host';
  if (mode?.startsWith('service:') === true || mode?.startsWith('container:') === true) return 'shared';
  return mode === 'none' ? 'none' : 'own';
}

/**
 * The network of one node, whole, from what is assigned to it. Sorted by id everywhere, so equal wishes are equal texts.
 * A task is in rotation while it runs and is not unhealthy; where that leaves a service with none, all that run are, since a
 * doubtful answer is better than none.
 */
export function lowerNetwork(assignment: Assignment, facts: (taskId: string) => TaskFacts | null): NodeNetworkState {
  const own = assignment.tasks.filter((assigned) => networkKind(assigned) === 'own' || networkKind(assigned) === 'none').sort((a, b) => compare(a.task.containerId, b.task.containerId));
  const networks = new Map(assignment.networks.map((network) => [network.id, network]));
  const inRotation = rotation(own, facts);
  return {
    networks: assignment.networks.flatMap(lowerOne).sort((a, b) => compare(a.id, b.id)),
    endpoints: own.map((assigned) => lowerEndpoint(assigned, networks, inRotation.has(assigned.task.id))),
    publishedPorts: lowerPorts(own, networks, inRotation, facts),
  };
}

function lowerOne(network: NetworkObject): NodeNetwork[] {
  if (network.subnet === null || network.gateway === null) return [];
  return [{
    id: network.id, name: network.name, subnet: network.subnet, gateway: network.gateway, subnet6: network.subnet6, gateway6: network.gateway6,
    isInternal: network.isInternal, mtu: parseDriverMtu(network.options),
  }];
}

function rotation(tasks: readonly AssignedTask[], facts: (taskId: string) => TaskFacts | null): ReadonlySet<string> {
  const chosen = new Set<string>();
  const byService = new Map<string, AssignedTask[]>();
  for (const assigned of tasks) byService.set(assigned.service.id, [...(byService.get(assigned.service.id) ?? []), assigned]);
  for (const group of byService.values()) {
    const running = group.filter((one) => facts(one.task.id)?.isRunning === true);
    const healthy = running.filter((one) => one.isInRotation && facts(one.task.id)?.isHealthy === true);
    for (const one of healthy.length > 0 ? healthy : running) chosen.add(one.task.id);
  }
  return chosen;
}

function lowerEndpoint(assigned: AssignedTask, networks: ReadonlyMap<string, NetworkObject>, isInRotation: boolean): Endpoint {
  const ordered = orderedAttachments(assigned, networks);
  const gateway = defaultRoute(assigned, ordered, networks);
  const interfaceNames = interfaceNamesOf(assigned, ordered);
  return {
    id: assigned.task.containerId,
    dnsServers: assigned.spec?.dns ?? [],
    attachments: ordered.map((attachment, index) => lowerAttachment(assigned, attachment, { interfaceName: interfaceNames[index] ?? `eth${index}`, isDefaultRoute: attachment === gateway, isInRotation, network: networks.get(attachment.networkId) })),
  };
}

/** Those that the file names, and for the others the first of eth0, eth1, … that is free. */
function interfaceNamesOf(assigned: AssignedTask, ordered: readonly TaskAttachment[]): string[] {
  const taken = new Set(ordered.map((attachment) => useOf(assigned, attachment).interface_name));
  let next = 0;
  return ordered.map((attachment) => {
    const named = useOf(assigned, attachment).interface_name;
    if (named !== undefined && named !== '') return named;
    while (taken.has(`eth${next}`)) next += 1;
    next += 1;
    return `eth${next - 1}`;
  });
}

function lowerAttachment(assigned: AssignedTask, attachment: TaskAttachment, options: { readonly interfaceName: string; readonly isDefaultRoute: boolean; readonly isInRotation: boolean; readonly network: NetworkObject | undefined }): Attachment {
  const { task } = assigned;
  const names = new Set([task.serviceName, `tasks.${task.serviceName}`, task.containerName, task.containerId.slice(0, 12), ...attachment.aliases]);
  return {
    networkId: attachment.networkId,
    interfaceName: options.interfaceName,
    ip: attachment.ip,
    ip6: attachment.ip6,
    mac: attachment.mac,
    isDefaultRoute: options.isDefaultRoute,
    names: [...names].sort(),
    isInRotation: options.isInRotation,
    reverseName: `${task.containerName}.${options.network?.name ?? 'local'}`,
  };
}

/** In the order of the interfaces, which the allocator settled; a network that has no subnet yet can't be joined. */
function orderedAttachments(assigned: AssignedTask, networks: ReadonlyMap<string, NetworkObject>): readonly TaskAttachment[] {
  return assigned.task.attachments.filter((attachment) => (networks.get(attachment.networkId)?.subnet ?? null) !== null);
}

/** The network with the highest `gw_priority`; among equals one that leads out. */
function defaultRoute(assigned: AssignedTask, ordered: readonly TaskAttachment[], networks: ReadonlyMap<string, NetworkObject>): TaskAttachment | undefined {
  const isOpen = (attachment: TaskAttachment): number => (networks.get(attachment.networkId)?.isInternal === true ? 0 : 1);
  const ranked = [...ordered].sort((a, b) => (useOf(assigned, b).gw_priority ?? 0) - (useOf(assigned, a).gw_priority ?? 0) || isOpen(b) - isOpen(a));
  return ranked[0];
}

function useOf(assigned: AssignedTask, attachment: TaskAttachment): ServiceNetwork {
  for (const [key, id] of Object.entries(assigned.refs?.networks ?? {})) {
    if (id === attachment.networkId) return assigned.spec?.networks?.[key] ?? {};
  }
  return {};
}

/** A port is held from the preparation of its task on, so that a clash is known before anything starts. */
function lowerPorts(tasks: readonly AssignedTask[], networks: ReadonlyMap<string, NetworkObject>, inRotation: ReadonlySet<string>, facts: (taskId: string) => TaskFacts | null): PublishedPort[] {
  const ports = new Map<string, PublishedPort>();
  for (const assigned of tasks) {
    const isWanted = assigned.task.desired === 'running' || assigned.task.desired === 'prepared' || facts(assigned.task.id)?.isRunning === true;
    const target = openAddress(assigned, networks);
    if (!isWanted || target === null) continue;
    const hasIp6 = assigned.task.attachments.some((one) => one.ip6 !== null);
    const published = assigned.task.ports.flatMap((port) => publishedIps(port, hasIp6).map((hostIp) => ({ ...port, hostIp })));
    for (const { hostIp, hostPort, protocol, containerPort } of published) {
      const key = `${protocol} ${hostIp} ${String(hostPort).padStart(5, '0')}`;
      const known = ports.get(key) ?? { hostIp, hostPort, protocol, targets: [] };
      ports.set(key, inRotation.has(assigned.task.id) ? { ...known, targets: [...known.targets, { ip: target, port: containerPort }] } : known);
    }
  }
  return [...ports.entries()].sort((a, b) => compare(a[0], b[0])).map(([, port]) => port);
}

/** The address by which the node reaches a task: on the network of its default route. */
function openAddress(assigned: AssignedTask, networks: ReadonlyMap<string, NetworkObject>): string | null {
  return defaultRoute(assigned, orderedAttachments(assigned, networks), networks)?.ip ?? null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
