import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { randomBelow, seededRandom } from '../../../src/base/random.ts';
import { openImages } from '../../../src/engine/image/open-images.ts';
import type { Images } from '../../../src/engine/image/open-images.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { addImage, startFakeRegistry } from '../../fakes/registry.ts';
import type { FakeRegistry } from '../../fakes/registry.ts';
import { makeTar } from './tar-maker.ts';

let dir = '';
let registry: FakeRegistry;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-crash-'));
  registry = await startFakeRegistry();
});
afterEach(async () => {
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

const open = (): Promise<Images> =>
  openImages({ root: join(dir, 'images'), registries: { mirrors: { 'docker.io': [registry.url] }, insecure: [] }, credentials: async () => null, clock: realClock, random: seededRandom(1), log: silentLog, usersOf: () => [], pinnedLayers: async () => new Set() });

/** Starts a pull in a process of its own and kills it so many messages in, without a chance to clean up. */
function killAfter(messages: number): Promise<'killed' | 'done'> {
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, 'pull-once.ts'), [join(dir, 'images'), registry.url, 'app'], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    let seen = 0;
    child.on('message', () => {
      seen += 1;
      if (seen === messages) child.kill('SIGKILL');
    });
    child.on('exit', (_, signal) => resolve(signal === 'SIGKILL' ? 'killed' : 'done'));
  });
}

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('killed at any step, a listed image is whole to the last byte, and the next pull makes it so (I9)', { timeout: 120_000 }, async () => {
  const random = seededRandom(9);
  const contents = Array.from({ length: 4 }, (_, layer) => Array.from({ length: 20 }, (_, file) => ({ name: `l${layer}-f${file}`, content: random.bytes(randomBelow(random, 60_000)) })));
  addImage(registry, 'library/app', 'latest', contents.map((files) => makeTar(files)));
  const check = async (isNeeded: boolean): Promise<void> => {
    const images = await open();
    const image = isNeeded ? await images.pull({ reference: 'app' }) : await images.get('app');
    if (image !== null) {
      const found = images.layersOf(image.id).map((layer) => readdirSync(layer).map((name) => [name, hash(readFileSync(join(layer, name)))].join()).sort());
      expect(found).toEqual(contents.map((files) => files.map((one) => [one.name, hash(one.content)].join()).sort()));
    }
    await images.close();
  };
  const ends: string[] = [];
  for (let messages = 1; messages <= 12; messages += 1) {
    ends.push(await killAfter(messages));
    await check(false);
    // Every third time it starts from nothing, else from what the last crash left.
    if (messages % 3 === 0) rmSync(join(dir, 'images'), { recursive: true, force: true });
  }
  expect(ends).toContain('killed');
  await check(true);
  expect(readdirSync(join(dir, 'images', 'staging')).concat(readdirSync(join(dir, 'images', 'trash')))).toEqual([]);
});
