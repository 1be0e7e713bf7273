import { cidrHasIp, cidrHosts, cidrLast, cidrOverlaps, firstFreeSubnet, formatCidr, formatIp, ipAdd, parseCidr, parseIp, type Cidr, type Ip } from '../../base/cidr.ts';
import type { Change } from '../../model/entry.ts';
import type { NetworkObject, ObjectError, ServiceObject, TaskAttachment, TaskObject } from '../../model/objects.ts';
import type { ServiceNetwork } from '../../model/project.ts';
import { allOf, get, networksOfProject, servicesOfProject, tasksOfService, type View } from '../state/view.ts';
import { allocatePorts } from './allocate-ports.ts';
import { patch } from './draft.ts';
import { isCurrent, isLeaving, sortTasks } from './facts.ts';
import { networkKeysOf } from './namespaces.ts';

/** Docker's pools: sixteen networks of 65,534 addresses, then 4,096 of 254 and less. */
export const defaultPools: readonly { readonly cidr: string; readonly prefixLength: number }[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ cidr: `172.${17 + index}.0.0/16`, prefixLength: 16 })),
  { cidr: '192.168.0.0/16', prefixLength: 20 },
];

/**
 * Gives subnets to the project's networks, and addresses, names and ports to its tasks whose turn has come: the slot is theirs alone.
 * A freed address rests as long as it can: the search goes on behind the one given last. What can't be given is told in the
 * object's status, and tried again when something changes. Bound: O(networks² + addresses in use).
 */
export function allocate(view: View, projectName: string): Change[] {
  // One subnet a round: the next has to see it. What needs one gets its address when it is there.
  for (const network of networksOfProject(view, projectName)) {
    const changes = allocateSubnet(view, network);
    if (changes.length > 0) return changes;
  }
  return allocateTasks(view, projectName);
}

function allocateSubnet(view: View, network: NetworkObject): Change[] {
  if (network.subnet !== null || network.desired === 'removed') return [];
  const others = allOf(view, 'network').filter((one) => one.id !== network.id && one.subnet !== null);
  const taken = others.flatMap((one) => cidrsOf(one));
  const asked = network.ipam.find((one) => one.subnet !== null && !one.subnet.includes(':'));
  if (asked === undefined) return fromPools(view, network, taken);
  const subnet = parseCidr(asked.subnet ?? '');
  if (subnet === null) return failNetwork(network, { code: 'CLUSTER_SUBNET_INVALID', message: `network ${network.name}: ${asked.subnet ?? ''} is not a subnet`, hint: 'write it as 10.20.0.0/24' });
  const rival = others.find((one) => cidrsOf(one).some((cidr) => cidrOverlaps(cidr, subnet)));
  if (rival !== undefined) {
    return failNetwork(network, { code: 'CLUSTER_SUBNET_OVERLAP', message: `network ${network.name}: the subnet ${formatCidr(subnet)} meets ${rival.subnet ?? ''} of network ${rival.name}`, hint: 'choose another subnet, or leave it out to have a free one chosen' });
  }
  return [patch<'network'>(network, { subnet: formatCidr(subnet), gateway: asked.gateway ?? formatIp(cidrHosts(subnet).first), ...subnet6Of(network), error: null })];
}

function fromPools(view: View, network: NetworkObject, taken: readonly Cidr[]): Change[] {
  const cluster = allOf(view, 'cluster')[0];
  const hosts = allOf(view, 'node').flatMap((node) => node.hostSubnets).map(parseCidr).filter((one) => one !== null);
  for (const pool of cluster !== undefined && cluster.addressPools.length > 0 ? cluster.addressPools : defaultPools) {
    const cidr = parseCidr(pool.cidr);
    const free = cidr === null ? null : firstFreeSubnet(cidr, pool.prefixLength, [...taken, ...hosts]);
    if (free !== null) return [patch<'network'>(network, { subnet: formatCidr(free), gateway: formatIp(cidrHosts(free).first), ...subnet6Of(network), error: null })];
  }
  return failNetwork(network, { code: 'CLUSTER_POOL_EXHAUSTED', message: `network ${network.name}: no subnet is left in the address pools`, hint: 'remove networks that nobody uses, or name a subnet under `ipam`' });
}

function subnet6Of(network: NetworkObject): { readonly subnet6: string | null; readonly gateway6: string | null } {
  const asked = network.ipam.find((one) => one.subnet?.includes(':') === true);
  const subnet = parseCidr(asked?.subnet ?? (network.enableIpv6 ? uniqueLocalSubnet(network.id) : ''));
  if (subnet === null) return { subnet6: null, gateway6: null };
  return { subnet6: formatCidr(subnet), gateway6: asked?.gateway ?? formatIp(cidrHosts(subnet).first) };
}

/** A /64 of the unique local addresses (RFC 4193), made from the network's id, so that two never meet. */
function uniqueLocalSubnet(id: string): string {
  let bits = 0n;
  for (const character of id) bits = (bits * 36n + BigInt(parseInt(character, 36) || 0)) & ((1n << 56n) - 1n);
  return formatCidr({ family: 6, value: (0xfdn << 120n) | (bits << 64n), prefix: 64 });
}

function cidrsOf(network: NetworkObject): Cidr[] {
  return [network.subnet, network.subnet6].map((text) => parseCidr(text ?? '')).filter((one) => one !== null);
}

function failNetwork(network: NetworkObject, error: ObjectError): Change[] {
  return network.error?.message === error.message ? [] : [patch<'network'>(network, { error })];
}

function allocateTasks(view: View, projectName: string): Change[] {
  const changes: Change[] = [];
  const books = new Map<string, AddressBook>();
  const newPorts: TaskObject[] = [];
  const linkAliases = linkAliasesOf(servicesOfProject(view, projectName));
  for (const service of servicesOfProject(view, projectName)) {
    if (service.desired === 'removed') continue;
    const tasks = sortTasks(tasksOfService(view, service.id));
    for (const task of tasks) {
      if (task.isAllocated || task.nodeId === null || isLeaving(task) || !isCurrent(task, service)) continue;
      if (tasks.some((other) => other.id !== task.id && other.slot === task.slot)) continue;
      const given = allocateTask(view, { service, task, books, newPorts, linkAliases });
      if (given === null) continue;
      if (given.isAllocated) newPorts.push(given);
      if (given !== task) changes.push(patch<'task'>(task, given));
    }
  }
  for (const book of books.values()) if (book.cursor !== book.network.addressCursor) changes.push(patch<'network'>(book.network, { addressCursor: book.cursor }));
  return changes;
}

/** `links: db:database` makes the name for everyone on the network. Service → names. */
function linkAliasesOf(services: readonly ServiceObject[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const service of services) {
    for (const link of service.spec.links ?? []) {
      const [target = '', alias = ''] = link.split(':');
      if (alias !== '') found.set(target, [...(found.get(target) ?? []), alias]);
    }
  }
  return found;
}

/** null: it has to wait for a network. */
function allocateTask(view: View, scene: { readonly service: ServiceObject; readonly task: TaskObject; readonly books: Map<string, AddressBook>; readonly newPorts: readonly TaskObject[]; readonly linkAliases: ReadonlyMap<string, readonly string[]> }): TaskObject | null {
  const { service, task, books } = scene;
  // First what can be refused without a trace: an address that is given moves its network's cursor.
  const ports = allocatePorts(view, { service, task, newTasks: scene.newPorts });
  if (ports === null) return null;
  if ('code' in ports) return failTask(task, ports);
  const attachments: TaskAttachment[] = [];
  const undo: (() => void)[] = [];
  for (const key of networkKeysOf(service.spec)) {
    const network = get(view, 'network', service.refs.networks[key] ?? '');
    const refusal = network === undefined || network.subnet === null ? network?.error ?? 'waits' : null;
    if (network === undefined || refusal !== null) {
      for (const one of undo) one();
      return refusal === null || refusal === 'waits' ? null : failTask(task, refusal);
    }
    const book = books.get(network.id) ?? openBook(view, network);
    books.set(network.id, book);
    const { cursor } = book;
    const given = attach({ book, service, task, wish: service.spec.networks?.[key] ?? null, isFirst: attachments.length === 0, linkAliases: scene.linkAliases });
    undo.push(() => {
      book.cursor = cursor;
      if ('code' in given) return;
      book.used.delete(given.ip);
      if (given.ip6 !== null) book.used6.delete(given.ip6);
    });
    if ('code' in given) {
      for (const one of undo.reverse()) one();
      return failTask(task, given);
    }
    attachments.push(given);
  }
  const error = task.status.error !== null && isOfAllocation(task.status.error) ? null : task.status.error;
  return { ...task, attachments, ports, isAllocated: true, status: { ...task.status, error } };
}

function isOfAllocation(error: ObjectError): boolean {
  return error.code.startsWith('CLUSTER_') && error.code !== 'CLUSTER_DEPENDENCY_FAILED';
}

function failTask(task: TaskObject, error: ObjectError): TaskObject {
  return task.status.error?.message === error.message ? task : { ...task, status: { ...task.status, error } };
}

/** A network's addresses while they are given out. */
type AddressBook = { readonly network: NetworkObject; readonly subnet: Cidr; readonly range: { readonly first: bigint; readonly last: bigint }; readonly used: Map<string, string>; readonly used6: Map<string, string>; cursor: string | null };

function openBook(view: View, network: NetworkObject): AddressBook {
  const subnet = parseCidr(network.subnet ?? '') ?? { family: 4, value: 0n, prefix: 32 };
  const used = new Map<string, string>([[network.gateway ?? '', 'the gateway']]);
  const used6 = new Map<string, string>([[network.gateway6 ?? '', 'the gateway']]);
  for (const pool of network.ipam) {
    for (const [name, address] of Object.entries(pool.auxAddresses)) {
      const ip = parseIp(address);
      if (ip !== null) (ip.family === 4 ? used : used6).set(formatIp(ip), `aux address ${name}`);
    }
  }
  for (const task of allOf(view, 'task')) {
    for (const one of task.attachments) {
      if (one.networkId !== network.id) continue;
      used.set(one.ip, task.containerName);
      if (one.ip6 !== null) used6.set(one.ip6, task.containerName);
    }
  }
  const asked = parseCidr(network.ipam.find((one) => one.ipRange !== null && !one.ipRange.includes(':'))?.ipRange ?? '');
  const hosts = cidrHosts(subnet);
  const first = asked === null || asked.value < hosts.first.value ? hosts.first.value : asked.value;
  const last = asked === null || cidrLast(asked).value > hosts.last.value ? hosts.last.value : cidrLast(asked).value;
  return { network, subnet, range: { first, last }, used, used6, cursor: network.addressCursor };
}

function attach(scene: { readonly book: AddressBook; readonly service: ServiceObject; readonly task: TaskObject; readonly wish: ServiceNetwork | null; readonly isFirst: boolean; readonly linkAliases: ReadonlyMap<string, readonly string[]> }): TaskAttachment | ObjectError {
  const { book, task, wish } = scene;
  const ip = wish?.ipv4_address === undefined ? (inheritedAddress(book, task) ?? nextAddress(book)) : staticAddress(book, wish.ipv4_address, book.subnet, book.used);
  if (typeof ip !== 'string') return ip;
  book.used.set(ip, task.containerName);
  const ip6 = ip6For(book, wish, ip);
  if (ip6 !== null && typeof ip6 !== 'string') return ip6;
  if (ip6 !== null) book.used6.set(ip6, task.containerName);
  // The service's own address is that of its first link.
  const mac = wish?.mac_address ?? (scene.isFirst ? scene.service.spec.mac_address : undefined) ?? null;
  return { networkId: book.network.id, ip, ip6, mac, aliases: namesOf(scene, wish) };
}

/** The names a container answers to on a network. Source: what Compose and the engine give together: service, container, aliases, host name, short id. */
function namesOf({ service, task, linkAliases }: { readonly service: ServiceObject; readonly task: TaskObject; readonly linkAliases: ReadonlyMap<string, readonly string[]> }, wish: ServiceNetwork | null): string[] {
  const names = [task.containerName, service.name, ...(wish?.aliases ?? []), ...(linkAliases.get(service.name) ?? []), task.containerId.slice(0, 12), ...(service.spec.hostname === undefined ? [] : [service.spec.hostname])];
  return [...new Set(names)];
}

/** The predecessor's address, unless somebody has taken it since or the network is another one. */
function inheritedAddress(book: AddressBook, task: TaskObject): string | null {
  const text = task.inheritedIps[book.network.id];
  const ip = parseIp(text ?? '');
  return text !== undefined && ip !== null && cidrHasIp(book.subnet, ip) && !book.used.has(text) ? text : null;
}

function nextAddress(book: AddressBook): string | ObjectError {
  const cursor = parseIp(book.cursor ?? '');
  const { first, last } = book.range;
  const start = cursor === null || cursor.value < first || cursor.value >= last ? first : cursor.value + 1n;
  const size = last - first + 1n;
  // As many tries as there are addresses in use, and one more, find a free one if there is one.
  const tries = BigInt(book.used.size) + 1n < size ? BigInt(book.used.size) + 1n : size;
  for (let step = 0n; step < tries; step += 1n) {
    const ip = formatIp({ family: 4, value: first + ((start - first + step) % size) });
    if (!book.used.has(ip)) {
      book.cursor = ip;
      return ip;
    }
  }
  return { code: 'CLUSTER_POOL_EXHAUSTED', message: `network ${book.network.name}: every address of ${book.network.subnet ?? ''} is in use`, hint: 'give the network a larger subnet under `ipam`' };
}

function staticAddress(book: AddressBook, text: string, subnet: Cidr | null, used: ReadonlyMap<string, string>): string | ObjectError {
  const ip = parseIp(text);
  if (ip === null || subnet === null || !cidrHasIp(subnet, ip)) {
    return { code: 'CLUSTER_ADDRESS_INVALID', message: `network ${book.network.name}: ${text} is not an address of ${subnet === null ? 'it' : formatCidr(subnet)}`, hint: 'name the subnet under `ipam`, and an address of it' };
  }
  const holder = used.get(formatIp(ip));
  if (holder !== undefined) return { code: 'CLUSTER_ADDRESS_IN_USE', message: `network ${book.network.name}: ${text} belongs to ${holder}`, hint: 'choose another address, or remove what has it' };
  return formatIp(ip);
}

/** The last 32 bits of the IPv4 address below the network's prefix: unique because that one is. */
function ip6For(book: AddressBook, wish: ServiceNetwork | null, ip: string): string | ObjectError | null {
  const subnet = parseCidr(book.network.subnet6 ?? '');
  if (wish?.ipv6_address !== undefined) return staticAddress(book, wish.ipv6_address, subnet, book.used6);
  if (subnet === null) return null;
  const low: Ip | null = parseIp(ip);
  const found = formatIp(ipAdd({ family: 6, value: subnet.value }, low?.value ?? 0n));
  return book.used6.has(found) ? formatIp(ipAdd({ family: 6, value: subnet.value }, (1n << 32n) + (low?.value ?? 0n))) : found;
}
