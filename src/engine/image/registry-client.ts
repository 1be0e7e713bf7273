import type { ImageReference } from '../../base/image-reference.ts';
import { familiarText, referenceText } from '../../base/image-reference.ts';
import { AppError, isAppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { errorName } from '../../os/libc.ts';
import { acceptedManifests } from './manifest.ts';
import type { Descriptor } from './manifest.ts';
import { denied, openRegistryAuth } from './registry-auth.ts';
import type { CredentialSource } from './registry-credentials.ts';
import { endpointsOf } from './registry-endpoints.ts';
import type { Endpoint, RegistrySettings } from './registry-endpoints.ts';
import { isPassing, openRegistryHttp, proxyRefusal, readBody, tunnelStatus } from './registry-http.ts';
import type { Proxy } from './proxy-rules.ts';
import type { HttpAnswer } from './registry-http.ts';

export type ManifestAnswer = { readonly body: Buffer; readonly contentType: string; readonly statedDigest: string };

/** A blob's bytes from `offset`; the server may have begun at 0 all the same, and `offset` says where it did. */
export type BlobAnswer = { readonly offset: number; readonly stream: AsyncIterable<Uint8Array>; readonly destroy: () => void };

export type RegistryClient = {
  readonly manifest: (reference: ImageReference, target: string, signal: AbortSignal) => Promise<ManifestAnswer>;
  readonly blob: (reference: ImageReference, blob: Descriptor, offset: number, signal: AbortSignal) => Promise<BlobAnswer>;
  /** Waits before the next try of something; grows from try to try, with jitter. */
  readonly pause: (attempt: number, signal: AbortSignal) => Promise<void>;
  readonly close: () => void;
};

export type RegistryOptions = { readonly settings: RegistrySettings; readonly credentials: CredentialSource; readonly clock: Clock; readonly random: Random; readonly log: Log };

const backoffMs = 200;
const backoffMaxMs = 5_000;
const retryAfterMaxMs = 60_000;

/** Speaks the distribution protocol with the places of one registry, in their order: the first that has it answers. */
export function openRegistryClient(options: RegistryOptions): RegistryClient {
  const http = openRegistryHttp(options.settings.proxies);
  const auth = openRegistryAuth(http, options.credentials, options.clock);
  const pause = async (attempt: number, signal: AbortSignal): Promise<void> => {
    await options.clock.sleep(backoffAfter(attempt, options.random), signal);
  };

  const askOnce = async (endpoint: Endpoint, repository: string, what: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpAnswer> => {
    const url = new URL(`v2/${repository}/${what}`, endpoint.base);
    for (let round = 0; ; round += 1) {
      const header = auth.header(endpoint, repository);
      const answer = await http.ask(endpoint, { method: 'GET', url, headers: { ...headers, ...(header === null ? {} : { authorization: header.reveal() }) }, signal });
      if (answer.status !== 401) return answer;
      answer.body.resume();
      // NOTE: only the registry itself may ask for credentials, never a host that it redirected to.
      const isOwn = answer.url.origin === endpoint.base.origin;
      if (!isOwn || round > 0 || !(await auth.meet(endpoint, repository, answer.headers['www-authenticate'] ?? '', signal))) throw denied(endpoint, repository, header !== null);
    }
  };

  /** Tries one place until it answers something final. */
  const askPlace = async (endpoint: Endpoint, repository: string, what: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpAnswer> => {
    for (let attempt = 0; ; attempt += 1) {
      const isLast = attempt + 1 >= endpoint.attemptsMax;
      let waitMs = 0;
      try {
        const answer = await askOnce(endpoint, repository, what, headers, signal);
        if (answer.status === 200 || answer.status === 206) return answer;
        const text = (await readBody(answer, 64 * 1024)).toString('utf8');
        const isBusy = answer.status === 429 || answer.status >= 500;
        if (!isBusy || isLast) throw statusError(endpoint, repository, what, answer.status, text);
        waitMs = retryAfterMs(answer.headers['retry-after'], options.clock.nowMs());
      } catch (error) {
        signal.throwIfAborted();
        if (isAppError(error)) throw error;
        if (isLast || !isPassing(error)) throw unreachableError(endpoint, http.proxyFor(endpoint.base), error);
      }
      options.log.debug('engine.registry-retry', { host: endpoint.base.host, what, attempt });
      if (waitMs > 0) await options.clock.sleep(Math.min(waitMs, retryAfterMaxMs), signal);
      else await pause(attempt, signal);
    }
  };

  const ask = async (reference: ImageReference, what: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpAnswer> => {
    const failures: AppError[] = [];
    for (const endpoint of endpointsOf(reference.domain, options.settings)) {
      try {
        return await askPlace(endpoint, reference.path, what, headers, signal);
      } catch (error) {
        if (!isAppError(error)) throw error;
        failures.push(error);
      }
    }
    throw worst(failures, reference);
  };

  return {
    manifest: async (reference, target, signal) => {
      const answer = await ask(reference, `manifests/${target}`, { accept: acceptedManifests.join(', ') }, signal);
      const stated = answer.headers['docker-content-digest'];
      return { body: await readBody(answer, limits.manifestBytesMax), contentType: answer.headers['content-type'] ?? '', statedDigest: typeof stated === 'string' ? stated : '' };
    },
    blob: async (reference, blob, offset, signal) => {
      const answer = await ask(reference, `blobs/${blob.digest}`, offset > 0 ? { range: `bytes=${offset}-` } : {}, signal);
      return { offset: beginOf(answer, blob.digest, offset), stream: answer.body, destroy: () => answer.body.destroy() };
    },
    pause,
    close: () => http.close(),
  };
}

/** Doubles with each attempt up to a bound; half of it is chance, so that many that failed together don't come back together. */
function backoffAfter(attempt: number, random: Random): number {
  const fullMs = Math.min(backoffMaxMs, backoffMs * 2 ** attempt);
  return fullMs / 2 + (random.float() * fullMs) / 2;
}

/** Where the bytes of an answer begin: at the offset that was asked for, or at 0 from a server that knows no ranges. */
function beginOf(answer: HttpAnswer, digest: string, offset: number): number {
  const begun = answer.status === 206 ? Number(/^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] ?? Number.NaN) : 0;
  if (begun === 0 || begun === offset) return begun;
  answer.body.destroy();
  throw new AppError({ code: 'ENGINE_REGISTRY_ANSWER', message: `${answer.url.host} answers another part of ${digest} than was asked for` });
}

function statusError(endpoint: Endpoint, repository: string, what: string, status: number, body: string): AppError {
  const host = endpoint.base.host;
  if (status === 404) return new AppError({ code: 'ENGINE_PULL_NOT_FOUND', message: `${host} has no ${repository} ${what}` });
  if (status === 401 || status === 403) return denied(endpoint, repository, status === 403);
  if (status === 429) return new AppError({ code: 'ENGINE_PULL_RATE_LIMITED', message: `${host} allows no more pulls for now`, hint: `log in (docker login ${endpoint.credentialsOf}), or configure a mirror` });
  if (status >= 500) return new AppError({ code: 'ENGINE_REGISTRY_DOWN', message: `${host} fails with status ${status}`, hint: 'try again later, or configure a mirror' });
  const detail = body.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
  return new AppError({ code: 'ENGINE_REGISTRY_ANSWER', message: `${host} answers status ${status} for ${repository} ${what}: ${detail}` });
}

function unreachableError(endpoint: Endpoint, proxy: Proxy | null, error: unknown): AppError {
  if (proxy !== null && errorName(error) === 'ERR_PROXY_TUNNEL') {
    const status = tunnelStatus(error);
    return proxyRefusal(proxy, endpoint.base, status === null ? 'it ended the connection' : `status ${status}`);
  }
  const reason = errorName(error) ?? (error instanceof Error ? error.message : String(error));
  return new AppError({ code: 'ENGINE_REGISTRY_DOWN', message: `the registry ${endpoint.base.origin} can't be reached${proxy === null ? '' : ` through the proxy ${proxy.name}`}: ${reason}`, hint: `check the network${proxy === null ? '' : ', the proxy'} and the name, or configure a mirror`, cause: error });
}

/** What to tell when no place had it: a refusal says more than "not found", and that more than "can't be reached". */
function worst(failures: readonly AppError[], reference: ImageReference): AppError {
  const order = ['ENGINE_PULL_DENIED', 'ENGINE_PULL_RATE_LIMITED', 'ENGINE_PROXY_FAILED', 'ENGINE_PULL_NOT_FOUND', 'ENGINE_REGISTRY_ANSWER', 'ENGINE_REGISTRY_DOWN'];
  const [first] = [...failures].sort((a, b) => order.indexOf(a.code) - order.indexOf(b.code));
  if (first === undefined) throw new AppError({ code: 'ENGINE_REGISTRY_DOWN', message: `there is no place to ask for ${referenceText(reference)}` });
  const all = [...new Set(failures.map((one) => one.message))].join('; ');
  return new AppError({ code: first.code, message: `${familiarText(reference)} can't be pulled: ${all}`, hint: first.hint ?? 'check the name and the tag', cause: first });
}

/** Seconds, or a date. */
function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}
