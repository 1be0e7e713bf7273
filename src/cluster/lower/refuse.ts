import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Project, Service } from '../../model/project.ts';
import { serviceKeySupport, serviceSubkeySupport, topLevelKeySupport, type KeySupport } from '../../model/support.ts';

/**
 * Every key of the selected services, and of the networks, volumes, secrets and configs they use, that this version does not
 * honour, all at once. The texts are those of model/support.ts; what decides on values is here. Paths are into the model.
 */
export function refuse(project: Project, serviceNames: readonly string[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  const used = { networks: new Set<string>(), volumes: new Set<string>(), secrets: new Set<string>(), configs: new Set<string>() };
  for (const name of serviceNames) {
    const service = project.services[name];
    if (service === undefined) continue;
    found.push(...refuseService(name, service));
    for (const key of Object.keys(service.networks ?? {})) used.networks.add(key);
    for (const mount of service.volumes ?? []) if (mount.type === 'volume' && mount.source !== undefined) used.volumes.add(mount.source);
    for (const one of service.secrets ?? []) if (one.source !== undefined) used.secrets.add(one.source);
    for (const one of service.configs ?? []) if (one.source !== undefined) used.configs.add(one.source);
  }
  for (const section of ['networks', 'volumes', 'secrets', 'configs'] as const) {
    for (const key of [...used[section]].sort()) found.push(...walk(project[section]?.[key], [section, key], topLevelKeySupport));
  }
  return found;
}

function refuseService(name: string, service: Service): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [key, value] of Object.entries(service)) {
    if (isUnset(value) || key.startsWith('x-')) continue;
    const support = Object.hasOwn(serviceKeySupport, key) ? serviceKeySupport[key] : undefined;
    if (support === undefined) continue;
    if (isRefused(support, key, value, service)) found.push(refusal(`services.${name}.${key}`, `service ${name}: ${key}`, support));
    else found.push(...walkInto(value, { pattern: [key], path: `services.${name}.${key}`, what: `service ${name}: ${key}` }, serviceSubkeySupport, service));
  }
  return found;
}

type Position = { readonly pattern: readonly string[]; readonly path: string; readonly what: string };

function walk(value: unknown, [section, key]: readonly [string, string], table: Readonly<Record<string, KeySupport>>): Diagnostic[] {
  return walkInto(value, { pattern: [section, '*'], path: `${section}.${key}`, what: `${section.slice(0, -1)} ${key}:` }, table, null);
}

/** Looks up every position below `value` in the table; names and indexes also match `*`. */
function walkInto(value: unknown, position: Position, table: Readonly<Record<string, KeySupport>>, service: Service | null): Diagnostic[] {
  if (typeof value !== 'object' || value === null) return [];
  const found: Diagnostic[] = [];
  for (const [key, inner] of Object.entries(value)) {
    if (isUnset(inner) || key.startsWith('x-')) continue;
    const isItem = Array.isArray(value);
    const path = isItem ? `${position.path}[${key}]` : `${position.path}.${key}`;
    for (const segment of isItem ? ['*'] : [key, '*']) {
      const pattern = [...position.pattern, segment];
      const name = pattern.join('.');
      const next = { pattern, path, what: isItem ? position.what : `${position.what} ${key}` };
      const support = Object.hasOwn(table, name) ? table[name] : undefined;
      if (support !== undefined && isRefused(support, name, inner, service)) found.push(refusal(path, next.what, support));
      else if (Object.keys(table).some((one) => one.startsWith(`${name}.`))) found.push(...walkInto(inner, next, table, service));
    }
  }
  return found;
}

function refusal(path: string, what: string, support: KeySupport): Diagnostic {
  const [reason, hint] = support.kind === 'refused' || support.kind === 'partly' ? [support.reason, support.hint] : ['', ''];
  return { severity: 'error', code: 'CLUSTER_KEY_REFUSED', message: `${what} is not supported: ${reason}`, hint, line: 0, column: 0, path };
}

function isRefused(support: KeySupport, name: string, value: unknown, service: Service | null): boolean {
  if (support.kind === 'refused') return true;
  if (support.kind !== 'partly') return false;
  const decide = Object.hasOwn(partial, name) ? partial[name] : undefined;
  return decide === undefined || decide(value, service);
}

/** Values of keys that are honoured in part: true refuses. */
const partial: Readonly<Record<string, (value: unknown, service: Service | null) => boolean>> = {
  build: (_value, service) => service?.image === undefined || service.image === '',
  devices: (value) => listOf(value).some((one) => isDevice(one) && (one.target === undefined || one.target === '') && one.source?.startsWith('/') !== true),
  ipc: (value) => !isOneOf(value, ['private', 'shareable', 'host', 'none']) && !isOfService(value),
  logging: (value) => isRecord(value) && !isLogging(value),
  network_mode: (value) => !isOneOf(value, ['none', 'host', 'bridge', 'default']) && !isOfService(value) && !(typeof value === 'string' && value.startsWith('container:')),
  pid: (value) => value !== 'host' && !isOfService(value),
  pull_policy: (value) => typeof value !== 'string' || !/^(always|missing|if_not_present|never|build|daily|weekly|every_.+)$/.test(value),
  security_opt: (value) => listOf(value).some((one) => typeof one !== 'string' || !isSecurityOption(one)),
  userns_mode: (value) => value !== 'host',
  uts: (value) => !isOneOf(value, ['host', 'private']),
  volumes: (value) => listOf(value).some((one) => isRecord(one) && !isOneOf(one['type'], ['bind', 'volume', 'tmpfs'])),
  'deploy.endpoint_mode': (value) => value !== 'dnsrr' && value !== 'vip',
  'deploy.mode': (value) => value !== 'replicated',
  'ports.*.protocol': (value) => value !== 'tcp' && value !== 'udp',
  'networks.*.driver': (value) => !isOneOf(value, ['bridge', 'overlay', 'default']),
  'networks.*.driver_opts': (value) => isRecord(value) && Object.keys(value).some((key) => !networkOptions.has(key)),
  'networks.*.enable_ipv4': (value) => value === false,
  'networks.*.ipam.driver': (value) => value !== 'default',
  'volumes.*.driver': (value) => value !== 'local',
};

/** Options of a network that mean something here, or are true of every network. */
const networkOptions: ReadonlySet<string> = new Set(['com.docker.network.driver.mtu', 'com.docker.network.bridge.enable_icc', 'com.docker.network.bridge.enable_ip_masquerade', 'com.docker.network.bridge.name', 'encrypted']);

function isSecurityOption(text: string): boolean {
  const [name = '', value] = text.split(/[:=](.*)/s);
  // The command replaces a profile's path by its text.
  if (name === 'seccomp') return value === 'unconfined' || value?.trimStart().startsWith('{') === true;
  if (name === 'no-new-privileges') return value === undefined || value === '' || value === 'true' || value === 'false';
  if (name === 'apparmor') return value === 'unconfined';
  return name === 'label' && value === 'disable';
}

function isLogging(value: Readonly<Record<string, unknown>>): boolean {
  const driver = value['driver'] ?? 'local';
  const options = isRecord(value['options']) ? Object.keys(value['options']) : [];
  if (driver === 'none') return true;
  return isOneOf(driver, ['local', 'json-file', '']) && options.every((one) => isOneOf(one, ['max-size', 'max-file', 'compress', 'mode', 'tag', 'labels', 'env']));
}

function isOfService(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith('service:');
}

function isOneOf(value: unknown, allowed: readonly string[]): boolean {
  return typeof value === 'string' && allowed.includes(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDevice(value: unknown): value is { readonly source?: string; readonly target?: string } {
  return isRecord(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** An empty value asks for nothing. */
function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
