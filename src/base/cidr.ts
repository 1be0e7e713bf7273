/** The arithmetic of addresses and networks, IPv4 and IPv6, without any knowledge of a machine. */

export type IpFamily = 4 | 6;
/** An address as a number of 32 or 128 bits. */
export type Ip = { readonly family: IpFamily; readonly value: bigint };
/** A network: `value` has all host bits zero. */
export type Cidr = { readonly family: IpFamily; readonly value: bigint; readonly prefix: number };

/** Dotted quads without leading zeros, or any RFC 4291 text of an IPv6 address (no zone); null when it is neither. */
export function parseIp(text: string): Ip | null {
  const value = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  return value === null ? null : { family: text.includes(':') ? 6 : 4, value };
}

/** `1.2.3.4`, or RFC 5952 for IPv6. */
export function formatIp(ip: Ip): string {
  return ip.family === 4 ? formatIpv4(ip.value) : formatIpv6(ip.value);
}

/** `10.0.0.0/8`. Host bits may be set and are cleared; null when it can't be read. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const ip = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (ip === null || !/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  const prefix = Number(digits);
  if (prefix > widthOf(ip.family)) return null;
  return cidrOf(ip, prefix);
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr)}/${cidr.prefix}`;
}

/** The network of `prefix` bits that the address lies in. */
export function cidrOf(ip: Ip, prefix: number): Cidr {
  const hostBits = BigInt(widthOf(ip.family) - prefix);
  return { family: ip.family, value: (ip.value >> hostBits) << hostBits, prefix };
}

/** How many addresses it has, network and broadcast address included. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(widthOf(cidr.family) - cidr.prefix);
}

/** The highest address; in IPv4 the broadcast address of a network with a prefix below 31. */
export function cidrLast(cidr: Cidr): Ip {
  return { family: cidr.family, value: cidr.value + cidrSize(cidr) - 1n };
}

export function cidrHasIp(cidr: Cidr, ip: Ip): boolean {
  return cidr.family === ip.family && ip.value >= cidr.value && ip.value <= cidrLast(cidr).value;
}

export function cidrOverlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.value <= cidrLast(b).value && b.value <= cidrLast(a).value;
}

/** True when every address of `inner` lies in `outer`. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family && outer.prefix <= inner.prefix && cidrHasIp(outer, inner);
}

/**
 * The addresses a container may have: without the network and the broadcast address, where the network has them
 * (IPv4 with a prefix up to 30; in IPv6 the first address is the routers' anycast address). In: any network.
 */
export function cidrHosts(cidr: Cidr): { readonly first: Ip; readonly last: Ip } {
  const last = cidrLast(cidr);
  const isTiny = widthOf(cidr.family) - cidr.prefix < 2;
  const first = isTiny ? cidr.value : cidr.value + 1n;
  return { first: { family: cidr.family, value: first }, last: isTiny || cidr.family === 6 ? last : { family: 4, value: last.value - 1n } };
}

/** The `index`-th network of `prefix` bits inside `pool`, counted from 0; null when there is none. */
export function cidrSubnetAt(pool: Cidr, prefix: number, index: bigint): Cidr | null {
  if (prefix < pool.prefix || prefix > widthOf(pool.family) || index < 0n) return null;
  if (index >= 1n << BigInt(prefix - pool.prefix)) return null;
  return { family: pool.family, value: pool.value + (index << BigInt(widthOf(pool.family) - prefix)), prefix };
}

/** The first network of `prefix` bits inside `pool` that meets none of `taken`; null when the pool is full. Bound: O(taken). */
export function firstFreeSubnet(pool: Cidr, prefix: number, taken: readonly Cidr[]): Cidr | null {
  if (prefix < pool.prefix || prefix > widthOf(pool.family)) return null;
  const sorted = taken.filter((one) => cidrOverlaps(pool, one)).sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : a.prefix - b.prefix));
  const step = 1n << BigInt(widthOf(pool.family) - prefix);
  let at = pool.value;
  for (const one of sorted) {
    if (one.value >= at + step) break;
    const behind = cidrLast(one).value + 1n;
    if (behind > at) at = ((behind + step - 1n) / step) * step;
  }
  const found: Cidr = { family: pool.family, value: at, prefix };
  return at <= cidrLast(pool).value && cidrContains(pool, found) ? found : null;
}

export function ipAdd(ip: Ip, offset: bigint): Ip {
  return { family: ip.family, value: ip.value + offset };
}

/** Network byte order, 4 or 16 bytes. */
export function ipToBytes(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(ip.family === 4 ? 4 : 16);
  let rest = ip.value;
  for (let i = bytes.length - 1; i >= 0; i -= 1) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** In: 4 or 16 bytes in network order; null for any other count. */
export function ipFromBytes(bytes: Uint8Array): Ip | null {
  if (bytes.length !== 4 && bytes.length !== 16) return null;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

function widthOf(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => ((value >> shift) & 0xffn).toString()).join('.');
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one half; only the last half may end in a dotted quad. */
function groupsOf(text: string, mayEndInQuad: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      const quad = mayEndInQuad && i === parts.length - 1 ? parseIpv4(part) : null;
      if (quad === null) return null;
      groups.push(Number(quad >> 16n), Number(quad & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}

function formatIpv6(value: bigint): string {
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(value & 0xffffffffn)}`;
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i += 1) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length += 1;
    if (length > best.length) best = { start: i, length };
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}
