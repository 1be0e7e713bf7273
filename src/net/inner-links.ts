import { AppError } from '../base/app-error.ts';
import { cidrOf, ipToBytes } from '../base/cidr.ts';
import type { Ip } from '../base/cidr.ts';
import { errnoName } from '../os/libc.ts';
import type { NetlinkMessage } from '../os/netlink-message.ts';
import { getLinks, newAddress, newNeighbour, newRoute, newSourceRule, readLink, upLink } from '../os/netlink-route.ts';
import { netlinkFamily, openNetlink } from '../os/netlink-socket.ts';
import type { NetlinkSocket } from '../os/netlink-socket.ts';
import { writeSysctl } from '../os/sysctl.ts';
import { hostMac } from './link-rules.ts';
import type { WishedLink, WishedPath } from './link-rules.ts';

/**
 * Inside a container's namespace: synchronous, called by `inNetworkNamespace` alone.
 *
 * A container's address is alone on its link (/32, /128). It reaches the gateway by an entry that is made once, and all else
 * through the gateway: its network always, the world where this is the default.
 */
const loopbackIndex = 1;
const mainTable = 254;
const byAdministrator = 4;
const rulePriorityFirst = 1000;
const eexist = 17;

/** What every namespace has before its container: loopback up, ports and ping for everybody as under Docker, IPv6 only where asked for. */
export function prepareNamespace(): void {
  const socket = openNetlink(netlinkFamily.route);
  try {
    request(socket, [upLink(loopbackIndex)]);
  } finally {
    socket.close();
  }
  writeSysctl('net/ipv4/ip_unprivileged_port_start', '0');
  writeSysctl('net/ipv4/ping_group_range', '0\t2147483647');
  writeSysctl('net/ipv6/conf/default/disable_ipv6', '1');
  writeSysctl('net/ipv6/conf/default/accept_ra', '0');
}

export function configureInside(links: readonly WishedLink[]): void {
  for (const link of links) if (link.paths.some((path) => path.ip.family === 6)) writeSysctl(`net/ipv6/conf/${link.innerName}/disable_ipv6`, '0');
  const socket = openNetlink(netlinkFamily.route);
  try {
    const indexes = new Map(socket.dump(getLinks()).map(readLink).map((one) => [one.name, one.index]));
    request(socket, links.flatMap((link) => linkMessages(link, indexes.get(link.innerName))));
  } finally {
    socket.close();
  }
}

function linkMessages(link: WishedLink, index: number | undefined): NetlinkMessage[] {
  if (index === undefined) throw new AppError({ code: 'NET_LINK', message: `the link ${link.innerName} of ${link.endpointId} vanished as soon as it was made` });
  return [upLink(index), ...link.paths.flatMap((path) => pathMessages(index, path))];
}

function pathMessages(index: number, path: WishedPath): NetlinkMessage[] {
  const bits = path.ip.family === 4 ? 32 : 128;
  const gateway = ipToBytes(path.gateway);
  const zero = cidrOf({ family: path.ip.family, value: 0n }, 0);
  const route = (target: Ip & { readonly prefix?: number }, options: { readonly isDirect: boolean; readonly table: number }): NetlinkMessage =>
    newRoute({ target: ipToBytes(target), prefix: target.prefix ?? bits, kind: 'unicast', index, gateway: options.isDirect ? null : gateway, table: options.table, metric: 0, protocol: byAdministrator, source: null });
  return [
    newAddress({ index, ip: ipToBytes(path.ip), prefix: bits }),
    newNeighbour({ index, ip: gateway, mac: hostMac }),
    route(path.gateway, { isDirect: true, table: mainTable }),
    route(path.subnet, { isDirect: false, table: mainTable }),
    ...(path.isDefaultRoute ? [route(zero, { isDirect: false, table: mainTable })] : []),
    ...(path.answerTable === null
      ? []
      : [
          route(path.gateway, { isDirect: true, table: path.answerTable }),
          route(zero, { isDirect: false, table: path.answerTable }),
          newSourceRule({ source: ipToBytes(path.ip), table: path.answerTable, priority: rulePriorityFirst + path.answerTable }),
        ]),
  ];
}

function request(socket: NetlinkSocket, messages: readonly NetlinkMessage[]): void {
  for (const answer of socket.request(messages)) {
    if (answer.errno === 0 || answer.errno === eexist) continue;
    throw new AppError({ code: 'NET_LINK', message: `the inside of a container's network could not be set up: ${errnoName(answer.errno)}${answer.text === '' ? '' : ` (${answer.text})`}` });
  }
}
