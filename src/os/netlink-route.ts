import { attribute, decodeAttributes, findAttribute, nestedAttribute, netlinkFlags, textAttribute, textOf, u32Attribute, u8Attribute } from './netlink-message.ts';
import type { NetlinkMessage, NetlinkReply } from './netlink-message.ts';

/** The messages of rtnetlink that Flotilla uses, as pure builders and readers. Source: rtnetlink(7), linux/if_link.h, linux/rtnetlink.h. */

const type = { newLink: 16, delLink: 17, getLink: 18, newAddress: 20, delAddress: 21, getAddress: 22, newRoute: 24, delRoute: 25, getRoute: 26, newNeighbour: 28, getNeighbour: 30, newRule: 32 } as const;
const link = { address: 1, name: 3, mtu: 4, linkInfo: 18, alias: 20, afSpec: 26, group: 27, namespaceFd: 28, extMask: 29 } as const;
const { request, ack, create, exclusive, replace } = netlinkFlags;
const afInet = 2;
const afInet6 = 10;
const iffUp = 1;
const skipStats = 8;

export type Mac = Uint8Array;
export type LinkFacts = { readonly index: number; readonly name: string; readonly kind: string; readonly alias: string; readonly isUp: boolean; readonly mac: string; readonly mtu: number };

/** A pair of links, the far one born in another namespace under its final name. Its index is the kernel's choice. */
export function newVeth(options: {
  readonly name: string;
  readonly mac: Mac;
  readonly mtu: number;
  readonly peer: { readonly name: string; readonly mac: Mac; readonly namespaceFd: number };
}): NetlinkMessage {
  const { peer } = options;
  const peerInfo = Buffer.concat([
    // NOTE: it can't be born up: a veth refuses that until both its ends exist.
    linkHeader({}),
    textAttribute(link.name, peer.name),
    attribute(link.address, peer.mac),
    u32Attribute(link.mtu, options.mtu),
    u32Attribute(link.namespaceFd, peer.namespaceFd),
  ]);
  const info = nestedAttribute(link.linkInfo, [textAttribute(1, 'veth'), nestedAttribute(2, [attribute(1 | 0x8000, peerInfo)])]);
  return linkMessage(type.newLink, request | ack | create | exclusive, {}, [
    textAttribute(link.name, options.name), attribute(link.address, options.mac), u32Attribute(link.mtu, options.mtu), info,
  ]);
}

/** A link of a simple kind: `dummy`, `bridge`. */
export function newLink(options: { readonly name: string; readonly kind: string }): NetlinkMessage {
  return linkMessage(type.newLink, request | ack | create | exclusive, {}, [textAttribute(link.name, options.name), nestedAttribute(link.linkInfo, [textAttribute(1, options.kind)])]);
}

/** IPv4 settings by their number in linux/ip.h, as /proc/sys/net/ipv4/conf/<link>/…, set without a file. */
export const ipv4Setting = { forwarding: 1, proxyArp: 3, sendRedirects: 6, rpFilter: 8, routeLocalnet: 26 } as const;

export function upLink(index: number): NetlinkMessage {
  return linkMessage(type.newLink, request | ack, { index, flags: iffUp }, []);
}

/** NOTE: in one message with `up` the kernel would bring the link up first, with the link-local address that is not wanted. */
export function setLinkFamilies(options: { readonly index: number; readonly ipv4: readonly { readonly setting: number; readonly value: number }[]; readonly hasNoLinkLocal: boolean }): NetlinkMessage {
  const families: Buffer[] = [];
  if (options.ipv4.length > 0) families.push(nestedAttribute(afInet, [nestedAttribute(1, options.ipv4.map((one) => u32Attribute(one.setting, one.value)))]));
  // Address generation mode 1: no link-local address, so no multicast reports and no router solicitation either.
  if (options.hasNoLinkLocal) families.push(nestedAttribute(afInet6, [u8Attribute(8, 1)]));
  return linkMessage(type.newLink, request | ack, { index: options.index }, [nestedAttribute(link.afSpec, families)]);
}

/** The alias is where a link's maker may leave a note: at most 255 bytes. */
export function aliasLink(index: number, alias: string): NetlinkMessage {
  return linkMessage(type.newLink, request | ack, { index }, [attribute(link.alias, Buffer.from(alias))]);
}

export function groupLink(index: number, group: number): NetlinkMessage {
  return linkMessage(type.newLink, request | ack, { index }, [u32Attribute(link.group, group)]);
}

/** Removes all links of a group: the kernel waits once for all of them. */
export function delLinkGroup(group: number): NetlinkMessage {
  return linkMessage(type.delLink, request | ack, {}, [u32Attribute(link.group, group)]);
}

export function delLink(index: number): NetlinkMessage {
  return linkMessage(type.delLink, request | ack, { index }, []);
}

export function getLinks(): NetlinkMessage {
  return linkMessage(type.getLink, request, {}, [u32Attribute(link.extMask, skipStats)]);
}

export function readLink(reply: NetlinkReply): LinkFacts {
  const of = (type: number): Buffer | undefined => findAttribute(reply.payload, type, 16);
  const info = of(link.linkInfo);
  return {
    index: reply.payload.readInt32LE(4),
    isUp: (reply.payload.readUInt32LE(8) & iffUp) !== 0,
    name: textOf(of(link.name)),
    alias: textOf(of(link.alias)),
    kind: info === undefined ? '' : textOf(findAttribute(info, 1, 0)),
    mac: of(link.address)?.toString('hex').replace(/(..)(?=.)/g, '$1:') ?? '',
    mtu: of(link.mtu)?.readUInt32LE(0) ?? 0,
  };
}

/** The name alone, to choose by. */
export function readLinkName(reply: NetlinkReply): string {
  return textOf(findAttribute(reply.payload, link.name, 16));
}

/** `ip` is 4 or 16 bytes. IPv6 addresses skip duplicate detection: they are given out by us alone. */
export function newAddress(options: { readonly index: number; readonly ip: Uint8Array; readonly prefix: number }): NetlinkMessage {
  return { type: type.newAddress, flags: request | ack | create | replace, payload: addressPayload(options) };
}

export function delAddress(options: { readonly index: number; readonly ip: Uint8Array; readonly prefix: number }): NetlinkMessage {
  return { type: type.delAddress, flags: request | ack, payload: addressPayload(options) };
}

export function getAddresses(): NetlinkMessage {
  return { type: type.getAddress, flags: request, payload: Buffer.alloc(8) };
}

export function readAddress(reply: NetlinkReply): { readonly index: number; readonly prefix: number; readonly ip: Uint8Array } {
  const attributes = decodeAttributes(reply.payload.subarray(8));
  // NOTE: on a link with a peer address, 1 is the peer's and 2 our own; elsewhere they are equal.
  return { index: reply.payload.readUInt32LE(4), prefix: reply.payload.readUInt8(1), ip: attributes.get(2) ?? attributes.get(1) ?? Buffer.alloc(0) };
}

export type RouteKind = 'unicast' | 'unreachable' | 'local' | 'other';
export type RouteFacts = {
  /** 4 or 16 bytes: the default route has prefix 0 and zeros. */
  readonly target: Uint8Array;
  readonly prefix: number;
  readonly kind: RouteKind;
  /** null: none, as of an unreachable route. */
  readonly index: number | null;
  readonly gateway: Uint8Array | null;
  readonly table: number;
  readonly metric: number;
  /** Who made it: 2 the kernel, 3 at boot, 4 by hand; own numbers from 100 on. */
  readonly protocol: number;
};

export function newRoute(route: RouteFacts & { readonly source: Uint8Array | null }): NetlinkMessage {
  return { type: type.newRoute, flags: request | ack | create | replace, payload: routePayload(route) };
}

export function delRoute(route: RouteFacts): NetlinkMessage {
  return { type: type.delRoute, flags: request | ack, payload: routePayload({ ...route, source: null }) };
}

/** The routes of one family; of one maker only, unless `protocol` is 0. */
export function getRoutes(options: { readonly family: 4 | 6; readonly protocol: number }): NetlinkMessage {
  const payload = Buffer.alloc(12);
  payload.writeUInt8(options.family === 4 ? afInet : afInet6, 0);
  payload.writeUInt8(options.protocol, 5);
  return { type: type.getRoute, flags: request, payload };
}

export function readRoute(reply: NetlinkReply): RouteFacts {
  const attributes = decodeAttributes(reply.payload.subarray(12));
  const kinds: Readonly<Record<number, RouteKind>> = { 1: 'unicast', 2: 'local', 7: 'unreachable' };
  const isV4 = reply.payload.readUInt8(0) === afInet;
  return {
    target: attributes.get(1) ?? Buffer.alloc(isV4 ? 4 : 16),
    prefix: reply.payload.readUInt8(1),
    kind: kinds[reply.payload.readUInt8(7)] ?? 'other',
    index: attributes.get(4)?.readUInt32LE(0) ?? null,
    gateway: attributes.get(5) ?? null,
    metric: attributes.get(6)?.readUInt32LE(0) ?? 0,
    table: attributes.get(15)?.readUInt32LE(0) ?? reply.payload.readUInt8(4),
    protocol: reply.payload.readUInt8(5),
  };
}

/** A neighbour that never goes stale and is never asked for. */
export function newNeighbour(options: { readonly index: number; readonly ip: Uint8Array; readonly mac: Mac }): NetlinkMessage {
  const header = Buffer.alloc(12);
  header.writeUInt8(options.ip.length === 4 ? afInet : afInet6, 0);
  header.writeInt32LE(options.index, 4);
  header.writeUInt16LE(0x80, 8);
  return { type: type.newNeighbour, flags: request | ack | create | replace, payload: Buffer.concat([header, attribute(1, options.ip), attribute(2, options.mac)]) };
}

/** What comes from `source` is routed by `table`. */
export function newSourceRule(options: { readonly source: Uint8Array; readonly table: number; readonly priority: number }): NetlinkMessage {
  const header = Buffer.alloc(12);
  header.writeUInt8(options.source.length === 4 ? afInet : afInet6, 0);
  header.writeUInt8(options.source.length * 8, 2);
  header.writeUInt8(options.table, 4);
  header.writeUInt8(1, 7);
  return {
    type: type.newRule,
    flags: request | ack | create | exclusive,
    payload: Buffer.concat([header, attribute(2, options.source), u32Attribute(6, options.priority), u32Attribute(15, options.table)]),
  };
}

/** ifinfomsg: family u8, pad u8, kind u16, index i32, flags u32, changed u32. */
function linkHeader(options: { readonly index?: number; readonly flags?: number }): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(options.index ?? 0, 4);
  header.writeUInt32LE(options.flags ?? 0, 8);
  header.writeUInt32LE(options.flags ?? 0, 12);
  return header;
}

function linkMessage(kind: number, flags: number, header: { readonly index?: number; readonly flags?: number }, attributes: readonly Buffer[]): NetlinkMessage {
  return { type: kind, flags, payload: Buffer.concat([linkHeader(header), ...attributes]) };
}

/** ifaddrmsg: family u8, prefix u8, flags u8, scope u8, index u32. */
function addressPayload(options: { readonly index: number; readonly ip: Uint8Array; readonly prefix: number }): Buffer {
  const header = Buffer.alloc(8);
  const isV4 = options.ip.length === 4;
  header.writeUInt8(isV4 ? afInet : afInet6, 0);
  header.writeUInt8(options.prefix, 1);
  header.writeUInt32LE(options.index, 4);
  // Flag 2 of attribute 8: no duplicate address detection.
  return Buffer.concat([header, attribute(2, options.ip), attribute(1, options.ip), ...(isV4 ? [] : [u32Attribute(8, 2)])]);
}

/** rtmsg: family u8, target bits u8, source bits u8, tos u8, table u8, protocol u8, scope u8, kind u8, flags u32. */
function routePayload(route: RouteFacts & { readonly source: Uint8Array | null }): Buffer {
  const header = Buffer.alloc(12);
  const isV4 = route.target.length === 4;
  header.writeUInt8(isV4 ? afInet : afInet6, 0);
  header.writeUInt8(route.prefix, 1);
  header.writeUInt8(route.table < 256 ? route.table : 0, 4);
  header.writeUInt8(route.protocol, 5);
  header.writeUInt8(isV4 && route.kind === 'unicast' && route.gateway === null ? 253 : 0, 6);
  header.writeUInt8(route.kind === 'unreachable' ? 7 : 1, 7);
  // Flag 4: the gateway is on the link although no address of the link says so.
  header.writeUInt32LE(route.gateway === null ? 0 : 4, 8);
  return Buffer.concat([
    header,
    attribute(1, route.target),
    ...(route.gateway === null ? [] : [attribute(5, route.gateway)]),
    ...(route.index === null ? [] : [u32Attribute(4, route.index)]),
    ...(route.metric === 0 ? [] : [u32Attribute(6, route.metric)]),
    ...(route.source === null ? [] : [attribute(7, route.source)]),
    u32Attribute(15, route.table),
  ]);
}
