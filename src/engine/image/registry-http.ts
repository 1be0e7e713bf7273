import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AppError } from '../../base/app-error.ts';
import { errorName } from '../../os/libc.ts';
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
   * Errors: the system's own (`ECONNREFUSED`), or ENGINE_REGISTRY_ANSWER for redirects that lead nowhere good.
   */
  readonly ask: (endpoint: Endpoint, ask: HttpAsk) => Promise<HttpAnswer>;
  readonly close: () => void;
};

export function openRegistryHttp(): RegistryHttp {
  const options = { keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: silenceMs };
  const plain = new HttpAgent(options);
  const checked = new HttpsAgent(options);
  const unchecked = new HttpsAgent({ ...options, rejectUnauthorized: false });
  const once = (endpoint: Endpoint, ask: HttpAsk): Promise<HttpAnswer> => {
    const isSameHost = ask.url.host === endpoint.base.host;
    const https = endpoint.checksCertificate || !isSameHost ? checked : unchecked;
    return send(ask, ask.url.protocol === 'http:' ? plain : https);
  };
  return {
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
      for (const agent of [plain, checked, unchecked]) agent.destroy();
    },
  };
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
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'].includes(name);
}
