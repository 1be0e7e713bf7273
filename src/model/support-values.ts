import type { Service } from './project.ts';

/** Of a key that is honoured in part: the values that are, in words for the documents, and whether one is refused. */
export type ValueRule = { readonly words: string; readonly isRefused: (value: unknown, service: Service | null) => boolean };

/** The rules of all keys that model/support.ts calls `partly`, by the same paths. */
export const valueRules: Readonly<Record<string, ValueRule>> = {
  build: { words: 'beside `image`, which is then used', isRefused: (_value, service) => service?.image === undefined || service.image === '' },
  devices: { words: 'a path on the host', isRefused: (value) => listOf(value).some((one) => isDevice(one) && (one.target === undefined || one.target === '') && one.source?.startsWith('/') !== true) },
  ipc: { words: '`private` `shareable` `host` `none` `service:…`', isRefused: (value) => !isOneOf(value, ['private', 'shareable', 'host', 'none']) && !isOfService(value) },
  logging: { words: '`local` `json-file` (taken as local) `none`, with `max-size` and `max-file`', isRefused: (value) => isRecord(value) && !isLogging(value) },
  network_mode: { words: '`none` `host` `bridge` `service:…` `container:…`', isRefused: (value) => !isOneOf(value, ['none', 'host', 'bridge', 'default']) && !isOfService(value) && !(typeof value === 'string' && value.startsWith('container:')) },
  pid: { words: '`host` `service:…`', isRefused: (value) => value !== 'host' && !isOfService(value) },
  pull_policy: { words: '`always` `missing` `if_not_present` `never`', isRefused: (value) => !isOneOf(value, ['always', 'missing', 'if_not_present', 'never']) },
  security_opt: { words: '`seccomp=unconfined` `no-new-privileges` `apparmor=unconfined` `label=disable`', isRefused: (value) => listOf(value).some((one) => typeof one !== 'string' || !isSecurityOption(one)) },
  userns_mode: { words: '`host`', isRefused: (value) => value !== 'host' },
  uts: { words: '`host` `private`', isRefused: (value) => !isOneOf(value, ['host', 'private']) },
  volumes: { words: 'types `volume` `bind` `tmpfs`', isRefused: (value) => listOf(value).some((one) => isRecord(one) && !isOneOf(one['type'], ['bind', 'volume', 'tmpfs'])) },
  'deploy.endpoint_mode': { words: '`dnsrr`, and `vip`, which is the same here', isRefused: (value) => value !== 'dnsrr' && value !== 'vip' },
  'deploy.mode': { words: '`replicated`', isRefused: (value) => value !== 'replicated' },
  'ports.*.protocol': { words: '`tcp` `udp`', isRefused: (value) => value !== 'tcp' && value !== 'udp' },
  'networks.*.driver': { words: '`bridge` `overlay` `default`', isRefused: (value) => !isOneOf(value, ['bridge', 'overlay', 'default']) },
  'networks.*.driver_opts': { words: '`com.docker.network.driver.mtu`; a name for the bridge, which there is none; what is so anyway (`enable_icc` and `enable_ip_masquerade` true, `encrypted` on one node)', isRefused: (value) => isRecord(value) && Object.entries(value).some(([key, option]) => !isNetworkOption(key, option)) },
  'networks.*.enable_ipv4': { words: '`true`', isRefused: (value) => value === false },
  'networks.*.ipam.driver': { words: '`default`', isRefused: (value) => value !== 'default' },
  'volumes.*.driver': { words: '`local`', isRefused: (value) => value !== 'local' },
};

/** Options of a network that mean something here, or ask for what is so anyway. */
function isNetworkOption(name: string, value: unknown): boolean {
  switch (name) {
    case 'com.docker.network.driver.mtu':
    case 'com.docker.network.bridge.name':
    case 'encrypted':
      return true;
    case 'com.docker.network.bridge.enable_icc':
    case 'com.docker.network.bridge.enable_ip_masquerade':
      return String(value) === 'true';
    default:
      return false;
  }
}

function isSecurityOption(text: string): boolean {
  const [name = '', value] = text.split(/[:=](.*)/s);
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
