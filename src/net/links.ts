import { AppError } from '../base/app-error.ts';
import { cidrHasIp, formatIp, ipFromBytes, ipToBytes } from '../base/cidr.ts';
import type { Cidr, Ip } from '../base/cidr.ts';
import { errnoName } from '../os/libc.ts';
import type { NetlinkMessage } from '../os/netlink-message.ts';
import { aliasLink, delAddress, delLinkGroup, delRoute, getAddresses, getLinks, getRoutes, groupLink, ipv4Setting, newAddress, newLink, newNeighbour, newRoute, newVeth, readAddress, readLink, readLinkName, readRoute, setLinkFamilies, upLink } from '../os/netlink-route.ts';
import type { LinkFacts, RouteFacts } from '../os/netlink-route.ts';
import { netlinkFamily, openNetlink } from '../os/netlink-socket.ts';
import type { NetlinkSocket } from '../os/netlink-socket.ts';
import { inNetworkNamespace, openNamespace } from '../os/netns.ts';
import { readSysctl } from '../os/sysctl.ts';
import { configureInside } from './inner-links.ts';
import { routeProtocol } from './link-names.ts';
import type { KernelNames } from './link-names.ts';
import { hostMac, routeKey } from './link-rules.ts';
import type { WishedLink, WishedRoute } from './link-rules.ts';

/** Links, addresses and routes of the host, made equal to what is wished. One synchronous stretch, removals apart. */
export type Links = {
  /** Our links as the kernel has them, that of the gateways among them. */
  readonly list: () => readonly LinkFacts[];
  /** Makes links that are not there. Out: all of ours, now. */
  readonly make: (wished: readonly WishedLink[], namespacePath: (endpointId: string) => string) => readonly LinkFacts[];
  /** Addresses of the gateways and routes; in: our links as they are now. Out: how many were missing or too many. */
  readonly setRoutes: (wished: { readonly routes: readonly WishedRoute[]; readonly gateways: readonly Ip[] }, links: readonly LinkFacts[]) => number;
  /** Removes links by index; those that have gone already are no error. */
  readonly remove: (indexes: readonly number[]) => Promise<void>;
  readonly purge: () => Promise<void>;
  /** Networks that the host reaches by other ways than ours, `10.0.0.0/8`, for whoever gives out subnets. */
  readonly foreignSubnets: () => string[];
  readonly close: () => void;
};

const errno = { enoent: 2, esrch: 3, enodev: 19, eopnotsupp: 95 } as const;
/** Every link has addresses of it, and no network of ours. */
const linkLocal: Cidr = { family: 6, value: 0xfe80n << 112n, prefix: 10 };
const gone: readonly number[] = [errno.enoent, errno.esrch, errno.enodev];

export function createLinks(names: KernelNames): Links {
  const socket = openNetlink(netlinkFamily.route);
  const slowSocket = openNetlink(netlinkFamily.route);
  const hasIpv6 = readSysctl('net/ipv6/conf/default/forwarding') !== null;
  const list = (): LinkFacts[] => socket.dump(getLinks()).filter((reply) => readLinkName(reply).startsWith(names.linkPrefix)).map(readLink);

  // One removal after the other: two answers on one socket would be taken for each other's.
  let removing: Promise<unknown> = Promise.resolve();
  const remove = (indexes: readonly number[]): Promise<void> => {
    if (indexes.length === 0) return Promise.resolve();
    const done = removing.then(() => removeNow(indexes));
    removing = done.catch(() => undefined);
    return done;
  };
  const removeNow = async (indexes: readonly number[]): Promise<void> => {
    mustAll(socket, indexes.map((index) => groupLink(index, names.number)), gone);
    const messages = [delLinkGroup(names.number)];
    const [answer] = await slowSocket.requestSlow(messages);
    if (answer !== undefined && answer.errno !== 0 && !gone.includes(answer.errno)) throw refused('links could not be removed', answer);
  };

  return {
    list,
    make: (wished, namespacePath) => {
      createPairs(socket, wished, namespacePath);
      for (const [endpointId, links] of Map.groupBy(wished, (link) => link.endpointId)) {
        inNetworkNamespace(namespacePath(endpointId), () => configureInside(links));
      }
      const links = list();
      const indexes = new Map(links.map((link) => [link.name, link.index]));
      finishHostEnds(socket, wished.map((link) => ({ link, index: indexes.get(link.name) ?? 0 })), hasIpv6);
      return links;
    },
    setRoutes: (wished, links) =>
      setGateways(socket, ensureGatewayLink(socket, { names, links, isWanted: wished.gateways.length > 0, hasIpv6 }), wished.gateways) + setRoutes(socket, wished.routes, links, names),
    remove,
    purge: async () => {
      const links = list();
      setRoutes(socket, [], links, names);
      await remove(links.map((link) => link.index));
    },
    foreignSubnets: () => foreignSubnets(socket, list(), names),
    close: () => {
      socket.close();
      slowSocket.close();
    },
  };
}

/** All pairs in one message; the far ends are born inside their namespaces, with their final names. */
function createPairs(socket: NetlinkSocket, wished: readonly WishedLink[], namespacePath: (endpointId: string) => string): void {
  using namespaces = new DisposableStack();
  const fds = new Map<string, number>();
  for (const { endpointId } of wished) {
    if (fds.has(endpointId)) continue;
    const namespace = openNamespace(namespacePath(endpointId));
    namespaces.use(namespace);
    fds.set(endpointId, namespace.fd);
  }
  const messages = wished.map((link) =>
    newVeth({ name: link.name, mac: hostMac, mtu: link.mtu, peer: { name: link.innerName, mac: link.innerMac, namespaceFd: fds.get(link.endpointId) ?? -1 } }),
  );
  for (const [i, answer] of socket.request(messages).entries()) {
    const link = wished[i];
    if (answer.errno !== 0 && link !== undefined) throw refused(`the link ${link.innerName} of ${link.endpointId} could not be made`, answer);
  }
}

/** Settings, up, neighbours, then the alias: what makes a link count as complete comes last. */
function finishHostEnds(socket: NetlinkSocket, ends: readonly { readonly link: WishedLink; readonly index: number }[], hasIpv6: boolean): void {
  const ipv4 = [
    { setting: ipv4Setting.routeLocalnet, value: 1 },
    { setting: ipv4Setting.forwarding, value: 1 },
    { setting: ipv4Setting.rpFilter, value: 0 },
    { setting: ipv4Setting.sendRedirects, value: 0 },
  ];
  mustAll(socket, [
    ...ends.map(({ index }) => setLinkFamilies({ index, ipv4, hasNoLinkLocal: hasIpv6 })),
    ...ends.map(({ index }) => upLink(index)),
    ...ends.flatMap(({ link, index }) => link.paths.map((path) => newNeighbour({ index, ip: ipToBytes(path.ip), mac: link.innerMac }))),
    ...ends.map(({ link, index }) => aliasLink(index, link.alias)),
  ], []);
}

/** A link without a wire that carries the gateways' addresses. Out: its index, null where there is none and none is wanted. */
function ensureGatewayLink(socket: NetlinkSocket, options: { readonly names: KernelNames; readonly links: readonly LinkFacts[]; readonly isWanted: boolean; readonly hasIpv6: boolean }): number | null {
  const { names, links, isWanted, hasIpv6 } = options;
  const there = links.find((link) => link.name === names.gatewayLink);
  if (there !== undefined || !isWanted) return there?.index ?? null;
  const [answer] = socket.request([newLink({ name: names.gatewayLink, kind: 'dummy' })]);
  // Some kernels come without dummy links: a bridge without ports is as good.
  if (answer?.errno === errno.eopnotsupp) mustAll(socket, [newLink({ name: names.gatewayLink, kind: 'bridge' })], []);
  else if (answer !== undefined && answer.errno !== 0) throw refused('the link of the gateways could not be made', answer);
  const made = socket.dump(getLinks()).filter((reply) => readLinkName(reply) === names.gatewayLink).map(readLink)[0];
  if (made === undefined) throw new AppError({ code: 'NET_LINK', message: `the link ${names.gatewayLink} vanished as soon as it was made` });
  mustAll(socket, [setLinkFamilies({ index: made.index, ipv4: [], hasNoLinkLocal: hasIpv6 }), upLink(made.index)], []);
  return made.index;
}

function setGateways(socket: NetlinkSocket, index: number | null, gateways: readonly Ip[]): number {
  if (index === null) return 0;
  const wished = new Map(gateways.map((ip) => [formatIp(ip), ip]));
  const there = new Map(
    socket.dump(getAddresses()).map(readAddress).filter((one) => one.index === index).flatMap((one) => {
      const ip = ipFromBytes(one.ip);
      return ip === null ? [] : [[formatIp(ip), one]];
    }),
  );
  const surplus = [...there].filter(([text]) => !wished.has(text)).map(([, one]) => delAddress(one));
  const missing = [...wished].filter(([text]) => !there.has(text)).map(([, ip]) => newAddress({ index, ip: ipToBytes(ip), prefix: ip.family === 4 ? 32 : 128 }));
  mustAll(socket, surplus, [...gone, 99]);
  mustAll(socket, missing, []);
  return surplus.length + missing.length;
}

function setRoutes(socket: NetlinkSocket, wished: readonly WishedRoute[], links: readonly LinkFacts[], names: KernelNames): number {
  const nameOf = new Map(links.map((link) => [link.index, link.name]));
  const indexOf = new Map(links.map((link) => [link.name, link.index]));
  const isOurs = (route: RouteFacts): boolean => (route.index !== null && nameOf.has(route.index)) || (route.kind === 'unreachable' && route.metric === names.number);
  const there = new Map(
    ([4, 6] as const)
      .flatMap((family) => dumpRoutes(socket, family, routeProtocol))
      .filter(isOurs)
      // NOTE: the kernel shows an unreachable route of IPv6 with the loopback link.
      .map((route) => [routeKey({ ...route, linkName: route.kind === 'unreachable' ? null : (nameOf.get(route.index ?? 0) ?? null) }), route]),
  );
  const wishedKeys = new Set(wished.map((one) => one.key));
  const surplus = [...there].filter(([key]) => !wishedKeys.has(key)).map(([, route]) => delRoute(route.kind === 'unreachable' ? { ...route, index: null } : route));
  const missing = wished
    .filter((one) => !there.has(one.key))
    .map((one) => newRoute({ ...one.route, index: one.linkName === null ? null : (indexOf.get(one.linkName) ?? 0), source: null }));
  mustAll(socket, surplus, gone);
  mustAll(socket, missing, []);
  return surplus.length + missing.length;
}

function dumpRoutes(socket: NetlinkSocket, family: 4 | 6, protocol: number): RouteFacts[] {
  return socket.dump(getRoutes({ family, protocol })).map(readRoute).filter((route) => protocol === 0 || route.protocol === protocol);
}

/** Ways to networks that are not ours; those of another instance on this host count, and so do subnets it keeps unreachable. */
function foreignSubnets(socket: NetlinkSocket, links: readonly LinkFacts[], names: KernelNames): string[] {
  const own = new Set(links.map((link) => link.index));
  const found = ([4, 6] as const).flatMap((family) => dumpRoutes(socket, family, 0)).flatMap((route) => {
    const ip = ipFromBytes(route.target);
    const isKept = route.kind === 'unreachable' && route.protocol === routeProtocol && route.metric !== names.number;
    const isWay = route.kind === 'unicast' && (route.index === null || !own.has(route.index));
    return ip === null || route.prefix === 0 || cidrHasIp(linkLocal, ip) || !(isKept || isWay) ? [] : [`${formatIp(ip)}/${route.prefix}`];
  });
  return [...new Set(found)].sort();
}

function mustAll(socket: NetlinkSocket, messages: readonly NetlinkMessage[], tolerated: readonly number[]): void {
  for (const answer of socket.request(messages)) {
    if (answer.errno !== 0 && !tolerated.includes(answer.errno)) throw refused('the kernel refused a change of links or routes', answer);
  }
}

function refused(what: string, answer: { readonly errno: number; readonly text: string }): AppError {
  return new AppError({ code: 'NET_LINK', message: `${what}: ${errnoName(answer.errno)}${answer.text === '' ? '' : ` (${answer.text})`}` });
}
