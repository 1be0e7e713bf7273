import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { Secret } from '../../../src/base/secret.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { openImages } from '../../../src/engine/image/open-images.ts';
import type { Images, ImagesOptions } from '../../../src/engine/image/open-images.ts';
import type { PullProgress } from '../../../src/model/container.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { addImage, addManifest, sha256, startFakeRegistry, types } from '../../fakes/registry.ts';
import type { FakeRegistry } from '../../fakes/registry.ts';
import { makeTar } from './tar-maker.ts';

let dir = '';
let registry: FakeRegistry;
let images: Images;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-images-'));
  registry = await startFakeRegistry();
  images = await open();
});
afterEach(async () => {
  await images.close();
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

const open = (options: Partial<ImagesOptions> = {}): Promise<Images> =>
  openImages({ root: join(dir, 'images'), registries: { mirrors: { 'docker.io': [registry.url] }, insecure: [] }, credentials: async () => null, clock: realClock, random: seededRandom(1), log: silentLog, usersOf: () => [], pinnedLayers: async () => new Set(), ...options });
const reopen = async (options: Partial<ImagesOptions> = {}): Promise<void> => {
  await images.close();
  images = await open(options);
};
const tar = (name: string, content: string | Uint8Array = name): Buffer => makeTar([{ name, content }]);
const noise = (bytes: number): Buffer => randomBytes(bytes);
const names = (sub: string): string[] => readdirSync(join(dir, 'images', sub)).sort();
const code = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
    return 'no error';
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
};
/** Nothing is left that a failed pull could have written and no image owns. */
const isClean = (): boolean => names('layers').length + names('staging').length + names('ingest').length === 0 && readdirSync(join(dir, 'images')).includes('images.json') === false;

describe('a pull', () => {
  test('answers the image, unpacks its layers in order and shows its steps', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a'), tar('b')], { config: { Cmd: ['run'], Env: ['A=1'], ExposedPorts: { '80/tcp': {} }, Volumes: { '/data': {} }, User: '7', Healthcheck: { Test: ['CMD', 'x'], Interval: 2e9, Retries: 3 } } });
    const steps: PullProgress[] = [];
    const image = await images.pull({ reference: 'app', onProgress: (step) => void steps.push(step) });
    expect(image).toMatchObject({ id: made.id, tags: ['app:latest'], repoDigests: [`app@${made.manifestDigest}`], sizeBytes: 2, config: { cmd: ['run'], env: ['A=1'], exposedPorts: ['80/tcp'], volumes: ['/data'], user: '7', healthcheck: { test: ['CMD', 'x'], intervalMs: 2000, retries: 3 } } });
    expect(images.layersOf(made.id).map((layer) => readdirSync(layer))).toEqual([['a'], ['b']]);
    expect([steps[0]?.status, steps.at(-1)?.status, steps.filter((one) => one.status === 'complete').length]).toEqual(['resolving', 'pulled', 2]);
  });

  test('can be pinned to what its registry has now, which fetches no more than the manifest', async () => {
    const made = addImage(registry, 'library/app', '1', [tar('a')]);
    const pin = (reference: string): Promise<string> => images.pin({ reference, signal: new AbortController().signal });
    expect(await pin('app:1')).toBe(`docker.io/library/app:1@${made.manifestDigest}`);
    expect(await pin(`app:1@${made.manifestDigest}`)).toBe(`docker.io/library/app@${made.manifestDigest}`);
    expect(registry.requests).toEqual(['GET /v2/library/app/manifests/1']);
    expect(await code(pin('none'))).toBe('ENGINE_PULL_NOT_FOUND');
    expect(await code(pin('No Name'))).toBe('ENGINE_IMAGE_NAME');
    registry.fault = (_, response) => {
      response.writeHead(200, { 'content-type': types.manifest, 'docker-content-digest': made.manifestDigest }).end('{}');
      return true;
    };
    expect(await code(pin('app:1'))).toBe('ENGINE_DIGEST_MISMATCH');
  });

  test('fetches only what is missing, and after a restart nothing', async () => {
    addImage(registry, 'library/one', 'latest', [tar('shared'), tar('one')]);
    addImage(registry, 'library/two', 'latest', [tar('shared'), tar('two')]);
    await images.pull({ reference: 'one' });
    await images.pull({ reference: 'two' });
    await reopen();
    await images.pull({ reference: 'two' });
    expect(registry.requests.filter((one) => one.includes('/blobs/')).length).toBe(2 + 3);
    expect((await images.list()).flatMap((one) => one.tags).sort()).toEqual(['one:latest', 'two:latest']);
  });

  test('takes zstd and plain layers, an image without layers, and the platform out of an index', async () => {
    const made = addImage(registry, 'library/z', 'arm', [tar('z')], { pack: zstdCompressSync, architecture: 'arm64' });
    const plain = addImage(registry, 'library/z', 'amd', [tar('p')], { pack: (one) => one, architecture: 'amd64' });
    const entry = (digest: string, architecture: string): object => ({ mediaType: types.manifest, digest, size: 1, platform: { os: 'linux', architecture } });
    addManifest(registry, 'library/z', 'latest', types.index, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [entry(made.manifestDigest, 'arm64'), entry(plain.manifestDigest, 'amd64'), entry(plain.manifestDigest, 'unknown')] })));
    expect((await images.pull({ reference: 'z', platform: 'linux/arm64' })).id).toBe(made.id);
    expect((await images.pull({ reference: 'z', platform: 'amd64' })).id).toBe(plain.id);
    expect(await code(images.pull({ reference: 'z', platform: 'linux/s390x' }))).toBe('ENGINE_IMAGE_PLATFORM');
    addImage(registry, 'library/none', 'latest', []);
    expect(images.layersOf((await images.pull({ reference: 'none' })).id)).toEqual([]);
  });

  test('by digest keeps to the digest, and has no tag', async () => {
    const made = addImage(registry, 'library/app', 'v1', [tar('a')]);
    expect((await images.pull({ reference: `app@${made.manifestDigest}` })).tags).toEqual([]);
    expect((await images.get(`app@${made.manifestDigest}`))?.id).toBe(made.id);
    const other = Buffer.from('{}');
    registry.manifests.set(`library/app:${made.manifestDigest}`, { type: types.manifest, body: other });
    expect(await code(images.pull({ reference: `app@${made.manifestDigest}` }))).toBe('ENGINE_DIGEST_MISMATCH');
  });

  test('a tag that moved takes the name along, and the old image stays without one', async () => {
    const first = addImage(registry, 'library/app', 'latest', [tar('a')]);
    await images.pull({ reference: 'app' });
    const second = addImage(registry, 'library/app', 'latest', [tar('b')]);
    await images.pull({ reference: 'app:latest' });
    expect([(await images.get('app'))?.id, (await images.get(first.id))?.tags]).toEqual([second.id, []]);
  });

  test('fifty at once make one download, and go on when one of them is stopped (R7)', async () => {
    const layer = tar('big', noise(2_000_000));
    addImage(registry, 'library/app', 'latest', [layer]);
    const stop = new AbortController();
    const stopped = images.pull({ reference: 'app', signal: stop.signal });
    const others = Array.from({ length: 49 }, () => images.pull({ reference: 'app' }));
    stop.abort();
    expect(await code(stopped)).toBe('ENGINE_PULL_CANCELLED');
    expect(new Set((await Promise.all(others)).map((one) => one.id)).size).toBe(1);
    expect(registry.requests.filter((one) => one.includes('/blobs/')).length).toBe(2);
  });
});

describe('a registry that cannot be trusted', () => {
  test('a layer whose bytes are not its digest is refused, and nothing of it stays (I7)', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('good'), tar('bad', noise(5000))]);
    const digest = made.layerDigests[1] ?? '';
    const flipped = Buffer.from(registry.blobs.get(digest) ?? '');
    flipped[3000] = (flipped[3000] ?? 0) ^ 1;
    registry.blobs.set(digest, flipped);
    expect(await code(images.pull({ reference: 'app' }))).toBe('ENGINE_DIGEST_MISMATCH');
    expect(await images.list()).toEqual([]);
    await reopen();
    expect([names('layers'), names('blobs'), names('staging'), names('ingest').includes(digest.slice(7))]).toEqual([[], [], [], false]);
  });

  test('a layer that unpacks to something else than the configuration says is refused (I7)', async () => {
    addImage(registry, 'library/app', 'latest', [tar('a')], { diffIds: [sha256(Buffer.from('other'))] });
    expect(await code(images.pull({ reference: 'app' }))).toBe('ENGINE_DIGEST_MISMATCH');
  });

  test('a layer longer than stated, or one cut short, is refused (I7)', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a', noise(3000))]);
    const digest = made.layerDigests[0] ?? '';
    const whole = registry.blobs.get(digest) ?? Buffer.alloc(0);
    registry.blobs.set(digest, Buffer.concat([whole, Buffer.from('more')]));
    expect(await code(images.pull({ reference: 'app' }))).toBe('ENGINE_DIGEST_MISMATCH');
    registry.blobs.set(digest, whole);
    expect((await images.pull({ reference: 'app' })).id).toBe(made.id);
  });

  const manifestRows: readonly (readonly [string, string, object])[] = [
    ['both an index and an image (R1)', types.manifest, { manifests: [] }],
    ['sent as another type than it states (R1)', types.manifest, { mediaType: types.dockerManifest }],
    ['of a type that is no image', 'text/html', {}],
    ['of the old schema 1', 'application/vnd.docker.distribution.manifest.v1+prettyjws', { schemaVersion: 1 }],
    ['of a configuration that is no image', types.manifest, { config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: sha256(Buffer.from('x')), size: 1 } }],
    ['with a foreign layer (R2)', types.manifest, { layers: [{ mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', digest: sha256(Buffer.from('x')), size: 1, urls: ['http://127.0.0.1:1/x'] }] }],
    ['with a digest that is a path', types.manifest, { layers: [{ mediaType: types.gzip, digest: 'sha256:../../../../etc/passwd', size: 1 }] }],
    ['with a negative size', types.manifest, { layers: [{ mediaType: types.gzip, digest: sha256(Buffer.from('x')), size: -1 }] }],
    ['with more layers than its configuration', types.manifest, { layers: [] }],
  ];
  test.for(manifestRows)('a manifest %s is refused', async ([, type, change]) => {
    const made = addImage(registry, 'library/app', 'good', [tar('a')]);
    const body = Buffer.from(JSON.stringify({ ...JSON.parse((registry.manifests.get(`library/app:${made.manifestDigest}`)?.body ?? '').toString()), ...change }));
    addManifest(registry, 'library/app', 'latest', type, body);
    expect(await code(images.pull({ reference: 'app' }))).toBe('ENGINE_IMAGE_INVALID');
    expect(isClean()).toBe(true);
  });

  test('a manifest or a token without end is cut at its limit', async () => {
    registry.fault = (_, response) => {
      response.writeHead(200, { 'content-type': types.manifest });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
      return true;
    };
    expect(await code(images.pull({ reference: 'app' }))).toBe('ENGINE_REGISTRY_ANSWER');
  });

  test('a hostile archive is refused by name, and its neighbours stay (I1)', async () => {
    addImage(registry, 'library/good', 'latest', [tar('a')]);
    await images.pull({ reference: 'good' });
    addImage(registry, 'library/app', 'latest', [tar('b'), makeTar([{ name: '../../../escape', content: 'x' }])]);
    expect(await code(images.pull({ reference: 'app' }))).toBe('ENGINE_LAYER_INVALID');
    expect((await images.list()).map((one) => one.tags)).toEqual([['good:latest']]);
    expect(existsSync(join(dir, 'escape'))).toBe(false);
  });

  test('a bomb stops at its limit', async () => {
    addImage(registry, 'library/bomb', 'latest', [makeTar([{ name: 'zeros', content: new Uint8Array(280 * 1024 * 1024) }])], { pack: (one) => zstdCompressSync(one) });
    expect(await code(images.pull({ reference: 'bomb' }))).toBe('ENGINE_LAYER_LIMIT');
    await reopen();
    expect(isClean()).toBe(true);
  });
});

describe('a registry that has its troubles', () => {
  const failFirst = (count: number, status: number, headers: Readonly<Record<string, string>> = {}): void => {
    let left = count;
    registry.fault = (_, response) => {
      if (left === 0) return false;
      left -= 1;
      response.writeHead(status, headers).end();
      return true;
    };
  };

  test('a passing failure is tried again (R6)', async () => {
    addImage(registry, 'library/app', 'latest', [tar('a')]);
    failFirst(1, 503);
    expect((await images.pull({ reference: 'app' })).tags).toEqual(['app:latest']);
  });

  test('Retry-After is waited for (R6)', async () => {
    addImage(registry, 'library/app', 'latest', [tar('a')]);
    failFirst(1, 429, { 'retry-after': '1' });
    const began = performance.now();
    await images.pull({ reference: 'app' });
    expect(performance.now() - began).toBeGreaterThan(950);
  });

  test('what is not there is not asked for again, and the error says where it was looked for', async () => {
    await expect(images.pull({ reference: `${registry.host}/no/such:1` })).rejects.toMatchObject({ code: 'ENGINE_PULL_NOT_FOUND', message: expect.stringContaining(registry.host), hint: expect.any(String) });
    expect(registry.requests.length).toBe(1);
  });

  test('a download that is cut goes on where it ended', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a', noise(400_000))]);
    let cuts = 2;
    registry.fault = (request, response) => {
      if (cuts === 0 || !(request.url ?? '').endsWith(made.layerDigests[0] ?? '-')) return false;
      cuts -= 1;
      const blob = registry.blobs.get(made.layerDigests[0] ?? '') ?? Buffer.alloc(0);
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, from > 0 ? { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` } : { 'content-length': blob.length });
      response.write(blob.subarray(from, from + 100_000), () => response.destroy());
      return true;
    };
    await images.pull({ reference: 'app' });
    const ranges = registry.headersSeen.flatMap((one) => (one.range === undefined ? [] : [Number(/\d+/.exec(one.range)?.[0])]));
    expect([ranges.length, (ranges[0] ?? 0) > 0, (ranges[1] ?? 0) > (ranges[0] ?? 0)]).toEqual([2, true, true]);
  });

  test('a trickle of bytes holds up neither other pulls nor its own cancelling (R6)', async () => {
    const slow = addImage(registry, 'library/slow', 'latest', [tar('s', noise(100_000))]);
    addImage(registry, 'library/fast', 'latest', [tar('f')]);
    registry.fault = (request, response) => {
      if (!(request.url ?? '').endsWith(slow.layerDigests[0] ?? '-')) return false;
      response.writeHead(200);
      response.write('x');
      return true;
    };
    const stop = new AbortController();
    const begun = Promise.withResolvers<void>();
    const slowPull = code(images.pull({ reference: 'slow', signal: stop.signal, onProgress: (step) => step.status === 'downloading' && begun.resolve() }));
    await begun.promise;
    await images.pull({ reference: 'fast' });
    // The layer never ends by itself, so that this answer is one to the abort.
    stop.abort();
    expect(await slowPull).toBe('ENGINE_PULL_CANCELLED');
  });

  test('a registry that is down is named', async () => {
    await registry.close();
    await reopen({ registries: { mirrors: {}, insecure: [] } });
    await expect(images.pull({ reference: `${registry.host}/app` })).rejects.toMatchObject({ code: 'ENGINE_REGISTRY_DOWN', message: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('credentials', () => {
  const credentials = async (name: string): Promise<{ kind: 'password'; user: string; password: Secret } | null> => (name === registry.host ? { kind: 'password', user: 'me', password: new Secret('geheim') } : null);

  test('a token is fetched with them, once, and sent with every request', async () => {
    addImage(registry, 'app', 'latest', [tar('a')]);
    registry.fault = (request, response) => {
      if ((request.url ?? '').startsWith('/token')) {
        const isMe = request.headers.authorization === `Basic ${Buffer.from('me:geheim').toString('base64')}`;
        response.writeHead(isMe ? 200 : 401).end(JSON.stringify({ token: 'abc' }));
        return true;
      }
      if (request.headers.authorization === 'Bearer abc') return false;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${registry.url}/token",service="reg",scope="repository:app:pull"` }).end();
      return true;
    };
    await reopen({ credentials });
    await images.pull({ reference: `${registry.host}/app` });
    expect(registry.requests.filter((one) => one.includes('/token'))).toEqual(['GET /token?service=reg&scope=repository%3Aapp%3Apull']);
  });

  test('a password works, and a wrong one is told without showing it', async () => {
    addImage(registry, 'app', 'latest', [tar('a')]);
    registry.fault = (request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from('me:geheim').toString('base64')}`) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    await reopen({ credentials });
    await images.pull({ reference: `${registry.host}/app` });
    await reopen({ credentials: async () => ({ kind: 'password', user: 'me', password: new Secret('falsch') }) });
    let text = '';
    try {
      await images.pull({ reference: `${registry.host}/app` });
    } catch (error) {
      text = JSON.stringify(error);
    }
    expect([text.includes('ENGINE_PULL_DENIED'), text.includes('falsch')]).toEqual([true, false]);
  });

  test('they reach no other host, whatever a redirect says (R2)', async () => {
    const thief = await startFakeRegistry();
    try {
      const made = addImage(registry, 'app', 'latest', [tar('a')]);
      registry.fault = (request, response) => {
        if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        else if ((request.url ?? '').endsWith(made.layerDigests[0] ?? '-')) response.writeHead(307, { location: `${thief.url}/blob` }).end();
        else return false;
        return true;
      };
      thief.fault = (_, response) => {
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${thief.url}/token",service="x"` }).end();
        return true;
      };
      await reopen({ credentials: async () => ({ kind: 'password', user: 'me', password: new Secret('geheim') }) });
      expect(await code(images.pull({ reference: `${registry.host}/app` }))).toBe('ENGINE_PULL_DENIED');
      expect(thief.headersSeen.map((one) => one.authorization)).toEqual([undefined]);
    } finally {
      await thief.close();
    }
  });
});

describe('after a crash', () => {
  test('half a download is gone on with, half a layer is removed, and what nobody needs goes (I9)', async () => {
    const layer = tar('a', noise(50_000));
    const made = addImage(registry, 'library/app', 'latest', [layer]);
    const hex = (made.layerDigests[0] ?? '').slice(7);
    const blob = registry.blobs.get(made.layerDigests[0] ?? '') ?? Buffer.alloc(0);
    writeFileSync(join(dir, 'images', 'ingest', hex), blob.subarray(0, 20_000));
    mkdirSync(join(dir, 'images', 'staging', 'half', 'files', 'x'), { recursive: true });
    mkdirSync(join(dir, 'images', 'layers', 'f'.repeat(64), 'files'), { recursive: true });
    writeFileSync(join(dir, 'images', 'blobs', 'e'.repeat(64)), 'orphan');
    await reopen();
    expect([names('staging'), names('layers'), names('blobs'), names('trash'), names('ingest')]).toEqual([[], [], [], [], [hex]]);
    await images.pull({ reference: 'app' });
    expect(registry.headersSeen.flatMap((one) => (one.range === undefined ? [] : [one.range]))).toEqual(['bytes=20000-']);
  });

  test('a partial download that the crash damaged is fetched once more, from the start (I9)', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a', noise(50_000))]);
    writeFileSync(join(dir, 'images', 'ingest', (made.layerDigests[0] ?? '').slice(7)), Buffer.alloc(30_000));
    expect((await images.pull({ reference: 'app' })).id).toBe(made.id);
  });

  test('a layer that a container stands on stays, though its image is gone', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a')]);
    await images.pull({ reference: 'app' });
    const [layer = ''] = images.layersOf(made.id);
    await reopen({ pinnedLayers: async () => new Set([layer]) });
    await images.remove('app', { force: false });
    expect(readFileSync(join(layer, 'a'), 'utf8')).toBe('a');
    await reopen();
    expect(names('layers')).toEqual([]);
  });
});

describe('names', () => {
  test('an image is found by name, digest, id and the beginning of its id', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a')]);
    await images.pull({ reference: 'app' });
    for (const text of ['app', 'app:latest', 'docker.io/library/app', `app@${made.manifestDigest}`, made.id, made.id.slice(7), made.id.slice(7, 19)]) expect((await images.get(text))?.id).toBe(made.id);
    for (const text of ['app:other', 'other', 'ffffffffffff', `app@sha256:${'0'.repeat(64)}`]) expect(await images.get(text)).toBe(null);
  });

  test('a tag is one more name; the image goes with its last one', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a')]);
    await images.pull({ reference: 'app' });
    await images.tag('app', 'mine:1');
    await reopen();
    expect((await images.get('mine:1'))?.tags).toEqual(['app:latest', 'mine:1']);
    expect(await code(images.remove(made.id, { force: false }))).toBe('ENGINE_IMAGE_IN_USE');
    expect(await images.remove('app', { force: false })).toEqual({ untagged: ['app:latest'], deleted: [] });
    expect((await images.remove('mine:1', { force: false })).deleted).toEqual([made.id]);
    expect([await images.list(), names('layers'), names('blobs')]).toEqual([[], [], []]);
    expect(await code(images.remove('app', { force: false }))).toBe('ENGINE_IMAGE_MISSING');
  });

  test('an image that a container uses is refused; it may lose a name, and with force all of them', async () => {
    const made = addImage(registry, 'library/app', 'latest', [tar('a')]);
    await reopen({ usersOf: (id) => (id === made.id ? ['web-1'] : []) });
    await images.pull({ reference: 'app' });
    await images.tag('app', 'app:2');
    await expect(images.remove(made.id, { force: false })).rejects.toMatchObject({ code: 'ENGINE_IMAGE_IN_USE', message: expect.stringContaining('web-1') });
    expect(await images.remove('app:2', { force: false })).toEqual({ untagged: ['app:2'], deleted: [] });
    expect(await images.remove('app', { force: true })).toEqual({ untagged: ['app:latest'], deleted: [] });
    expect((await images.get(made.id))?.tags).toEqual([]);
  });

  test('what is no name is refused with what is wrong', async () => {
    for (const text of ['UPPER', 'a b', '', 'x'.repeat(5000), `app@sha256:12`]) expect(await code(images.pull({ reference: text }))).toBe('ENGINE_IMAGE_NAME');
    expect(registry.requests).toEqual([]);
  });
});
