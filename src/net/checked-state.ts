import { AppError } from '../base/app-error.ts';
import { cidrHasIp, formatIp, parseCidr, parseIp } from '../base/cidr.ts';
import type { Cidr, Ip } from '../base/cidr.ts';
import type { Attachment, Endpoint, NodeNetwork, NodeNetworkState, PublishedPort } from '../model/node-network.ts';

/** The wished state with its texts read and its promises held, so that what follows need not ask again. Sorted by id. */
export type CheckedState = {
  readonly networks: readonly CheckedNetwork[];
  readonly endpoints: readonly CheckedEndpoint[];
  readonly ports: readonly CheckedPort[];
};

export type CheckedNetwork = {
  readonly id: string;
  readonly name: string;
  readonly subnet: Cidr;
  readonly gateway: Ip;
  readonly subnet6: Cidr | null;
  readonly gateway6: Ip | null;
  readonly isInternal: boolean;
  readonly mtu: number;
};

export type CheckedEndpoint = { readonly id: string; readonly attachments: readonly CheckedAttachment[]; readonly dnsServers: readonly Ip[] };

export type CheckedAttachment = {
  readonly network: CheckedNetwork;
  readonly interfaceName: string;
  readonly ip: Ip;
  readonly ip6: Ip | null;
  readonly mac: string;
  readonly isDefaultRoute: boolean;
  /** Lower case. */
  readonly names: readonly string[];
  readonly isInRotation: boolean;
  readonly reverseName: string;
};

export type CheckedPort = {
  readonly hostIp: Ip;
  readonly isAnyAddress: boolean;
  readonly hostPort: number;
  readonly protocol: 'tcp' | 'udp';
  readonly targets: readonly { readonly ip: Ip; readonly port: number }[];
};

const mtuDefault = 1500;

/** Errors: NET_BAD_STATE, naming the object. */
export function checkState(state: NodeNetworkState): CheckedState {
  const networks = sorted(state.networks, (one) => one.id).map(checkNetwork);
  const byId = new Map(networks.map((one) => [one.id, one]));
  unique(networks.map((one) => one.id), 'network');
  unique(networks.map((one) => formatIp(one.gateway)), 'gateway');
  const endpoints = sorted(state.endpoints, (one) => one.id).map((one) => checkEndpoint(one, byId));
  unique(endpoints.map((one) => one.id), 'endpoint');
  const gateways = networks.flatMap((one) => [one.gateway, ...(one.gateway6 === null ? [] : [one.gateway6])]);
  unique([...gateways, ...endpoints.flatMap((one) => one.attachments.flatMap((a) => [a.ip, ...(a.ip6 === null ? [] : [a.ip6])]))].map(formatIp), 'address');
  const ports = sorted(state.publishedPorts, portText).map(checkPort);
  unique(ports.map((one) => portName(one)), 'published port');
  return { networks, endpoints, ports };
}

/** `tcp 0.0.0.0:80`, for people. */
export function portName(port: CheckedPort): string {
  const ip = formatIp(port.hostIp);
  return `${port.protocol} ${port.hostIp.family === 6 ? `[${ip}]` : ip}:${port.hostPort}`;
}

function checkNetwork(network: NodeNetwork): CheckedNetwork {
  const what = `network ${network.name}`;
  const subnet = cidrText(network.subnet, 4, what);
  const gateway = ipText(network.gateway, what);
  if (!cidrHasIp(subnet, gateway)) throw bad(`${what}: its gateway ${network.gateway} is not in its subnet ${network.subnet}`);
  const subnet6 = network.subnet6 === null ? null : cidrText(network.subnet6, 6, what);
  const gateway6 = network.gateway6 === null ? null : ipText(network.gateway6, what);
  if ((subnet6 === null) !== (gateway6 === null)) throw bad(`${what}: an IPv6 subnet needs a gateway, and a gateway a subnet`);
  if (subnet6 !== null && gateway6 !== null && !cidrHasIp(subnet6, gateway6)) throw bad(`${what}: its gateway ${network.gateway6} is not in its subnet ${network.subnet6}`);
  return { id: network.id, name: network.name, subnet, gateway, subnet6, gateway6, isInternal: network.isInternal, mtu: whole(network.mtu ?? mtuDefault, 68, 65535, `${what}: mtu`) };
}

function checkEndpoint(endpoint: Endpoint, networks: ReadonlyMap<string, CheckedNetwork>): CheckedEndpoint {
  const what = `endpoint ${endpoint.id}`;
  const attachments = endpoint.attachments.map((one) => checkAttachment(one, networks, what));
  unique(attachments.map((one) => one.interfaceName), `${what}: interface`);
  unique(attachments.map((one) => one.network.id), `${what}: network`);
  if (attachments.filter((one) => one.isDefaultRoute).length > 1) throw bad(`${what} has two default routes`);
  return { id: endpoint.id, attachments, dnsServers: endpoint.dnsServers.map((one) => ipText(one, what)) };
}

function checkAttachment(attachment: Attachment, networks: ReadonlyMap<string, CheckedNetwork>, what: string): CheckedAttachment {
  const network = networks.get(attachment.networkId);
  if (network === undefined) throw bad(`${what} is attached to network ${attachment.networkId}, which is not in the state`);
  const ip = ipText(attachment.ip, what);
  if (!cidrHasIp(network.subnet, ip)) throw bad(`${what}: ${attachment.ip} is not in the subnet of network ${network.name}`);
  const ip6 = attachment.ip6 === null ? null : ipText(attachment.ip6, what);
  if (ip6 !== null && (network.subnet6 === null || !cidrHasIp(network.subnet6, ip6))) throw bad(`${what}: ${attachment.ip6} is not in an IPv6 subnet of network ${network.name}`);
  if (!/^[a-zA-Z0-9_.-]{1,15}$/.test(attachment.interfaceName) || attachment.interfaceName === 'lo') throw bad(`${what}: ${JSON.stringify(attachment.interfaceName)} is no name for an interface`);
  const mac = (attachment.mac ?? macOf(ip)).toLowerCase();
  if (!/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac)) throw bad(`${what}: ${JSON.stringify(attachment.mac)} is no hardware address of one interface`);
  return { network, interfaceName: attachment.interfaceName, ip, ip6, mac, isDefaultRoute: attachment.isDefaultRoute, names: attachment.names.map((one) => one.toLowerCase()), isInRotation: attachment.isInRotation, reverseName: attachment.reverseName };
}

function checkPort(port: PublishedPort): CheckedPort {
  const what = `published port ${portText(port)}`;
  const hostIp = ipText(port.hostIp, what);
  const targets = port.targets.map((one) => ({ ip: ipText(one.ip, what), port: whole(one.port, 1, 65535, what) }));
  return { hostIp, isAnyAddress: hostIp.value === 0n, hostPort: whole(port.hostPort, 1, 65535, what), protocol: port.protocol, targets };
}

/** As Docker's: 02:42 and the address, so that it stays when a container is made again with its address. */
function macOf(ip: Ip): string {
  return `02:42:${(ip.value & 0xffffffffn).toString(16).padStart(8, '0').replace(/(..)(?=.)/g, '$1:')}`;
}

function portText(port: PublishedPort): string {
  return `${port.protocol} ${port.hostIp}:${port.hostPort}`;
}

function ipText(text: string, what: string): Ip {
  const ip = parseIp(text);
  if (ip === null) throw bad(`${what}: ${JSON.stringify(text)} is no address`);
  return ip;
}

function cidrText(text: string, family: 4 | 6, what: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null || cidr.family !== family) throw bad(`${what}: ${JSON.stringify(text)} is no IPv${family} subnet`);
  return cidr;
}

function whole(value: number, min: number, max: number, what: string): number {
  if (!Number.isInteger(value) || value < min || value > max) throw bad(`${what}: ${value} is not from ${min} to ${max}`);
  return value;
}

function unique(keys: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const key of keys) {
    if (seen.has(key)) throw bad(`${what} ${key} is given twice`);
    seen.add(key);
  }
}

function sorted<T>(list: readonly T[], key: (one: T) => string): T[] {
  return [...list].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

function bad(message: string): AppError {
  return new AppError({ code: 'NET_BAD_STATE', message });
}
