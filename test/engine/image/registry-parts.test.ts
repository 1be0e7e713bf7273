import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { choosePlatform, normal, parsePlatform, platformText } from '../../../src/engine/image/platform.ts';
import { parseChallenges } from '../../../src/engine/image/registry-auth.ts';
import { dockerCredentials } from '../../../src/engine/image/registry-credentials.ts';
import type { RunHelper } from '../../../src/engine/image/registry-credentials.ts';
import { isLoopback } from '../../../src/engine/image/loopback.ts';
import { endpointsOf, refusedMirrors } from '../../../src/engine/image/registry-endpoints.ts';

describe('where a registry is asked', () => {
  const places = (domain: string, mirrors: Readonly<Record<string, readonly string[]>> = {}, insecure: readonly string[] = []): string[] =>
    endpointsOf(domain, { mirrors, insecure }).map((one) => `${one.base.origin}${one.isMirror ? ' mirror' : ''}${one.checksCertificate ? '' : ' unchecked'}`);
  const rows: readonly (readonly [string, string[], string[]])[] = [
    ['docker.io is at its own host, encrypted and checked', places('docker.io'), ['https://registry-1.docker.io']],
    ['any other is asked by its name', places('ghcr.io'), ['https://ghcr.io']],
    ['a mirror comes first', places('docker.io', { 'docker.io': ['https://m.example/'] }), ['https://m.example mirror', 'https://registry-1.docker.io']],
    ['a mirror is for its registry alone', places('ghcr.io', { 'docker.io': ['https://m.example/'] }), ['https://ghcr.io']],
    ['plain http is for loopback', places('localhost:5000'), ['https://localhost:5000 unchecked', 'http://localhost:5000 unchecked']],
    ['plain http is for hosts that are named', places('reg.lan:5000', {}, ['reg.lan:5000']), ['https://reg.lan:5000 unchecked', 'http://reg.lan:5000 unchecked']],
    ['a plain mirror elsewhere is not asked', places('docker.io', { 'docker.io': ['http://m.example'] }), ['https://registry-1.docker.io']],
    ['a mirror that is no address is not asked', places('docker.io', { 'docker.io': ['m.example', 'ftp://127.0.0.1'] }), ['https://registry-1.docker.io']],
  ];
  test.for(rows)('%s', ([, found, expected]) => {
    expect(found).toEqual(expected);
  });

  test('mirrors that are not asked are told', () => {
    expect(refusedMirrors({ mirrors: { 'docker.io': ['http://m.example', 'http://127.0.0.1:5'] }, insecure: [] })).toEqual(['http://m.example']);
  });

  test('loopback is what can be nowhere else', () => {
    expect(['localhost', 'localhost:5000', '127.0.0.1', '127.9.9.9:1', '[::1]:5000', 'a.localhost'].map(isLoopback)).toEqual([true, true, true, true, true, true]);
    expect(['localhost.example', '127.0.0.1.example', '128.0.0.1', '[::2]', 'notlocalhost', '1270.0.1'].map(isLoopback)).toEqual([false, false, false, false, false, false]);
  });
});

describe('challenges', () => {
  test('quoted commas, several schemes and names in any case are read', () => {
    expect(parseChallenges('Bearer realm="https://a/t?x=1,2",Service="a \\"b\\"",scope="repository:x:pull,push", Basic realm=r')).toEqual([
      { scheme: 'bearer', parameters: { realm: 'https://a/t?x=1,2', service: 'a "b"', scope: 'repository:x:pull,push' } },
      { scheme: 'basic', parameters: { realm: 'r' } },
    ]);
    expect(parseChallenges('')).toEqual([]);
  });

  test('a parameter called __proto__ is a parameter', () => {
    expect(parseChallenges('Bearer __proto__="x"')[0]?.parameters['realm']).toBe(undefined);
  });
});

describe('platforms', () => {
  test('what people write is what images say', () => {
    expect(['linux/x86_64', 'aarch64', 'linux/arm64', 'linux/arm/v6', 'armhf'].map((text) => platformText(parsePlatform(text)))).toEqual(['linux/amd64', 'linux/arm64/v8', 'linux/arm64/v8', 'linux/arm/v6', 'linux/arm/v7']);
    for (const text of ['', 'a/b/c/d', 'linux/', 'a b']) expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'ENGINE_IMAGE_PLATFORM' }));
  });

  test('the same variant is best, then the highest below; another machine never', () => {
    const offer = (text: string): { platform: ReturnType<typeof parsePlatform>; text: string } => ({ platform: parsePlatform(text), text });
    const offered = ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6', 'linux/amd64', 'windows/amd64'].map(offer);
    const choice = (text: string): string | null => choosePlatform(offered, normal(parsePlatform(text)))?.text ?? null;
    expect([choice('linux/arm/v7'), choice('linux/arm/v8'), choice('linux/arm/v6'), choice('amd64'), choice('s390x')]).toEqual(['linux/arm/v7', 'linux/arm/v7', 'linux/arm/v6', 'linux/amd64', null]);
  });
});

describe("credentials of docker's configuration", () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'flotilla-credentials-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const calls: string[] = [];
  const helper: RunHelper = async (name, input) => {
    calls.push(`${name} ${input}`);
    if (name === 'docker-credential-broken') return { code: 1, stdout: 'boom' };
    if (input !== 'ghcr.io') return { code: 1, stdout: 'credentials not found in native keychain' };
    return { code: 0, stdout: JSON.stringify({ Username: '<token>', Secret: 'idt' }) };
  };
  const look = async (config: unknown, registry: string): Promise<unknown> => {
    const path = join(dir, 'config.json');
    if (config !== undefined) writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config));
    const found = await dockerCredentials(path, helper)(registry, new AbortController().signal);
    return found === null ? null : found.kind === 'password' ? [found.user, found.password.reveal()] : [found.kind, found.token.reveal()];
  };
  const packed = (text: string): string => Buffer.from(text).toString('base64');

  test('an entry of auths opens its registry and no other', async () => {
    const config = { auths: { 'https://index.docker.io/v1/': { auth: packed('hub:a:b') }, 'reg.lan:5000': { username: 'u', password: 'p' }, 'id.example': { identitytoken: 't' } } };
    expect([await look(config, 'docker.io'), await look(config, 'reg.lan:5000'), await look(config, 'id.example'), await look(config, 'ghcr.io')]).toEqual([['hub', 'a:b'], ['u', 'p'], ['identity', 't'], null]);
  });

  test('without a file there are none; a damaged one is told', async () => {
    expect(await look(undefined, 'docker.io')).toBe(null);
    await expect(look('{', 'docker.io')).rejects.toMatchObject({ code: 'ENGINE_REGISTRY_CREDENTIALS' });
    await expect(look({ auths: { 'ghcr.io': { auth: packed('no colon') } } }, 'ghcr.io')).rejects.toMatchObject({ code: 'ENGINE_REGISTRY_CREDENTIALS' });
  });

  test('a helper is asked first; one that fails is told, one that does not know is passed', async () => {
    expect(await look({ credsStore: 'store' }, 'ghcr.io')).toEqual(['identity', 'idt']);
    expect(await look({ credsStore: 'store', auths: { 'reg.lan': { auth: packed('u:p') } } }, 'reg.lan')).toEqual(['u', 'p']);
    await expect(look({ credHelpers: { 'reg.lan': 'broken' } }, 'reg.lan')).rejects.toMatchObject({ code: 'ENGINE_REGISTRY_CREDENTIALS' });
  });

  test('a helper that is a path is not run', async () => {
    calls.length = 0;
    await expect(look({ credsStore: '../../tmp/evil' }, 'ghcr.io')).rejects.toMatchObject({ code: 'ENGINE_REGISTRY_CREDENTIALS' });
    expect(calls).toEqual([]);
  });
});
