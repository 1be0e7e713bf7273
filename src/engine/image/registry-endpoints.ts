import { isLoopback } from './loopback.ts';
import type { ProxySettings } from './proxy-rules.ts';

/** Where registries are found and how far each is trusted: the daemon's configuration. */
export type RegistrySettings = {
  /** For each registry, the places to ask before it. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  /** `host[:port]` whose certificate isn't checked, or that speaks plain http. Loopback needs no entry. */
  readonly insecure: readonly string[];
  /** Absent: all are reached directly. */
  readonly proxies?: ProxySettings;
};

/** One place to ask. `registry` is the domain of the image's name: credentials belong to it, or to the mirror's own host. */
export type Endpoint = { readonly base: URL; readonly isMirror: boolean; readonly checksCertificate: boolean; readonly credentialsOf: string; /** How often it is asked before the next place is. */ readonly attemptsMax: number };

const attempts = { mirror: 2, beforePlain: 1, last: 4 } as const;
const dockerHubHost = 'registry-1.docker.io';

/** The places for a registry in the order to ask them: mirrors first. Plain http only on loopback and where it is allowed by name. */
export function endpointsOf(domain: string, settings: RegistrySettings): Endpoint[] {
  const mirrors = (settings.mirrors[domain] ?? []).flatMap((text) => mirrorEndpoint(text, settings));
  const host = domain === 'docker.io' ? dockerHubHost : domain;
  const isInsecure = settings.insecure.includes(domain) || isLoopback(host);
  const secure: Endpoint = { base: new URL(`https://${host}/`), isMirror: false, checksCertificate: !isInsecure, credentialsOf: domain, attemptsMax: isInsecure ? attempts.beforePlain : attempts.last };
  return [...mirrors, secure, ...(isInsecure ? [{ ...secure, base: new URL(`http://${host}/`), attemptsMax: attempts.last }] : [])];
}

function mirrorEndpoint(text: string, settings: RegistrySettings): Endpoint[] {
  if (!URL.canParse(text)) return [];
  const base = new URL(text.endsWith('/') ? text : `${text}/`);
  const isInsecure = settings.insecure.includes(base.host) || isLoopback(base.host);
  if (base.protocol === 'http:' ? !isInsecure : base.protocol !== 'https:') return [];
  return [{ base, isMirror: true, checksCertificate: !isInsecure, credentialsOf: base.host, attemptsMax: attempts.mirror }];
}

/** Mirrors of the configuration that can't be used, for the log and `info`. */
export function refusedMirrors(settings: RegistrySettings): string[] {
  return Object.values(settings.mirrors).flatMap((list) => list.filter((text) => mirrorEndpoint(text, settings).length === 0));
}
