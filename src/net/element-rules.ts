import { cidrLast, formatCidr, formatIp, ipToBytes } from '../base/cidr.ts';
import type { Cidr, Ip, IpFamily } from '../base/cidr.ts';
import type { NftElement } from '../os/netlink-nft.ts';
import type { CheckedAttachment, CheckedPort, CheckedState } from './checked-state.ts';
import { setNames, targetSlots } from './filter-rules.ts';
import { hostLinkName } from './link-names.ts';
import type { KernelNames } from './link-names.ts';

/**
 * The wished state as elements of the sets and maps of filter-rules.ts.
 * In: a checked state, and the families whose forwarding was off before us. Out: every element, in the order of the state. Bound: O(attachments + ports × targets).
 */
export type Element = { readonly set: string; readonly key: readonly Part[]; readonly data: readonly Part[] | null };

/** A part of a concatenation, as nftables' types name them. */
export type Part =
  | { readonly kind: 'family'; readonly family: IpFamily }
  | { readonly kind: 'link'; readonly name: string }
  | { readonly kind: 'ip'; readonly ip: Ip }
  | { readonly kind: 'subnet'; readonly subnet: Cidr }
  | { readonly kind: 'protocol'; readonly protocol: 'tcp' | 'udp' }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'slot'; readonly slot: number };

export function buildElements(state: CheckedState, names: KernelNames, guarded: readonly IpFamily[] = []): Element[] {
  return [
    ...guarded.map((family) => element(setNames.guarded, [{ kind: 'family', family }])),
    ...state.networks.flatMap((network) => [network.subnet, ...(network.subnet6 === null ? [] : [network.subnet6])]).map((subnet) => element(setNames.same[at(subnet)], [{ kind: 'subnet', subnet }, { kind: 'subnet', subnet }])),
    ...state.endpoints.flatMap((endpoint) => endpoint.attachments.flatMap((one) => attachmentElements(one, hostLinkName(names, endpoint.id, one.interfaceName)))),
    ...state.ports.flatMap(portElements),
  ];
}

/** As the kernel has it: each part padded to 4 bytes, a lone protocol number apart. */
export function encodeElement(one: Element): NftElement {
  const isRange = one.key.some((part) => part.kind === 'subnet');
  return {
    set: one.set,
    key: Buffer.concat(one.key.map((part) => encodePart(part, false))),
    keyEnd: isRange ? Buffer.concat(one.key.map((part) => encodePart(part, true))) : null,
    data: one.data === null ? null : Buffer.concat(one.data.map((part) => encodePart(part, false))),
  };
}

/** As a line of the nft command, for people, for tests, and for making a table with its elements at once. */
export function formatElement(one: Element, table: string): string {
  const text = (parts: readonly Part[]): string => parts.map(formatPart).join(' . ');
  return `add element inet ${table} ${one.set} { ${text(one.key)}${one.data === null ? '' : ` : ${text(one.data)}`} }`;
}

function attachmentElements(one: CheckedAttachment, linkName: string): Element[] {
  const link: Part = { kind: 'link', name: linkName };
  const { network } = one;
  const families = [{ ip: one.ip, gateway: network.gateway }, ...(one.ip6 === null || network.gateway6 === null ? [] : [{ ip: one.ip6, gateway: network.gateway6 }])];
  return [
    ...(network.isInternal ? [element(setNames.internal, [link])] : []),
    ...families.flatMap(({ ip, gateway }) => {
      const own: Part = { kind: 'ip', ip };
      const gate: Part = { kind: 'ip', ip: gateway };
      return [
        element(setNames.sources[at(ip)], [link, own]),
        element(setNames.gateways[at(ip)], [link], [gate]),
        network.isInternal ? element(setNames.inner[at(ip)], [link, gate]) : element(setNames.masquerade[at(ip)], [own]),
      ];
    }),
  ];
}

/** Targets of the other family are the forwarder's (port-forwarder.ts). */
function portElements(port: CheckedPort): Element[] {
  const family = at(port.hostIp);
  const host: Part[] = [...(port.isAnyAddress ? [] : [{ kind: 'ip' as const, ip: port.hostIp }]), { kind: 'protocol', protocol: port.protocol }, { kind: 'port', port: port.hostPort }];
  const targets = port.targets.filter((one) => one.ip.family === port.hostIp.family).slice(0, targetSlots);
  const data = (target: { readonly ip: Ip; readonly port: number }): Part[] => [{ kind: 'ip', ip: target.ip }, { kind: 'port', port: target.port }];
  const [only] = targets;
  // NOTE: a port of IPv6 that the forwarder serves is not closed although no IPv6 address answers it.
  if (only === undefined) return port.targets.length > 0 && port.protocol === 'tcp' ? [] : [element((port.isAnyAddress ? setNames.closed : setNames.closedAt)[family], host)];
  if (targets.length === 1) return [element((port.isAnyAddress ? setNames.port : setNames.portAt)[family], host, data(only))];
  const set = (port.isAnyAddress ? setNames.portMany : setNames.portAtMany)[family];
  return Array.from({ length: targetSlots }, (_, slot) => element(set, [...host, { kind: 'slot', slot }], data(targets[slot % targets.length] ?? only)));
}

function element(set: string, key: readonly Part[], data: readonly Part[] | null = null): Element {
  return { set, key, data };
}

function at(one: { readonly family: 4 | 6 }): 0 | 1 {
  return one.family === 4 ? 0 : 1;
}

function encodePart(part: Part, isEnd: boolean): Buffer {
  const bytes = Buffer.alloc(part.kind === 'link' ? 16 : 4);
  switch (part.kind) {
    case 'family':
      return Buffer.of(part.family === 4 ? 2 : 10);
    case 'link':
      bytes.write(part.name, 'latin1');
      return bytes;
    case 'ip':
      return Buffer.from(ipToBytes(part.ip));
    case 'subnet':
      return Buffer.from(ipToBytes(isEnd ? cidrLast(part.subnet) : part.subnet));
    case 'protocol':
      bytes.writeUInt8(part.protocol === 'tcp' ? 6 : 17, 0);
      return bytes;
    case 'port':
      bytes.writeUInt16BE(part.port, 0);
      return bytes;
    case 'slot':
      bytes.writeUInt32LE(part.slot, 0);
      return bytes;
  }
}

function formatPart(part: Part): string {
  switch (part.kind) {
    case 'family':
      return `ipv${part.family}`;
    case 'link':
      return JSON.stringify(part.name);
    case 'ip':
      return formatIp(part.ip);
    case 'subnet':
      return formatCidr(part.subnet);
    case 'protocol':
      return part.protocol;
    case 'port':
      return String(part.port);
    case 'slot':
      return String(part.slot);
  }
}
