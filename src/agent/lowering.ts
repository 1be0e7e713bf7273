import { networkKind } from '../cluster/lower/network.ts';
import { lowerContainer } from '../cluster/lower/container.ts';
import type { AssignedTask, Assignment } from '../model/assignment.ts';
import type { ContainerSpec, InjectedFile } from '../model/container-spec.ts';
import { buildHostsFile } from '../net/dns/hosts-file.ts';
import { buildResolvConf } from '../net/dns/resolv-conf.ts';

/** What a container needs to know of the node and of its neighbours when its spec is made. */
export type LoweringContext = {
  readonly assignment: Assignment;
  /** Where the container's network namespace is; null: the host's. */
  readonly networkPath: string | null;
  readonly hostname: string;
  readonly hostResolvConf: string;
  readonly hostsFileOfHost: string;
};

/** The spec of a task's container, with the files that say who and where it is: /etc/hosts, /etc/hostname, /etc/resolv.conf. */
export function containerSpecOf(assigned: AssignedTask, context: LoweringContext): ContainerSpec | null {
  const { spec } = assigned;
  if (spec === null) return null;
  const neighbour = (choice: string): AssignedTask | undefined => findNeighbour(assigned, choice, context.assignment);
  const kind = networkKind(assigned);
  const shared = kind === 'shared' ? neighbour(spec.network_mode ?? '') : undefined;
  const lowered = lowerContainer(assigned, spec, {
    networkPath: context.networkPath,
    containerIdOf: (choice) => neighbour(choice)?.task.containerId ?? null,
    volumeName: (id) => context.assignment.volumes.find((volume) => volume.id === id)?.name ?? null,
  });
  return { ...lowered, files: [...nameFiles(shared ?? assigned, lowered, kind === 'host', context), ...lowered.files] };
}

/** Whose network namespace a task's container is in: its own, a neighbour's, or null for the host's. */
export function namespaceOwner(assigned: AssignedTask, assignment: Assignment): AssignedTask | null {
  const kind = networkKind(assigned);
  if (kind === 'host') return null;
  return kind === 'shared' ? (findNeighbour(assigned, assigned.spec?.network_mode ?? '', assignment) ?? assigned) : assigned;
}

/** `service:x`: the first task of that service of the project; `container:x`: the task whose container has that name or id. */
function findNeighbour(assigned: AssignedTask, choice: string, assignment: Assignment): AssignedTask | undefined {
  const [kind = '', name = ''] = choice.split(/:(.*)/s);
  if (kind === 'service') {
    const tasks = assignment.tasks.filter((one) => one.service.projectName === assigned.service.projectName && one.service.name === name && one.task.desired !== 'removed').sort((a, b) => a.task.slot - b.task.slot);
    // Which one was decided at the gate; while one replaces another, both are here.
    return tasks.find((one) => assigned.task.joins.includes(one.task.containerId)) ?? tasks[0];
  }
  return assignment.tasks.find((one) => one.task.containerName === name || one.task.containerId === name);
}

function nameFiles(networked: AssignedTask, lowered: ContainerSpec, isHost: boolean, context: LoweringContext): InjectedFile[] {
  const spec = networked.spec;
  const { task } = networked;
  const hostname = lowered.hostname ?? context.hostname;
  const gateways = task.attachments.flatMap((one) => {
    const gateway = context.assignment.networks.find((network) => network.id === one.networkId)?.gateway;
    return gateway === undefined || gateway === null ? [] : [gateway];
  });
  const extraHosts = (spec?.extra_hosts ?? []).map((text) => {
    const cut = text.indexOf('=');
    return { name: text.slice(0, cut), ip: text.slice(cut + 1) };
  });
  // Without a network of its own there is no server of ours to ask: the host's stand, or those that the file names.
  const own = spec?.dns ?? [];
  const resolvConf =
    isHost || gateways.length === 0
      ? own.length === 0 && spec?.dns_search === undefined && spec?.dns_opt === undefined
        ? context.hostResolvConf
        : buildResolvConf({ nameservers: own, hostText: context.hostResolvConf, dnsSearch: spec?.dns_search ?? null, dnsOptions: spec?.dns_opt ?? null })
      : buildResolvConf({ nameservers: gateways.slice(0, 1), hostText: context.hostResolvConf, dnsSearch: spec?.dns_search ?? null, dnsOptions: spec?.dns_opt ?? null });
  const hosts = isHost && extraHosts.length === 0 ? context.hostsFileOfHost : buildHostsFile({ extraHosts, hostGateway: gateways[0] ?? '127.0.0.1', hostname, domainname: lowered.domainname, ips: task.attachments.map((one) => one.ip) });
  return [textFile('/etc/hosts', hosts), textFile('/etc/hostname', `${hostname}\n`), textFile('/etc/resolv.conf', resolvConf)];
}

function textFile(target: string, text: string): InjectedFile {
  return { target, content: new TextEncoder().encode(text), uid: 0, gid: 0, mode: 0o644, isSecret: false, readOnly: false };
}
