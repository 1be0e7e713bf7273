import type { AppError } from '../base/app-error.ts';
import type { IpFamily } from '../base/cidr.ts';
import type { NodeNetworkState } from '../model/node-network.ts';
import { deleteFlows, listFlows } from '../os/netlink-conntrack.ts';
import type { NetlinkSocket } from '../os/netlink-socket.ts';
import { isNetworkNamespace } from '../os/netns.ts';
import type { CheckedPort, CheckedState } from './checked-state.ts';
import { buildNameTable } from './dns/name-table.ts';
import type { DnsServer } from './dns/server.ts';
import { buildElements, encodeElement } from './element-rules.ts';
import { elementKey } from './filter.ts';
import type { Filter } from './filter.ts';
import type { Forwarding } from './forwarding.ts';
import type { KernelNames } from './link-names.ts';
import { buildGateways, buildLinks, buildRoutes } from './link-rules.ts';
import type { Links } from './links.ts';
import type { PortKeeper } from './port-keeper.ts';
import { staleFlows } from './stale-flows.ts';

/** What acts for a network; `flows` is a netfilter socket. */
export type NetParts = {
  readonly names: KernelNames;
  readonly links: Links;
  readonly filter: Filter;
  readonly flows: NetlinkSocket;
  readonly forwarding: Forwarding;
  readonly ports: PortKeeper;
  readonly dns: DnsServer;
  readonly pathOf: (endpointId: string) => string;
};

/**
 * Makes the kernel equal to a state: ports held, rules, links and routes, names, in this order, so that no packet is led before
 * the rules for it are there. An endpoint without a namespace is left out.
 * Out: how many things differed, and the ports that could not be had.
 */
export async function reconcile(parts: NetParts, whole: CheckedState): Promise<{ readonly changes: number; readonly refused: readonly AppError[] }> {
  const { names, filter, forwarding, dns } = parts;
  const state = { ...whole, endpoints: whole.endpoints.filter((one) => isNetworkNamespace(parts.pathOf(one.id))) };
  const refused = parts.ports.hold(state.ports);
  const usable = withoutRefused(parts, state, refused.map((one) => one.port));
  const needed: readonly IpFamily[] = state.networks.some((one) => one.subnet6 !== null) ? [4, 6] : state.networks.length > 0 ? [4] : [];
  const guarded = await forwarding.plan(needed, filter.guardedByOthers);
  const rules = await filter.make(buildElements(usable, names, guarded));
  forwarding.open(needed);
  const linkChanges = await reconcileLinks(parts, state);
  const isStale = staleFlows([...rules.removed, ...rules.added]);
  if (isStale !== null) deleteFlows(parts.flows, listFlows(parts.flows).filter(isStale));
  dns.serve(buildNameTable(state));
  await dns.listen(buildGateways(state));
  return { changes: rules.removed.length + rules.added.length + (rules.wasMade ? 1 : 0) + linkChanges, refused: refused.map((one) => one.error) };
}

/** The endpoints of a state that have a namespace now. */
export function aliveEndpoints(parts: Pick<NetParts, 'pathOf'>, wished: NodeNetworkState): ReadonlySet<string> {
  return new Set(wished.endpoints.map((one) => one.id).filter((id) => isNetworkNamespace(parts.pathOf(id))));
}

/**
 * What the kernel is made of in a state, as a text: states of one text differ at most in names, which the kernel does not know.
 * An endpoint whose namespace comes or goes changes it.
 */
export function kernelPart(wished: NodeNetworkState, alive: ReadonlySet<string>): string {
  const endpoints = wished.endpoints
    .filter((one) => alive.has(one.id))
    .map((one) => [one.id, one.attachments.map(({ networkId, interfaceName, ip, ip6, mac, isDefaultRoute }) => [networkId, interfaceName, ip, ip6, mac, isDefaultRoute])]);
  return JSON.stringify([wished.networks, endpoints, wished.publishedPorts]);
}

/** The names of a state whose kernel part is in force. */
export function serveNames(parts: NetParts, whole: CheckedState, alive: ReadonlySet<string>): void {
  parts.dns.serve(buildNameTable({ ...whole, endpoints: whole.endpoints.filter((one) => alive.has(one.id)) }));
}

async function reconcileLinks(parts: NetParts, state: CheckedState): Promise<number> {
  const { names, links } = parts;
  const wished = buildLinks(state, names);
  const listed = links.list();
  const there = new Map(listed.filter((link) => link.name !== names.gatewayLink).map((link) => [link.name, link]));
  const complete = new Set(wished.filter((link) => isComplete(there.get(link.name), link)).map((link) => link.name));
  const surplus = [...there.values()].filter((link) => !complete.has(link.name));
  await links.remove(surplus.map((link) => link.index));
  // A namespace may have been removed while we waited: from here on nothing waits.
  const linkable = wished.filter((link) => isNetworkNamespace(parts.pathOf(link.endpointId)));
  const missing = linkable.filter((link) => !complete.has(link.name));
  const now = surplus.length + missing.length === 0 ? listed : links.make(missing, parts.pathOf);
  const made = new Set(now.map((link) => link.name));
  const routes = buildRoutes(state, linkable.filter((link) => made.has(link.name)), names);
  return surplus.length + missing.length + links.setRoutes({ routes, gateways: buildGateways(state) }, now);
}

/** A link counts when it was finished: its maker's note says all that it was made of. */
function isComplete(link: { readonly alias: string; readonly isUp: boolean } | undefined, wished: { readonly alias: string }): boolean {
  return link !== undefined && link.isUp && link.alias === wished.alias;
}

/** A refused port that the kernel leads already was ours before the daemon's restart: it goes on being led. */
function withoutRefused(parts: NetParts, state: CheckedState, refused: readonly CheckedPort[]): CheckedState {
  if (refused.length === 0) return state;
  const now = parts.filter.keysNow();
  const isLed = (port: CheckedPort): boolean => buildElements({ networks: [], endpoints: [], ports: [port] }, parts.names).every((one) => now.has(elementKey(encodeElement(one))));
  return { ...state, ports: state.ports.filter((port) => !refused.includes(port) || isLed(port)) };
}
