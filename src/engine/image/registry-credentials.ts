import { AppError } from '../../base/app-error.ts';
import { Secret } from '../../base/secret.ts';
import { readTextIfThere } from '../../os/files.ts';
import { errorName } from '../../os/libc.ts';
import { run } from '../../os/spawn.ts';
import { isObject, objectIn, parseJson, textIn, textMapIn } from './json-fields.ts';

/** What opens a registry: a name with its password, or a token that is exchanged for another. */
export type Credentials = { readonly kind: 'password'; readonly user: string; readonly password: Secret } | { readonly kind: 'identity'; readonly token: Secret };

/** Runs a credential helper: `docker-credential-NAME get`, the registry on its input. Answers its output. */
export type RunHelper = (name: string, input: string, signal: AbortSignal) => Promise<{ readonly code: number; readonly stdout: string }>;

export type CredentialSource = (registry: string, signal: AbortSignal) => Promise<Credentials | null>;

const dockerHubKey = 'https://index.docker.io/v1/';

/**
 * Reads Docker's config.json: credHelpers for the registry, else credsStore, else auths. Read anew for each pull, so a login counts at once.
 * Source: docker/cli config file; docker-credential-helpers protocol.
 */
export function dockerCredentials(configPath: string, runHelper: RunHelper): CredentialSource {
  return async (registry, signal) => {
    const text = await readTextIfThere(configPath);
    if (text === null) return null;
    const config = parseJson(text);
    if (!isObject(config)) throw new AppError({ code: 'ENGINE_REGISTRY_CREDENTIALS', message: `${configPath} is no JSON object`, hint: 'mend or remove it, then log in again' });
    const keys = registry === 'docker.io' ? [dockerHubKey, 'index.docker.io', 'docker.io', 'registry-1.docker.io'] : [registry, `https://${registry}`, `https://${registry}/`, `http://${registry}`];
    const helper = keys.map((key) => textMapIn(config, 'credHelpers')[key]).find((name) => name !== undefined) ?? textIn(config, 'credsStore');
    if (helper !== '') {
      const found = await fromHelper(helper, keys, runHelper, signal);
      if (found !== null) return found;
    }
    const auths = objectIn(config, 'auths') ?? {};
    for (const key of keys) {
      const entry = objectIn(auths, key);
      const found = entry === null ? null : fromEntry(entry, configPath, key);
      if (found !== null) return found;
    }
    return null;
  };
}

function fromEntry(entry: Readonly<Record<string, unknown>>, configPath: string, key: string): Credentials | null {
  const identity = textIn(entry, 'identitytoken');
  if (identity !== '') return { kind: 'identity', token: new Secret(identity) };
  const packed = textIn(entry, 'auth');
  if (packed !== '') {
    const plain = Buffer.from(packed, 'base64').toString('utf8');
    const colon = plain.indexOf(':');
    if (colon < 1) throw new AppError({ code: 'ENGINE_REGISTRY_CREDENTIALS', message: `the entry of ${key} in ${configPath} holds no name and password`, hint: 'log in again' });
    return { kind: 'password', user: plain.slice(0, colon), password: new Secret(plain.slice(colon + 1).replace(/\0+$/, '')) };
  }
  const user = textIn(entry, 'username');
  return user === '' ? null : { kind: 'password', user, password: new Secret(textIn(entry, 'password')) };
}

async function fromHelper(name: string, keys: readonly string[], runHelper: RunHelper, signal: AbortSignal): Promise<Credentials | null> {
  // NOTE: the name becomes part of a program's name; a path in it would run anything.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new AppError({ code: 'ENGINE_REGISTRY_CREDENTIALS', message: `'${name}' is no name of a credential helper` });
  for (const key of keys) {
    const answer = await runHelper(`docker-credential-${name}`, key, signal);
    if (answer.code !== 0) {
      if (/credentials not found/i.test(answer.stdout)) continue;
      throw new AppError({ code: 'ENGINE_REGISTRY_CREDENTIALS', message: `docker-credential-${name} failed for ${key}`, hint: `try it by hand: echo ${key} | docker-credential-${name} get` });
    }
    const value = parseJson(answer.stdout);
    if (!isObject(value)) throw new AppError({ code: 'ENGINE_REGISTRY_CREDENTIALS', message: `docker-credential-${name} answers something that is no JSON object` });
    const secret = new Secret(textIn(value, 'Secret'));
    const user = textIn(value, 'Username');
    if (user === '') continue;
    return user === '<token>' ? { kind: 'identity', token: secret } : { kind: 'password', user, password: secret };
  }
  return null;
}

/** Runs a helper as a program found on the usual paths. What it says on stderr may hold secrets, so it goes nowhere. */
export const runCredentialHelper: RunHelper = async (name, input, signal) => {
  try {
    const { code, stdout } = await run([name, 'get'], { input, signal });
    return { code, stdout };
  } catch (error) {
    if (errorName(error) !== 'ENOENT') throw error;
    throw new AppError({ code: 'ENGINE_REGISTRY_CREDENTIALS', message: `the credential helper ${name} is not installed`, hint: `install it, or take it out of the docker configuration`, cause: error });
  }
};
