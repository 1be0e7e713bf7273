import { createHash } from 'node:crypto';
import { formatIp, ipToBytes } from '../base/cidr.ts';
import type { Cidr, Ip } from '../base/cidr.ts';
import type { RouteFacts } from '../os/netlink-route.ts';
import type { CheckedAttachment, CheckedEndpoint, CheckedState } from './checked-state.ts';
import { hostLinkName, routeProtocol } from './link-names.ts';
import type { KernelNames } from './link-names.ts';

/**
 * The wished state as links, addresses and routes: what a container's veth pair is at both ends, and what the host routes.
 * Nothing on either end asks for a hardware address: the neighbours are entered once and stay.
 */
export type WishedLink = {
  /** The host's end. */
  readonly name: string;
  readonly endpointId: string;
  /** Written to the link as its alias when it is complete: a link without it, or with another, is made again. */
  readonly alias: string;
  readonly mtu: number;
  readonly innerName: string;
  readonly innerMac: Uint8Array;
  readonly paths: readonly WishedPath[];
};

/** One family of a link. */
export type WishedPath = {
  readonly ip: Ip;
  readonly gateway: Ip;
  readonly subnet: Cidr;
  readonly isDefaultRoute: boolean;
  /** The table of a link that is not the default but has a way out: what comes from its address answers by it. */
  readonly answerTable: number | null;
};

/** All host ends have one hardware address: only their own container ever sees it. */
export const hostMac: Uint8Array = Uint8Array.of(0xee, 0xee, 0xee, 0xee, 0xee, 0xee);
const mainTable = 254;
const answerTableFirst = 100;

export function buildLinks(state: CheckedState, names: KernelNames): WishedLink[] {
  return state.endpoints.flatMap((endpoint) => endpoint.attachments.map((one, index) => linkOf(endpoint, one, index, names)));
}

function linkOf(endpoint: CheckedEndpoint, one: CheckedAttachment, index: number, names: KernelNames): WishedLink {
  const answerTable = one.isDefaultRoute || one.network.isInternal ? null : answerTableFirst + index;
  const path = (ip: Ip, gateway: Ip, subnet: Cidr): WishedPath => ({ ip, gateway, subnet, isDefaultRoute: one.isDefaultRoute && !one.network.isInternal, answerTable });
  const { network } = one;
  const paths = [path(one.ip, network.gateway, network.subnet), ...(one.ip6 === null || network.gateway6 === null || network.subnet6 === null ? [] : [path(one.ip6, network.gateway6, network.subnet6)])];
  const facts = JSON.stringify([one.mac, network.mtu, paths.map((p) => [formatIp(p.ip), formatIp(p.gateway), formatIp(p.subnet), p.subnet.prefix, p.isDefaultRoute, p.answerTable])]);
  const fingerprint = createHash('sha256').update(facts).digest('hex').slice(0, 16);
  return {
    name: hostLinkName(names, endpoint.id, one.interfaceName),
    endpointId: endpoint.id,
    alias: formatAlias({ fingerprint, endpointId: endpoint.id, interfaceName: one.interfaceName }),
    mtu: network.mtu,
    innerName: one.interfaceName,
    innerMac: Buffer.from(one.mac.replaceAll(':', ''), 'hex'),
    paths,
  };
}

/** `<fingerprint> <interface> <endpoint>`: also what `ip link` shows to people. */
export function formatAlias(alias: { readonly fingerprint: string; readonly endpointId: string; readonly interfaceName: string }): string {
  return `${alias.fingerprint} ${alias.interfaceName} ${alias.endpointId}`;
}

/** The endpoint that a link was made for; null where the alias isn't ours. */
export function endpointOfAlias(alias: string): string | null {
  return /^[0-9a-f]{16} \S+ (\S+)$/.exec(alias)?.[1] ?? null;
}

/** The host's routes: one to each container's address, and none to what lies between them in the subnet. */
export type WishedRoute = { readonly key: string; readonly linkName: string | null; readonly route: Omit<RouteFacts, 'index'> };

export function buildRoutes(state: CheckedState, links: readonly WishedLink[], names: KernelNames): WishedRoute[] {
  const toLinks = links.flatMap((link) => link.paths.map((path) => wishedRoute({ ip: path.ip, prefix: path.ip.family === 4 ? 32 : 128, linkName: link.name, metric: 0 })));
  const subnets = state.networks.flatMap((one) => [one.subnet, ...(one.subnet6 === null ? [] : [one.subnet6])]);
  return [...toLinks, ...subnets.map((subnet) => wishedRoute({ ip: subnet, prefix: subnet.prefix, linkName: null, metric: names.number }))];
}

function wishedRoute(options: { readonly ip: Ip; readonly prefix: number; readonly linkName: string | null; readonly metric: number }): WishedRoute {
  const target = ipToBytes(options.ip);
  const kind = options.linkName === null ? 'unreachable' : 'unicast';
  // NOTE: IPv6 gives a route without a metric the metric 1024; it is stated so that what is read back is equal.
  const metric = options.metric === 0 && options.ip.family === 6 ? 1024 : options.metric;
  const route = { target, prefix: options.prefix, kind, gateway: null, table: mainTable, metric, protocol: routeProtocol } as const;
  return { key: routeKey({ ...route, linkName: options.linkName }), linkName: options.linkName, route };
}

export function routeKey(route: { readonly target: Uint8Array; readonly prefix: number; readonly kind: string; readonly linkName: string | null }): string {
  return `${Buffer.from(route.target).toString('hex')}/${route.prefix} ${route.kind} ${route.linkName ?? '-'}`;
}

/** The gateways' addresses, which the host answers on. */
export function buildGateways(state: CheckedState): Ip[] {
  return state.networks.flatMap((one) => [one.gateway, ...(one.gateway6 === null ? [] : [one.gateway6])]);
}
