import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import { Secret } from '../../base/secret.ts';
import { isObject, numberIn, parseJson, textIn } from './json-fields.ts';
import type { CredentialSource, Credentials } from './registry-credentials.ts';
import type { Endpoint } from './registry-endpoints.ts';
import { readBody } from './registry-http.ts';
import type { RegistryHttp } from './registry-http.ts';

export type Challenge = { readonly scheme: string; readonly parameters: Readonly<Record<string, string>> };

/** The way in to an endpoint: a header that is kept for the repository until the registry wants another. */
export type RegistryAuth = {
  readonly header: (endpoint: Endpoint, repository: string) => Secret | null;
  /** Answers a 401: true where a new header was made and the request should be sent again. */
  readonly meet: (endpoint: Endpoint, repository: string, challenge: string, signal: AbortSignal) => Promise<boolean>;
};

const tokenBytesMax = 64 * 1024;
const lifeSecondsMin = 60;

export function openRegistryAuth(http: RegistryHttp, credentials: CredentialSource, clock: Clock): RegistryAuth {
  const kept = new Map<string, { readonly header: Secret; readonly untilMs: number }>();
  const keyOf = (endpoint: Endpoint, repository: string): string => `${endpoint.base.origin} ${repository}`;
  return {
    header: (endpoint, repository) => {
      const found = kept.get(keyOf(endpoint, repository));
      return found !== undefined && found.untilMs > clock.monotonicMs() ? found.header : null;
    },
    meet: async (endpoint, repository, text, signal) => {
      const challenges = parseChallenges(text);
      const secret = await credentials(endpoint.credentialsOf, signal);
      const bearer = challenges.find((one) => one.scheme === 'bearer');
      if (bearer !== undefined) {
        const token = await fetchToken(http, endpoint, repository, bearer, secret, signal);
        kept.set(keyOf(endpoint, repository), { header: new Secret(`Bearer ${token.token}`), untilMs: clock.monotonicMs() + token.lifeSeconds * 900 });
        return true;
      }
      if (challenges.some((one) => one.scheme === 'basic') && secret?.kind === 'password') {
        kept.set(keyOf(endpoint, repository), { header: basic(secret), untilMs: Number.POSITIVE_INFINITY });
        return true;
      }
      return false;
    },
  };
}

function basic(secret: { readonly user: string; readonly password: Secret }): Secret {
  return new Secret(`Basic ${Buffer.from(`${secret.user}:${secret.password.reveal()}`).toString('base64')}`);
}

/**
 * Source: distribution spec, token authentication: GET with scope and service, or POST with a refresh token.
 * The realm is the registry's choice, but a password goes nowhere unencrypted that the registry itself isn't.
 */
async function fetchToken(http: RegistryHttp, endpoint: Endpoint, repository: string, challenge: Challenge, secret: Credentials | null, signal: AbortSignal): Promise<{ token: string; lifeSeconds: number }> {
  const realm = challenge.parameters['realm'] ?? '';
  if (!URL.canParse(realm)) throw new AppError({ code: 'ENGINE_REGISTRY_ANSWER', message: `the registry ${endpoint.base.host} names no place to get a token` });
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && endpoint.base.protocol === 'http:')) throw new AppError({ code: 'ENGINE_REGISTRY_ANSWER', message: `the registry ${endpoint.base.host} wants a token fetched over ${url.protocol}, which is not encrypted` });
  const fields = { service: challenge.parameters['service'] ?? '', scope: `repository:${repository}:pull` };
  const ask =
    secret?.kind === 'identity'
      ? {
          method: 'POST' as const,
          url,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'flotilla', refresh_token: secret.token.reveal(), ...fields }).toString(),
          signal,
        }
      : { method: 'GET' as const, url: withQuery(url, fields), headers: secret === null ? {} : { authorization: basic(secret).reveal() }, signal };
  const answer = await http.ask(endpoint, ask);
  const body = await readBody(answer, tokenBytesMax);
  if (answer.status === 401 || answer.status === 403) throw denied(endpoint, repository, secret !== null);
  const value = answer.status === 200 ? parseJson(body.toString('utf8')) : null;
  const token = isObject(value) ? textIn(value, 'token') || textIn(value, 'access_token') : '';
  if (!isObject(value) || token === '' || !/^[\x21-\x7e]+$/.test(token)) throw new AppError({ code: answer.status >= 500 || answer.status === 429 ? 'ENGINE_REGISTRY_DOWN' : 'ENGINE_REGISTRY_ANSWER', message: `${url.host} gives no token for ${endpoint.base.host} (status ${answer.status})` });
  return { token, lifeSeconds: Math.max(lifeSecondsMin, numberIn(value, 'expires_in')) };
}

function withQuery(url: URL, fields: Readonly<Record<string, string>>): URL {
  const full = new URL(url);
  for (const [key, value] of Object.entries(fields)) if (value !== '') full.searchParams.set(key, value);
  return full;
}

export function denied(endpoint: Endpoint, repository: string, hadCredentials: boolean): AppError {
  return new AppError({
    code: 'ENGINE_PULL_DENIED',
    message: `${endpoint.base.host} refuses ${repository}${hadCredentials ? ' to the credentials of this node' : ': it does not exist there, or needs a login'}`,
    hint: hadCredentials ? `check the login for ${endpoint.credentialsOf}` : `check the name; if it is private, log in: docker login ${endpoint.credentialsOf}`,
  });
}

/** `Bearer realm="…",service="…", Basic realm="…"` in its parts. Source: RFC 9110 §11.6.1. */
export function parseChallenges(text: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  for (const match of text.matchAll(/([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/g)) {
    const [, name = '', quoted, plain] = match;
    if (quoted === undefined && plain === undefined) found.push({ scheme: name.toLowerCase(), parameters: Object.create(null) });
    else {
      const last = found.at(-1);
      if (last !== undefined) last.parameters[name.toLowerCase()] = quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1');
    }
  }
  return found;
}
