import { AppError } from '../base/app-error.ts';
import { parseCidr } from '../base/cidr.ts';
import { rootDirOf, runDirOf, socketPathOf } from '../base/daemon-dirs.ts';
import { Secret } from '../base/secret.ts';
import { proxiesOfEnvironment, type ProxySettings, readProxy } from '../engine/image/proxy-rules.ts';
import { refusedMirrors } from '../engine/image/registry-endpoints.ts';
import { readTextIfThere } from '../os/files.ts';

/** What the daemon is told from outside: the environment names the places, the file the rest. */
export type DaemonConfig = {
  /** Images, containers, volumes, the store. */
  readonly rootDir: string;
  /** Sockets, namespaces, secrets: a tmpfs, empty after a reboot. */
  readonly runDir: string;
  readonly socketPath: string;
  readonly registries: {
    /** Registry host → base URLs that are asked before it. */
    readonly mirrors: Readonly<Record<string, readonly string[]>>;
    /** Hosts that may be spoken to without TLS; loopback always may. */
    readonly insecure: readonly string[];
    /** Of the file; where it is silent, of the environment. */
    readonly proxies: ProxySettings;
  };
  /** Empty: Docker's own. */
  readonly addressPools: readonly { readonly cidr: string; readonly prefixLength: number }[];
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
};

export async function readConfig(env: Readonly<Record<string, string | undefined>>): Promise<DaemonConfig> {
  const file = env['FLOTILLA_CONFIG'] ?? '/etc/flotilla/config.json';
  const given = parseConfig(await readTextIfThere(file), file);
  return {
    rootDir: rootDirOf(env), runDir: runDirOf(env), socketPath: socketPathOf(env),
    registries: { ...given.registries, proxies: { ...proxiesOfEnvironment(env), ...given.proxies } },
    addressPools: given.addressPools,
    logLevel: given.logLevel,
  };
}

type Given = Pick<DaemonConfig, 'addressPools' | 'logLevel'> & { readonly registries: Omit<DaemonConfig['registries'], 'proxies'>; readonly proxies: Partial<ProxySettings> };

/** Every key is known or refused; all errors of the file come at once. */
export function parseConfig(text: string | null, file: string): Given {
  const errors: string[] = [];
  const value = text === null ? {} : parseJson(text, file);
  const root = record(value, 'the file', errors);
  refuseUnknown(root, ['registries', 'proxies', 'addressPools', 'logLevel'], '', errors);
  const registries = record(root['registries'] ?? {}, 'registries', errors);
  refuseUnknown(registries, ['mirrors', 'insecure'], 'registries.', errors);
  const mirrors: Record<string, readonly string[]> = {};
  for (const [host, urls] of Object.entries(record(registries['mirrors'] ?? {}, 'registries.mirrors', errors))) mirrors[host] = texts(urls, `registries.mirrors.${host}`, errors);
  const insecure = texts(registries['insecure'] ?? [], 'registries.insecure', errors);
  for (const mirror of refusedMirrors({ mirrors, insecure })) errors.push(`registries.mirrors: ${mirror} must be an https URL, or an http one of a host on loopback or listed in registries.insecure`);
  const proxies = proxiesOf(record(root['proxies'] ?? {}, 'proxies', errors), errors);
  const addressPools = pools(root['addressPools'] ?? [], errors);
  const logLevel = root['logLevel'] ?? 'info';
  const isLevel = logLevel === 'debug' || logLevel === 'info' || logLevel === 'warn' || logLevel === 'error';
  if (!isLevel) errors.push('logLevel must be debug, info, warn or error');
  if (errors.length > 0) throw new AppError({ code: 'DAEMON_BAD_CONFIG', message: `${file}: ${errors.join('; ')}`, hint: 'docs/configuration.md lists the keys' });
  return { registries: { mirrors, insecure }, proxies, addressPools, logLevel: isLevel ? logLevel : 'info' };
}

/** Docker's own names for them. The values may hold passwords, so a complaint does not repeat them. */
function proxiesOf(given: Record<string, unknown>, errors: string[]): Partial<ProxySettings> {
  refuseUnknown(given, ['httpProxy', 'httpsProxy', 'noProxy'], 'proxies.', errors);
  const found: { -readonly [K in keyof ProxySettings]?: ProxySettings[K] } = {};
  for (const name of ['httpProxy', 'httpsProxy'] as const) {
    const value = given[name];
    if (value === undefined) continue;
    if (typeof value === 'string' && (value === '' || readProxy(value).url !== null)) found[name] = new Secret(value);
    else errors.push(`proxies.${name} must be the URL of a proxy, as http://proxy.example.com:3128`);
  }
  const { noProxy } = given;
  if (typeof noProxy === 'string') found.noProxy = noProxy;
  else if (noProxy !== undefined) errors.push('proxies.noProxy must be a text: hosts, .domains and networks with commas between them');
  return found;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError({ code: 'DAEMON_BAD_CONFIG', message: `${file} is not JSON: ${cause instanceof Error ? cause.message : ''}`, cause });
  }
}

function record(value: unknown, what: string, errors: string[]): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.fromEntries(Object.entries(value));
  errors.push(`${what} must be an object`);
  return {};
}

function refuseUnknown(value: Record<string, unknown>, known: readonly string[], prefix: string, errors: string[]): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) errors.push(`unknown key ${prefix}${key} (known: ${known.join(', ')})`);
}

function texts(value: unknown, what: string, errors: string[]): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  errors.push(`${what} must be a list of strings`);
  return [];
}

function pools(value: unknown, errors: string[]): DaemonConfig['addressPools'] {
  if (!Array.isArray(value)) {
    errors.push('addressPools must be a list');
    return [];
  }
  return value.flatMap((one: unknown, index) => {
    const pool = record(one, `addressPools[${index}]`, errors);
    const { cidr, prefixLength } = pool;
    refuseUnknown(pool, ['cidr', 'prefixLength'], `addressPools[${index}].`, errors);
    if (typeof cidr !== 'string' || typeof prefixLength !== 'number') {
      errors.push(`addressPools[${index}] needs cidr and prefixLength`);
      return [];
    }
    const parsed = parseCidr(cidr);
    if (parsed === null || parsed.family !== 4) errors.push(`addressPools[${index}].cidr must be an IPv4 subnet as 10.200.0.0/16, not "${cidr}"`);
    else if (!Number.isInteger(prefixLength) || prefixLength < parsed.prefix || prefixLength > 29) errors.push(`addressPools[${index}].prefixLength must be a whole number from ${parsed.prefix} to 29, not ${prefixLength}`);
    return [{ cidr, prefixLength }];
  });
}
