import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

/** A published port in the canonical model's words. */
export type PortEntry = {
  readonly mode: 'ingress';
  readonly host_ip?: string;
  readonly target: number;
  /** A port, or `80-82` where one of a range may be taken; absent where any free port will do. */
  readonly published?: string;
  readonly protocol: string;
};

/** One container port of a specification; `hostPort` is '' for any, and may be a range. */
export type PortBinding = { readonly port: number; readonly protocol: string; readonly hostIp: string; readonly hostPort: string };

/**
 * Reads the short syntax `[[ip:]published:]target[/protocol]`, each side a port or a range.
 * Out: one entry a container port, in the reference's order (by `port/protocol` as text).
 */
export function parsePortShort(spec: string): Parsed<PortEntry[]> {
  const bindings = parsePortSpec(spec);
  if (!bindings.ok) return bindings;
  const sorted = bindings.value.map((one) => ({ one, key: `${one.port}/${one.protocol}` })).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return parsed(
    sorted.map(({ one }) => ({
      mode: 'ingress' as const,
      ...(one.hostIp === '' ? {} : { host_ip: one.hostIp }),
      target: one.port,
      ...(one.hostPort === '' ? {} : { published: one.hostPort }),
      protocol: one.protocol,
    })),
  );
}

/** The same, in the order of the ports. Source: docker/go-connections nat (behaviour). */
export function parsePortSpec(spec: string): Parsed<PortBinding[]> {
  const parts = spec.split(':');
  const [hostPort, last] = parts.length === 1 ? ['', spec] : [parts[parts.length - 2] ?? '', parts[parts.length - 1] ?? ''];
  const ip = hostIpOf(parts.slice(0, -2).join(':'));
  const slash = last.indexOf('/');
  // NOTE: as in the reference, what follows a second slash counts for nothing.
  const [target = '', protocolText = ''] = last.split('/');
  const protocol = protocolText.toLowerCase() || 'tcp';
  if (!ip.ok) return ip;
  if (target === '') return refused(`no port specified in '${spec}'`, spec.length);
  const range = parsePortRange(target);
  if (!range.ok) return refused(`invalid container port '${target}' in '${spec}': ${range.message}`, spec.length - last.length);
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) return refused(`invalid protocol '${protocol}' in '${spec}' (use tcp, udp or sctp)`, spec.length - last.length + slash + 1);
  const host = hostPort === '' ? undefined : parsePortRange(hostPort);
  if (host !== undefined && !host.ok) return refused(`invalid published port '${hostPort}' in '${spec}': ${host.message}`, spec.length - last.length - 1 - hostPort.length);
  return bind(spec, { hostIp: ip.value, protocol, range: range.value, host: host?.value });
}

/** `8000-8080` or `8080`; both ends included. */
export function parsePortRange(text: string): Parsed<readonly [number, number]> {
  if (text === '') return refused('no port is given');
  const dash = text.indexOf('-');
  const startText = dash < 0 ? text : text.slice(0, dash);
  // NOTE: as in the reference, what follows a second dash counts for nothing.
  const endText = dash < 0 ? text : (text.split('-')[1] ?? '');
  for (const one of [startText, endText]) {
    if (!/^\d+$/.test(one)) return refused(`'${one}' is not a number`);
    if (Number(one) > 65535) return refused(`${one} is above 65535`);
  }
  const start = Number(startText);
  const end = Number(endText);
  return end < start ? refused(`the range ${text} ends before it starts`) : parsed([start, end]);
}

/** True for an IPv4 address in dotted form or an IPv6 address without a zone. */
export function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

type Sides = { readonly hostIp: string; readonly protocol: string; readonly range: readonly [number, number]; readonly host: readonly [number, number] | undefined };

function bind(spec: string, { hostIp, protocol, range: [start, end], host }: Sides): Parsed<PortBinding[]> {
  if (host !== undefined && end !== start && end - start !== host[1] - host[0]) {
    return refused(`the ranges of '${spec}' have different lengths: ${host[1] - host[0] + 1} published, ${end - start + 1} in the container`);
  }
  const bindings: PortBinding[] = [];
  for (let i = 0; i <= end - start; i += 1) {
    const single = host === undefined ? '' : String(host[0] + i);
    const hostPort = host !== undefined && start === end && host[0] !== host[1] ? `${host[0]}-${host[1]}` : single;
    bindings.push({ port: start + i, protocol, hostIp, hostPort });
  }
  return parsed(bindings);
}

/** An address of version 6 stands in brackets, so that its colons are not taken for the ports'. */
function hostIpOf(text: string): Parsed<string> {
  const inBrackets = /^\[([^[\]]*)\]$/.exec(text)?.[1];
  if (inBrackets === undefined && isIpv6(text)) return refused(`the address ${text} needs brackets: [${text}]`, 0);
  const bare = inBrackets ?? text;
  return bare === '' || isIpAddress(bare) ? parsed(bare) : refused(`invalid IP address: ${text}`, 0);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || text.length > 45) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const tail = groups[groups.length - 1] ?? '';
  const hasIpv4 = tail.includes('.');
  if (hasIpv4 && !isIpv4(tail)) return false;
  if (!(hasIpv4 ? groups.slice(0, -1) : groups).every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = groups.length + (hasIpv4 ? 1 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}
