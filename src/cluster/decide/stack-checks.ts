import { cidrContains, cidrHasIp, cidrOverlaps, formatIp, parseCidr, parseIp } from '../../base/cidr.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { TaskPort } from '../../model/objects.ts';
import type { IpamPool, Network, Service } from '../../model/project.ts';
import { allOf, type View } from '../state/view.ts';
import { clashes, portRange } from './allocate-ports.ts';
import { networkKeysOf, networkKindOf } from './namespaces.ts';
import { parseConstraint } from './schedule/constraint.ts';
import { replicasOf } from './replicas.ts';
import { problem } from './stack-objects.ts';

/** What is wrong with the subnets, addresses and constraints that a file asks for, before anything has moved. */
export function checkNetworks(view: View, deployment: Deployment, chosen: readonly (readonly [string, Service])[]): Diagnostic[] {
  const keys = new Set(chosen.flatMap(([, spec]) => networkKeysOf(spec)));
  const found: Diagnostic[] = [];
  for (const key of [...keys].sort()) {
    const network = deployment.project.networks?.[key];
    if (network === undefined || network.external === true) continue;
    found.push(...(network.ipam?.config ?? []).flatMap((pool, index) => checkPool(view, deployment, { key, network, pool, path: `networks.${key}.ipam.config[${index}]` })));
  }
  return [...found, ...checkAddresses(deployment, chosen), ...checkConstraints(chosen)];
}

function checkPool(view: View, deployment: Deployment, input: { readonly key: string; readonly network: Network; readonly pool: IpamPool; readonly path: string }): Diagnostic[] {
  const { pool, path, key } = input;
  if (pool.subnet === undefined) return [];
  const subnet = parseCidr(pool.subnet);
  if (subnet === null) return [problem({ code: 'CLUSTER_SUBNET_INVALID', message: `network ${key}: ${pool.subnet} is not a subnet`, hint: 'write it as 10.20.0.0/24', path: `${path}.subnet` })];
  const found: Diagnostic[] = [];
  const outside = (address: string, what: string): void => {
    const ip = parseIp(address);
    if (ip === null || !cidrHasIp(subnet, ip)) found.push(problem({ code: 'CLUSTER_SUBNET_INVALID', message: `network ${key}: the ${what} ${address} is not in ${pool.subnet ?? ''}`, hint: 'name an address of the subnet', path: `${path}.${what.split(' ')[0] ?? ''}` }));
  };
  if (pool.gateway !== undefined) outside(pool.gateway, 'gateway');
  for (const [name, address] of Object.entries(pool.aux_addresses ?? {})) outside(address, `aux_addresses ${name}`);
  const range = pool.ip_range === undefined ? null : parseCidr(pool.ip_range);
  if (pool.ip_range !== undefined && (range === null || !cidrContains(subnet, range))) {
    found.push(problem({ code: 'CLUSTER_SUBNET_INVALID', message: `network ${key}: the range ${pool.ip_range} is not in ${pool.subnet}`, hint: 'name a part of the subnet', path: `${path}.ip_range` }));
  }
  const name = input.network.name ?? `${deployment.project.name}_${key}`;
  for (const other of allOf(view, 'network')) {
    const taken = parseCidr((subnet.family === 4 ? other.subnet : other.subnet6) ?? '');
    if (taken === null || other.name === name || other.desired === 'removed' || !cidrOverlaps(taken, subnet)) continue;
    found.push(problem({ code: 'CLUSTER_SUBNET_OVERLAP', message: `network ${key}: the subnet ${pool.subnet} meets ${other.subnet ?? ''} of network ${other.name}`, hint: 'choose another subnet, or leave it out to have a free one chosen', path: `${path}.subnet` }));
  }
  return found;
}

function checkAddresses(deployment: Deployment, chosen: readonly (readonly [string, Service])[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  const seen = new Map<string, string>();
  for (const [name, spec] of chosen) {
    const replicas = replicasOf(name, spec, deployment.options);
    for (const key of networkKeysOf(spec)) {
      for (const field of ['ipv4_address', 'ipv6_address'] as const) {
        const text = spec.networks?.[key]?.[field];
        if (text === undefined) continue;
        const path = `services.${name}.networks.${key}.${field}`;
        const ip = parseIp(text);
        if (ip === null) {
          found.push(problem({ code: 'CLUSTER_ADDRESS_INVALID', message: `service ${name}: ${text} is not an address`, hint: 'write it as 10.20.0.5', path }));
          continue;
        }
        if (replicas > 1) found.push(problem({ code: 'CLUSTER_SCALE_REFUSED', message: `service ${name}: ${replicas} containers can't all have the address ${text}`, hint: 'remove the address, or run one container', path }));
        const subnets = (deployment.project.networks?.[key]?.ipam?.config ?? []).map((pool) => parseCidr(pool.subnet ?? '')).filter((one) => one !== null);
        const isExternal = deployment.project.networks?.[key]?.external === true;
        if (!isExternal && !subnets.some((one) => cidrHasIp(one, ip))) found.push(problem({ code: 'CLUSTER_ADDRESS_INVALID', message: `service ${name}: ${text} is not in a subnet that network ${key} asks for`, hint: `name the subnet under networks.${key}.ipam.config`, path }));
        const holder = seen.get(`${key}/${formatIp(ip)}`);
        if (holder !== undefined) found.push(problem({ code: 'CLUSTER_ADDRESS_IN_USE', message: `services ${holder} and ${name} both ask for ${text} on network ${key}`, hint: 'give each another address', path }));
        seen.set(`${key}/${formatIp(ip)}`, name);
      }
    }
  }
  return found;
}

function checkConstraints(chosen: readonly (readonly [string, Service])[]): Diagnostic[] {
  return chosen.flatMap(([name, spec]) =>
    (spec.deploy?.placement?.constraints ?? []).flatMap((text, index) => {
      const constraint = parseConstraint(text);
      return constraint.ok ? [] : [problem({ code: 'CLUSTER_CONSTRAINT_INVALID', message: `service ${name}: the constraint ${JSON.stringify(text)} can't be read: ${constraint.message}`, hint: 'write it as node.labels.disk==ssd', path: `services.${name}.deploy.placement.constraints[${index}]` })];
    }),
  );
}

/** A port of the host that a file names is published by one service of it. Ranges choose among what is free, later. */
export function checkPorts(deployment: Deployment, chosen: readonly (readonly [string, Service])[]): Diagnostic[] {
  const seen: { readonly name: string; readonly port: Pick<TaskPort, 'hostIp' | 'hostPort' | 'protocol'> }[] = [];
  const found: Diagnostic[] = [];
  for (const [name, spec] of chosen) {
    if (networkKindOf(spec) !== 'own' || replicasOf(name, spec, deployment.options) === 0) continue;
    for (const [index, wish] of (spec.ports ?? []).entries()) {
      const range = portRange(wish.published);
      if (range === null || range.first !== range.last || range.first === 0) continue;
      const port = { hostIp: wish.host_ip ?? '', hostPort: range.first, protocol: wish.protocol === 'udp' ? 'udp' as const : 'tcp' as const };
      const rival = seen.find((one) => one.name !== name && clashes(one.port, port));
      if (rival !== undefined) found.push(problem({ code: 'CLUSTER_PORT_IN_USE', message: `services ${rival.name} and ${name} both publish port ${port.hostPort}/${port.protocol}`, hint: 'publish another port for one of them', path: `services.${name}.ports[${index}]` }));
      seen.push({ name, port });
    }
  }
  return found;
}
