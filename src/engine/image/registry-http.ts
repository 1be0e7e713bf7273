import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AppError } from '../../base/app-error.ts';
import { errorName } from '../../os/libc.ts';
import { noProxies, type Proxy, proxyFor, type ProxySettings } from './proxy-rules.ts';
import type { Endpoint } from './registry-endpoints.ts';

export type HttpAnswer = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: IncomingMessage; readonly url: URL };

export type HttpAsk = {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
};

/** No byte for this long and the connection is given up. */
const silenceMs = 30_000;
const redirectsMax = 5;

export type RegistryHttp = {
  /**
   * Follows redirects. `Authorization` goes to the host it was made for and to no other.
   * Errors: the system's own (`ECONNREFUSED`), Node's `ERR_PROXY_TUNNEL`; ENGINE_REGISTRY_ANSWER for redirects that lead nowhere good, or
   * ENGINE_PROXY_FAILED for a proxy that can't be used, or wants other credentials.
   */
  readonly ask: (endpoint: Endpoint, ask: HttpAsk) => Promise<HttpAnswer>;
  /** What stands between here and a URL; null: nothing. */
  readonly proxyFor: (url: URL) => Proxy | null;
  readonly close: () => void;
};

export function openRegistryHttp(proxies: ProxySettings = noProxies): RegistryHttp {
  const direct = openAgents(null);
  // A proxy's connections are kept as a registry's are; it is one for http and one for https, as often as not the same.
  const throughProxy = new Map<string, Agents>();
  const agentsFor = (proxy: Proxy | null): Agents => {
    if (proxy === null) return direct;
    if (proxy.url === null) throw new AppError({ code: 'ENGINE_PROXY_FAILED', message: `the proxy for registries can't be used: ${proxy.name}`, hint: 'HTTP_PROXY and HTTPS_PROXY take http://host:port or https://host:port, a name and a password in it percent-encoded' });
    const url = proxy.url.reveal();
    const agents = throughProxy.get(url) ?? openAgents(url);
    throughProxy.set(url, agents);
    return agents;
  };
  const once = async (endpoint: Endpoint, ask: HttpAsk): Promise<HttpAnswer> => {
    const proxy = proxyFor(ask.url, proxies);
    const agents = agentsFor(proxy);
    const isSameHost = ask.url.host === endpoint.base.host;
    const https = endpoint.checksCertificate || !isSameHost ? agents.checked : agents.unchecked;
    const answer = await send(ask, ask.url.protocol === 'http:' ? agents.plain : https);
    if (answer.status !== 407 || proxy === null) return answer;
    answer.body.destroy();
    throw proxyRefusal(proxy, ask.url, `status ${answer.status}`);
  };
  return {
    proxyFor: (url) => proxyFor(url, proxies),
    ask: async (endpoint, first) => {
      let ask = first;
      for (let hop = 0; ; hop += 1) {
        const answer = await once(endpoint, ask);
        const place = answer.headers.location;
        if (answer.status < 300 || answer.status >= 400 || answer.status === 304 || place === undefined) return answer;
        answer.body.resume();
        ask = redirected(ask, place, hop);
      }
    },
    close: () => {
      for (const { plain, checked, unchecked } of [direct, ...throughProxy.values()]) for (const agent of [plain, checked, unchecked]) agent.destroy();
    },
  };
}

type Agents = { readonly plain: HttpAgent; readonly checked: HttpsAgent; readonly unchecked: HttpsAgent };

/** NOTE: which requests go through the proxy is decided here (Node knows no networks in NO_PROXY), so the agents get no exceptions. */
function openAgents(proxyUrl: string | null): Agents {
  const options = { keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: silenceMs, ...(proxyUrl === null ? {} : { proxyEnv: { http_proxy: proxyUrl, https_proxy: proxyUrl } }) };
  return { plain: new HttpAgent(options), checked: new HttpsAgent(options), unchecked: new HttpsAgent({ ...options, rejectUnauthorized: false }) };
}

/** Node's words name the proxy by its whole URL, so they are not passed on. */
export function proxyRefusal(proxy: Proxy, url: URL, reason: string): AppError {
  return new AppError({ code: 'ENGINE_PROXY_FAILED', message: `the proxy ${proxy.name} does not let ${url.host} be reached: ${reason}`, hint: 'check the proxy and its credentials in HTTPS_PROXY and HTTP_PROXY (docs/configuration.md), or name the registry in NO_PROXY' });
}

function redirected(ask: HttpAsk, place: string, hop: number): HttpAsk {
  if (hop >= redirectsMax || !URL.canParse(place, ask.url.href)) throw badRedirect(ask.url, hop >= redirectsMax ? 'in circles' : 'to what is no address');
  const url = new URL(place, ask.url);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && ask.url.protocol === 'http:')) throw badRedirect(ask.url, `to ${url.protocol}, which is not encrypted`);
  // NOTE: a token for one host must never reach another, nor the same host on another port (CVE-2020-15157).
  const headers = url.origin === ask.url.origin ? ask.headers : Object.fromEntries(Object.entries(ask.headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
  return { ...ask, url, headers };
}

function badRedirect(url: URL, where: string): AppError {
  return new AppError({ code: 'ENGINE_REGISTRY_ANSWER', message: `the registry ${url.host} redirects ${where}` });
}

function send(ask: HttpAsk, agent: HttpAgent | HttpsAgent): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const options = { method: ask.method, headers: { 'user-agent': 'flotilla', ...ask.headers }, agent, signal: ask.signal, timeout: silenceMs };
    const take = (body: IncomingMessage): void => resolve({ status: body.statusCode ?? 0, headers: body.headers, body, url: ask.url });
    const request = ask.url.protocol === 'http:' ? httpRequest(ask.url, options, take) : httpsRequest(ask.url, options, take);
    request.on('timeout', () => request.destroy(Object.assign(new Error(`no byte for ${silenceMs / 1000} s`), { code: 'ETIMEDOUT' })));
    request.on('error', reject);
    request.end(ask.body);
  });
}

/** The whole body, refused above the limit. */
export async function readBody(answer: HttpAnswer, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer.body) {
    const chunk = Buffer.from(part);
    size += chunk.length;
    if (size > bytesMax) {
      answer.body.destroy();
      throw new AppError({ code: 'ENGINE_REGISTRY_ANSWER', message: `the registry ${answer.url.host} answers more than ${bytesMax} bytes where a small document is due` });
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** Whether another try may help: the line was cut, or the name server had no answer yet. */
export function isPassing(error: unknown): boolean {
  const name = errorName(error) ?? '';
  if (name === 'ERR_PROXY_TUNNEL') return (tunnelStatus(error) ?? 500) >= 500;
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'].includes(name);
}

/** What a proxy answered that would not lead on; null where it answered nothing, or the error is another. */
export function tunnelStatus(error: unknown): number | null {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : null;
}
