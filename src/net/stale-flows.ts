import type { Flow } from '../os/netlink-conntrack.ts';
import type { NftElement } from '../os/netlink-nft.ts';
import { setNames } from './filter-rules.ts';

/**
 * Which tracked flows a change of elements makes wrong. A flow keeps the way of its first packet: with UDP, which has no end,
 * that would lead to a container that has gone for as long as the sender goes on. Pure.
 * In: the elements that were removed and added. Out: what tells such a flow; null when there is none to look for.
 */
export function staleFlows(removed: readonly NftElement[], added: readonly NftElement[]): ((flow: Flow) => boolean) | null {
  const udpPorts = new Set([...removed, ...added].flatMap((one) => portOf(one) ?? []));
  const ips = new Set(removed.filter((one) => isOneOf(setNames.sources, one.set)).map((one) => one.key.subarray(16).toString('hex')));
  if (udpPorts.size === 0 && ips.size === 0) return null;
  return (flow) =>
    (flow.original.protocol === udp && udpPorts.has(flow.original.targetPort)) ||
    ips.has(flow.original.source.toString('hex')) || ips.has(flow.original.target.toString('hex')) || ips.has(flow.reply.source.toString('hex'));
}

const udp = 17;

/** The UDP port in the key of an element of a port's set: behind an address in the `At` ones. */
function portOf(one: NftElement): number | null {
  const hasAddress = [setNames.portAt, setNames.portAtMany, setNames.closedAt].some((names) => isOneOf(names, one.set));
  const hasNone = [setNames.port, setNames.portMany, setNames.closed].some((names) => isOneOf(names, one.set));
  if (!hasAddress && !hasNone) return null;
  const at = hasNone ? 0 : one.set.endsWith('4') ? 4 : 16;
  return one.key.readUInt8(at) === udp ? one.key.readUInt16BE(at + 4) : null;
}

function isOneOf(names: readonly string[], set: string): boolean {
  return names.includes(set);
}
