import type { Flow } from '../os/netlink-conntrack.ts';
import type { NftElement } from '../os/netlink-nft.ts';
import { setNames } from './filter-rules.ts';

/**
 * Which tracked flows a change of elements makes wrong. A flow keeps the way of its first packet: with UDP, which has no end,
 * that would lead to a container that has gone for as long as the sender goes on. TCP finds out by itself. Pure.
 * In: the elements that were removed and added. Out: what tells such a flow; null when there is none to look for.
 */
export function staleFlows(changed: readonly NftElement[]): ((flow: Flow) => boolean) | null {
  const ports = new Set(changed.flatMap((one) => udpPortOf(one) ?? []));
  return ports.size === 0 ? null : (flow) => flow.original.protocol === udp && ports.has(flow.original.targetPort);
}

const udp = 17;

/** The UDP port in the key of an element of a port's set: behind an address in the `At` ones. */
function udpPortOf(one: NftElement): number | null {
  const hasAddress = [setNames.portAt, setNames.portAtMany, setNames.closedAt].some((names) => isOneOf(names, one.set));
  const hasNone = [setNames.port, setNames.portMany, setNames.closed].some((names) => isOneOf(names, one.set));
  if (!hasAddress && !hasNone) return null;
  const at = hasNone ? 0 : one.set.endsWith('4') ? 4 : 16;
  return one.key.readUInt8(at) === udp ? one.key.readUInt16BE(at + 4) : null;
}

function isOneOf(names: readonly string[], set: string): boolean {
  return names.includes(set);
}
