import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { Secret } from '../../../src/base/secret.ts';
import { openImages } from '../../../src/engine/image/open-images.ts';
import type { Images } from '../../../src/engine/image/open-images.ts';
import { proxiesOfEnvironment, proxyFor } from '../../../src/engine/image/proxy-rules.ts';
import type { RegistrySettings } from '../../../src/engine/image/registry-endpoints.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { startFakeProxy } from '../../fakes/proxy.ts';
import type { FakeProxy } from '../../fakes/proxy.ts';
import { addImage, startFakeRegistry } from '../../fakes/registry.ts';
import type { FakeRegistry } from '../../fakes/registry.ts';
import { certificatesIn } from '../../wire/certificates.ts';
import { makeTar } from './tar-maker.ts';

describe('which proxy a URL goes through', () => {
  const way = (url: string, env: Readonly<Record<string, string>>): string => proxyFor(new URL(url), proxiesOfEnvironment(env))?.name ?? 'direct';
  const both = { HTTP_PROXY: 'http://plain:1', HTTPS_PROXY: 'http://tunnel:2' };
  test.for<readonly [string, string, Readonly<Record<string, string>>, string]>([
    ['https by HTTPS_PROXY', 'https://ghcr.io/', both, 'http://tunnel:2'],
    ['http by HTTP_PROXY', 'http://reg.lan:5000/', both, 'http://plain:1'],
    ['https is not led by HTTP_PROXY', 'https://ghcr.io/', { HTTP_PROXY: 'http://plain:1' }, 'direct'],
    ['small letters count', 'https://ghcr.io/', { https_proxy: 'http://small:1' }, 'http://small:1'],
    ['capitals count before them', 'https://ghcr.io/', { https_proxy: 'http://small:1', HTTPS_PROXY: 'http://tunnel:2' }, 'http://tunnel:2'],
    ['an empty one is none', 'https://ghcr.io/', { HTTPS_PROXY: '', https_proxy: 'http://small:1' }, 'http://small:1'],
    ['a proxy without a scheme is one of http', 'https://ghcr.io/', { HTTPS_PROXY: 'tunnel:2' }, 'http://tunnel:2'],
    ['its credentials are no part of its name', 'https://ghcr.io/', { HTTPS_PROXY: 'https://u:p@tunnel:2' }, 'https://tunnel:2'],
    ['localhost is direct', 'https://localhost:5000/', both, 'direct'],
    ['loopback addresses are direct', 'http://127.0.0.2:5000/', both, 'direct'],
    ['and those of IPv6', 'http://[::1]:5000/', both, 'direct'],
  ])('%s', ([, url, env, expected]) => {
    expect(way(url, env)).toBe(expected);
  });

  test.for<readonly [string, readonly string[], readonly string[]]>([
    ['*', ['https://ghcr.io', 'http://10.0.0.1:5000'], []],
    ['example.com', ['https://example.com', 'https://a.example.com', 'https://a.b.EXAMPLE.com:5000'], ['https://badexample.com', 'https://example.com.org']],
    ['.example.com', ['https://a.example.com'], ['https://example.com']],
    ['*.example.com', ['https://a.example.com'], ['https://example.com']],
    ['example.com:5000', ['https://example.com:5000'], ['https://example.com', 'https://example.com:50']],
    ['example.com:443', ['https://example.com'], ['http://example.com']],
    ['10.0.0.0/8', ['https://10.9.8.7:5000', 'https://10.0.0.1'], ['https://11.0.0.1', 'https://ten.example']],
    ['10.0.0.1', ['https://10.0.0.1', 'https://10.0.0.1:5000'], ['https://10.0.0.11']],
    ['10.0.0.1:5000', ['https://10.0.0.1:5000'], ['https://10.0.0.1']],
    ['fd00::/8', ['https://[fd00::1]:5000'], ['https://[fe00::1]']],
    ['[fd00::1]:5000', ['https://[fd00:0::1]:5000'], ['https://[fd00::1]']],
    [' a.example , ,B.example', ['https://a.example', 'https://b.example'], ['https://c.example']],
    ['', [], ['https://ghcr.io']],
    [':5000', [], ['https://ghcr.io:5000']],
  ])('NO_PROXY=%s', ([rule, direct, proxied]) => {
    const env = { ...both, NO_PROXY: rule };
    expect([...direct, ...proxied].map((url) => way(url, env) === 'direct')).toEqual([...direct.map(() => true), ...proxied.map(() => false)]);
  });
});

describe('a pull through a proxy', () => {
  let dir = '';
  let registry: FakeRegistry;
  let proxy: FakeProxy;
  let images: Images | null = null;
  const host = 'registry.test:5000';
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'flotilla-proxy-'));
    proxy = await startFakeProxy();
  });
  afterEach(async () => {
    await images?.close();
    images = null;
    await proxy.close();
    await registry.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const start = async (options: { readonly tls: boolean }): Promise<void> => {
    if (options.tls) certificatesIn(dir).authority('registry');
    registry = await startFakeRegistry(options.tls ? { key: certificatesIn(dir).read('registry.key'), cert: certificatesIn(dir).read('registry.pem') } : undefined);
    proxy.hosts.set(host, Number(registry.host.split(':')[1]));
  };
  const settings = (env: Readonly<Record<string, string>>): RegistrySettings => ({ mirrors: {}, insecure: [host], proxies: proxiesOfEnvironment(env) });
  const open = async (registries: RegistrySettings): Promise<Images> => {
    images = await openImages({ root: join(dir, 'images'), registries, credentials: async () => null, clock: realClock, random: seededRandom(1), log: silentLog, usersOf: () => [], pinnedLayers: async () => new Set() });
    return images;
  };
  const tar = (): Buffer => makeTar([{ name: 'a', content: randomBytes(300_000) }]);

  test('of a registry with TLS goes through tunnels, with the credentials of the URL, and is checked as any other', async () => {
    await start({ tls: true });
    const made = addImage(registry, 'app', 'latest', [tar(), tar(), tar()]);
    const own = await open(settings({ HTTPS_PROXY: `http://us%40er:p%3Aw@${proxy.host}` }));
    const image = await own.pull({ reference: `${host}/app` });
    expect(image.id).toBe(made.id);
    expect(own.layersOf(made.id).map((layer) => readdirSync(layer))).toEqual([['a'], ['a'], ['a']]);
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${host}`]));
    expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${Buffer.from('us@er:p:w').toString('base64')}`]));
    expect(registry.headersSeen.some((headers) => 'proxy-authorization' in headers)).toBe(false);
    registry.fault = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      return true;
    };
    await expect(own.pull({ reference: `${host}/app@${made.manifestDigest}` })).rejects.toMatchObject({ code: 'ENGINE_DIGEST_MISMATCH' });
  });

  test('of one without TLS asks the proxy for whole URLs', async () => {
    await start({ tls: false });
    const made = addImage(registry, 'app', 'latest', [tar()]);
    const own = await open(settings({ HTTP_PROXY: `u:p@${proxy.host}` }));
    // Its TLS port is asked first, directly, and there is no such host.
    expect((await own.pull({ reference: `${host}/app` })).id).toBe(made.id);
    expect(proxy.requests[0]).toBe(`GET http://${host}/v2/app/manifests/latest`);
    expect(proxy.authorizations[0]).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`);
  });

  test('does not go through it for a registry on loopback, nor for one that NO_PROXY names', async () => {
    await start({ tls: false });
    addImage(registry, 'app', 'latest', [tar()]);
    const env = { HTTP_PROXY: `http://${proxy.host}`, HTTPS_PROXY: `http://${proxy.host}`, NO_PROXY: 'registry.test' };
    const own = await open(settings(env));
    await own.pull({ reference: `${registry.host}/app` });
    await expect(own.pull({ reference: `${host}/app` })).rejects.toMatchObject({ code: 'ENGINE_REGISTRY_DOWN' });
    expect(proxy.requests).toEqual([]);
  });

  const refused = async (env: Readonly<Record<string, string>>): Promise<unknown> => {
    const own = await open({ ...settings(env), insecure: [] });
    return own.pull({ reference: `${host}/app` }).then(() => 'no error', (error: unknown) => error);
  };

  test('that refuses is told by its name, without the credentials', async () => {
    await start({ tls: true });
    proxy.refuse = () => 407;
    const error = await refused({ HTTPS_PROXY: `http://user:hush@${proxy.host}` });
    expect(error).toMatchObject({ code: 'ENGINE_PROXY_FAILED', message: expect.stringContaining(`the proxy http://${proxy.host} does not let ${host} be reached: status 407`) });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(/hush|aHVzaA/);
    expect(proxy.requests.length).toBe(1);
  });

  test('that refuses a registry without TLS is told too', async () => {
    await start({ tls: false });
    proxy.refuse = () => 407;
    const own = await open(settings({ HTTP_PROXY: `http://user:hush@${proxy.host}` }));
    await expect(own.pull({ reference: `${host}/app` })).rejects.toMatchObject({ code: 'ENGINE_PROXY_FAILED', message: expect.stringContaining(`the proxy http://${proxy.host} does not let`) });
  });

  test('that fails for a moment is asked again', async () => {
    await start({ tls: false });
    addImage(registry, 'app', 'latest', [tar()]);
    let failures = 2;
    proxy.refuse = () => (failures-- > 0 ? 503 : null);
    const own = await open(settings({ HTTP_PROXY: `http://${proxy.host}` }));
    expect((await own.pull({ reference: `${host}/app` })).tags).toEqual([`${host}/app:latest`]);
  });

  test('that is not there is told apart from a registry that is not', async () => {
    await start({ tls: true });
    const error = await refused({ HTTPS_PROXY: 'http://user:hush@127.0.0.1:1' });
    expect(error).toMatchObject({ code: 'ENGINE_REGISTRY_DOWN', message: expect.stringContaining('through the proxy http://127.0.0.1:1: ECONNREFUSED') });
  });

  test('of a kind that is not there is refused', async () => {
    await start({ tls: true });
    const error = await refused({ HTTPS_PROXY: 'socks5://user:hush@127.0.0.1:1' });
    expect(error).toMatchObject({ code: 'ENGINE_PROXY_FAILED', message: expect.stringContaining("can't be used: socks5://127.0.0.1:1") });
    expect(String(error)).not.toContain('hush');
  });

  test('whose URL has no meaning is refused without repeating it', async () => {
    await start({ tls: true });
    const proxies = { httpProxy: new Secret(''), httpsProxy: new Secret('http://user:hush@a b:x'), noProxy: '' };
    const own = await open({ mirrors: {}, insecure: [], proxies });
    const error = await own.pull({ reference: `${host}/app` }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'ENGINE_PROXY_FAILED' });
    expect(String(error)).not.toContain('hush');
  });
});
