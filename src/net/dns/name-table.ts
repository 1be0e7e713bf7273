import { cidrHasIp, formatIp, parseIp } from '../../base/cidr.ts';
import type { Ip } from '../../base/cidr.ts';
import type { CheckedNetwork, CheckedState } from '../checked-state.ts';

/** Who may ask what: the names of a state, arranged so that a question costs two look-ups. */
export type NameTable = {
  /** Address of an asker → who it is; unknown addresses get no answer at all. */
  readonly askers: ReadonlyMap<string, Asker>;
};

export type Asker = {
  readonly endpointId: string;
  /** In the order of its interfaces. */
  readonly networks: readonly NetworkNames[];
  readonly dnsServers: readonly Ip[];
  /** False when it has internal networks only: then nothing of what it asks leaves the host. */
  readonly mayAskOutside: boolean;
};

export type NetworkNames = {
  readonly network: CheckedNetwork;
  readonly holders: ReadonlyMap<string, readonly Holder[]>;
  readonly reverse: ReadonlyMap<string, string>;
};

type Holder = { readonly ip: Ip; readonly ip6: Ip | null; readonly isInRotation: boolean };

/** What a name or an address leads to. `elsewhere`: none of ours, so an outer resolver may know. */
export type Lookup =
  | { readonly kind: 'addresses'; readonly ips: readonly Ip[] }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'elsewhere' };

export function buildNameTable(state: CheckedState): NameTable {
  const byNetwork = new Map(state.networks.map((network) => [network.id, { network, holders: new Map<string, Holder[]>(), reverse: new Map<string, string>() }]));
  for (const one of state.endpoints.flatMap((endpoint) => endpoint.attachments)) {
    const names = byNetwork.get(one.network.id);
    if (names === undefined) continue;
    const containerName = ownName(one.reverseName, one.network.name);
    const holder: Holder = { ip: one.ip, ip6: one.ip6, isInRotation: one.isInRotation };
    for (const name of new Set(one.names)) {
      const list = names.holders.get(name) ?? [];
      // A container's own name always finds it; the names it shares only while it takes part.
      list.push(name === containerName ? { ...holder, isInRotation: true } : holder);
      names.holders.set(name, list);
    }
    for (const ip of [one.ip, one.ip6]) if (ip !== null) names.reverse.set(formatIp(ip), one.reverseName);
  }
  const askers = new Map<string, Asker>();
  for (const endpoint of state.endpoints) {
    const asker: Asker = {
      endpointId: endpoint.id,
      networks: endpoint.attachments.flatMap((one) => byNetwork.get(one.network.id) ?? []),
      dnsServers: endpoint.dnsServers,
      mayAskOutside: endpoint.attachments.some((one) => !one.network.isInternal),
    };
    for (const ip of endpoint.attachments.flatMap((one) => [one.ip, one.ip6])) if (ip !== null) askers.set(formatIp(ip), asker);
  }
  return { askers };
}

/**
 * Where a name leads for this asker: to the first of its networks that knows it, as under Docker; `name.network` asks one
 * network. A name whose holders are all out of rotation answers with all of them: a sick server is better than none.
 * In: the name in any case, without the final dot. Out: addresses of both families, in the order of the state.
 */
export function lookUpName(asker: Asker, name: string): Lookup {
  const key = name.toLowerCase();
  for (const { network, holders } of asker.networks) {
    const suffix = `.${network.name.toLowerCase()}`;
    const found = holders.get(key) ?? (key.endsWith(suffix) ? holders.get(key.slice(0, -suffix.length)) : undefined);
    if (found === undefined) continue;
    const taking = found.filter((one) => one.isInRotation);
    return { kind: 'addresses', ips: (taking.length > 0 ? taking : found).flatMap((one) => (one.ip6 === null ? [one.ip] : [one.ip, one.ip6])) };
  }
  return { kind: 'elsewhere' };
}

/** The reverse: what `4.3.2.1.in-addr.arpa` or a name under ip6.arpa is called. Inside our subnets nobody else is asked. */
export function lookUpReverse(asker: Asker, name: string): Lookup {
  const ip = parseReverseName(name.toLowerCase());
  if (ip === null) return { kind: 'elsewhere' };
  for (const { network, reverse } of asker.networks) {
    const found = reverse.get(formatIp(ip));
    if (found !== undefined) return { kind: 'name', name: found };
    if (cidrHasIp(network.subnet, ip) || (network.subnet6 !== null && cidrHasIp(network.subnet6, ip))) return { kind: 'absent' };
  }
  return { kind: 'elsewhere' };
}

export function parseReverseName(name: string): Ip | null {
  const v4 = /^((?:\d{1,3}\.){3}\d{1,3})\.in-addr\.arpa$/.exec(name)?.[1];
  if (v4 !== undefined) return parseIp(v4.split('.').reverse().join('.'));
  const v6 = /^((?:[0-9a-f]\.){31}[0-9a-f])\.ip6\.arpa$/.exec(name)?.[1];
  if (v6 === undefined) return null;
  const digits = v6.split('.').reverse().join('');
  return parseIp(digits.replace(/(.{4})(?=.)/g, '$1:'));
}

function ownName(reverseName: string, networkName: string): string {
  const suffix = `.${networkName}`;
  return (reverseName.endsWith(suffix) ? reverseName.slice(0, -suffix.length) : reverseName).toLowerCase();
}
