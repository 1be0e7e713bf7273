import type { Ip } from '../../base/cidr.ts';
import { decodeQuery, dnsClassIn, dnsCode, dnsType, encodeAnswer, encodeFormatError } from './message.ts';
import type { DnsQuery, DnsRecord } from './message.ts';
import { lookUpName, lookUpReverse } from './name-table.ts';
import type { Asker, NameTable } from './name-table.ts';

/**
 * What the server says to a datagram: pure, so that all of it is tested without a socket.
 * In: the table, who asks, the bytes, and a number that turns the order of addresses (round robin).
 * Out: an answer; or `forward`, when only an outer resolver may know; or `drop`, when there must be no answer at all.
 */
export type Reaction =
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  | { readonly kind: 'forward'; readonly asker: Asker; readonly query: DnsQuery }
  | { readonly kind: 'drop' };

/** Seconds that a program may keep an answer: short, because containers come and go. */
const ttlSeconds = 5;

export function reactTo(bytes: Buffer, options: { readonly table: NameTable; readonly source: string; readonly transport: 'udp' | 'tcp'; readonly turn: number }): Reaction {
  // Only our own containers are answered: whoever else gets through to this socket must not be able to use it against others.
  const asker = options.table.askers.get(options.source);
  if (asker === undefined) return { kind: 'drop' };
  const query = decodeQuery(bytes);
  if ('kind' in query) return query.kind === 'drop' ? query : { kind: 'answer', bytes: encodeFormatError(query.id) };
  const say = (code: number, records: readonly DnsRecord[] = [], isAuthoritative = false): Reaction => ({
    kind: 'answer',
    bytes: encodeAnswer({ query, code, isAuthoritative, records, ttlSeconds, transport: options.transport }),
  });
  if (query.opcode !== 0) return say(dnsCode.notImplemented);
  if (query.edns !== null && query.edns.version !== 0) return say(dnsCode.badVersion);
  if (query.class !== dnsClassIn) return say(dnsCode.refused);

  const found = query.type === dnsType.ptr ? lookUpReverse(asker, query.name) : lookUpName(asker, query.name);
  switch (found.kind) {
    case 'name':
      return say(dnsCode.ok, [{ kind: 'name', name: found.name }], true);
    case 'absent':
      return say(dnsCode.noSuchName, [], true);
    case 'addresses':
      // A name that exists without such a record is NODATA, not NXDOMAIN: else resolvers give up on its other family.
      return say(dnsCode.ok, turned(found.ips.filter((ip) => isAsked(query.type, ip)), options.turn).map((ip) => ({ kind: 'address', ip })), true);
    case 'elsewhere': {
      // A name of one label is a neighbour's or nobody's: it is not told to the world. The resolver then tries its search domains.
      const isOneLabel = !query.name.includes('.') && query.name !== '';
      if (isOneLabel && (query.type === dnsType.a || query.type === dnsType.aaaa || query.type === dnsType.any)) return say(dnsCode.noSuchName);
      if (!asker.mayAskOutside) return say(dnsCode.serverFailure);
      return { kind: 'forward', asker, query };
    }
  }
}

/** The answer when no outer resolver gave one. */
export function failureOf(query: DnsQuery, transport: 'udp' | 'tcp'): Buffer {
  return encodeAnswer({ query, code: dnsCode.serverFailure, isAuthoritative: false, records: [], ttlSeconds, transport });
}

function isAsked(type: number, ip: Ip): boolean {
  return type === dnsType.any || type === (ip.family === 4 ? dnsType.a : dnsType.aaaa);
}

function turned<T>(list: readonly T[], turn: number): T[] {
  const start = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
