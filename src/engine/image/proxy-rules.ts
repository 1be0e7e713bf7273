import { cidrHasIp, parseCidr, parseIp } from '../../base/cidr.ts';
import { Secret } from '../../base/secret.ts';
import { isLoopback } from './loopback.ts';

/** The proxies that registries are reached through; '' where there is none. A URL may hold a name and a password. */
export type ProxySettings = { readonly httpProxy: Secret; readonly httpsProxy: Secret; readonly noProxy: string };

/** `name` is the address without its credentials: the one to print. `url` is null where the setting can't be used. */
export type Proxy = { readonly url: Secret | null; readonly name: string };

export const noProxies: ProxySettings = { httpProxy: new Secret(''), httpsProxy: new Secret(''), noProxy: '' };

/** As in Docker's daemon: capitals count before small letters. Source: golang.org/x/net/http/httpproxy, FromEnvironment. */
export function proxiesOfEnvironment(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const valueOf = (name: string): string => env[name] || env[name.toLowerCase()] || '';
  return { httpProxy: new Secret(valueOf('HTTP_PROXY')), httpsProxy: new Secret(valueOf('HTTPS_PROXY')), noProxy: valueOf('NO_PROXY') };
}

/** The proxy for a URL, or null: directly. Loopback always is. Source: the same package, Config.ProxyFunc. */
export function proxyFor(url: URL, settings: ProxySettings): Proxy | null {
  const given = (url.protocol === 'https:' ? settings.httpsProxy : settings.httpProxy).reveal();
  if (given === '' || isLoopback(url.host) || isExcepted(url, settings.noProxy)) return null;
  return readProxy(given);
}

/** `host:port` is one of http. */
export function readProxy(text: string): Proxy {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return { url: null, name: 'that is no URL' };
  const url = new URL(full);
  const name = `${url.protocol}//${url.host}`;
  const isUsable = (url.protocol === 'http:' || url.protocol === 'https:') && url.host !== '' && isDecodable(url.username) && isDecodable(url.password);
  return { url: isUsable ? new Secret(url.href) : null, name };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** `*`, or a list of hosts, domains (`.d` and `*.d`: only what is below; `d`: itself too), addresses and networks; all but networks with a port, if wanted. */
function isExcepted(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const ip = parseIp(host);
  return noProxy.split(',').map((one) => one.trim().toLowerCase()).some((rule) => {
    if (rule === '*') return true;
    const network = parseCidr(rule);
    if (network !== null) return ip !== null && cidrHasIp(network, ip);
    const { name, portWanted } = splitPort(rule);
    if (name === '' || (portWanted !== '' && portWanted !== port)) return false;
    const ruleIp = parseIp(name);
    if (ruleIp !== null) return ip !== null && ip.family === ruleIp.family && ip.value === ruleIp.value;
    const below = name.startsWith('*.') ? name.slice(1) : name.startsWith('.') ? name : `.${name}`;
    return host.endsWith(below) || host === name;
  });
}

function splitPort(rule: string): { readonly name: string; readonly portWanted: string } {
  const [, bracketed, plain, portWanted = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(rule) ?? [null, undefined, rule, ''];
  return { name: bracketed ?? plain ?? '', portWanted };
}
