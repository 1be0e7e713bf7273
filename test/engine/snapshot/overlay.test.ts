import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { geteuid } from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSnapshots } from '../../../src/engine/snapshot/overlay.ts';
import type { DiskKeeper } from '../../../src/os/disk-keeper.ts';
import { listMounts } from '../../../src/os/mount.ts';

const noDisk: DiskKeeper = { keep: () => undefined, settle: async () => undefined };

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-snapshot-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A layer with one file of its own name, and one that all layers have. */
function layer(name: string): string {
  const path = join(dir, 'layers', name, 'files');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, name), name);
  writeFileSync(join(path, 'same'), name);
  return path;
}

const canMount = geteuid?.() === 0;
const why = canMount ? '' : ' (left out: mounting needs root)';

describe('what needs no mount', () => {
  test('a snapshot that a crash left without its record is removed at the next start', async () => {
    const first = await openSnapshots(join(dir, 'root'), noDisk);
    await first.prepare('whole', [layer('a')]);
    mkdirSync(join(dir, 'root', 'containers', 'half', 'upper'), { recursive: true });
    mkdirSync(join(dir, 'root', 'trash', 'old'));
    const second = await openSnapshots(join(dir, 'root'), noDisk);
    expect(await second.list()).toEqual(['whole']);
    expect(readdirSync(join(dir, 'root', 'trash'))).toEqual([]);
  });

  test('a record that the machine lost a part of is none', async () => {
    const whole = await openSnapshots(join(dir, 'root'), noDisk);
    for (const id of ['empty', 'cut', 'whole', 'older']) await whole.prepare(id, [layer('a'), layer('b')]);
    const record = (id: string): string => join(dir, 'root', 'containers', id, 'layers');
    const text = readFileSync(record('whole'), 'utf8');
    writeFileSync(record('empty'), '');
    writeFileSync(record('cut'), text.slice(0, text.length - 5));
    writeFileSync(record('older'), text.trimEnd() + '\n');
    expect(await (await openSnapshots(join(dir, 'root'), noDisk)).list()).toEqual(['older', 'whole']);
  });

  test('preparing twice is preparing once, and the layers in use are told', async () => {
    const snapshots = await openSnapshots(join(dir, 'root'), noDisk);
    const a = layer('a');
    const first = await snapshots.prepare('one', [a]);
    writeFileSync(join(dir, 'root', 'containers', 'one', 'upper', 'kept'), '');
    expect(await snapshots.prepare('one', [layer('b')])).toEqual(first);
    expect(existsSync(join(dir, 'root', 'containers', 'one', 'upper', 'kept'))).toBe(true);
    expect([...(await snapshots.layersInUse())]).toEqual([a]);
  });

  test('an id that is a path is refused', async () => {
    const snapshots = await openSnapshots(join(dir, 'root'), noDisk);
    for (const id of ['../x', '', '.', '..', 'a/b']) await expect(snapshots.prepare(id, [])).rejects.toMatchObject({ code: 'ENGINE_SNAPSHOT_FAILED' });
  });

  test('a container without a file system says so; removing what is not there is no error', async () => {
    const snapshots = await openSnapshots(join(dir, 'root'), noDisk);
    await expect(snapshots.mount('none')).rejects.toMatchObject({ code: 'ENGINE_SNAPSHOT_FAILED' });
    await snapshots.remove('none');
  });
});

describe(`mounted${why}`, () => {
  test.skipIf(!canMount)('the upper layers hide the lower, writes go to the container alone, a second mount changes nothing', async () => {
    const snapshots = await openSnapshots(join(dir, 'root'), noDisk);
    const layers = [layer('a'), layer('b')];
    chmodSync(layers[1] ?? '', 0o711);
    await snapshots.prepare('one', layers);
    try {
      const { rootfs } = await snapshots.mount('one');
      await snapshots.mount('one');
      expect(listMounts().filter((one) => one.target === rootfs).length).toBe(1);
      expect([readdirSync(rootfs), readFileSync(join(rootfs, 'same'), 'utf8'), statSync(rootfs).mode & 0o7777]).toEqual([['a', 'b', 'dev', 'etc', 'proc', 'same', 'sys'], 'b', 0o711]);
      writeFileSync(join(rootfs, 'a'), 'written');
      snapshots.unmount('one');
      expect([readdirSync(rootfs), readFileSync(join(layers[0] ?? '', 'a'), 'utf8')]).toEqual([[], 'a']);
      await snapshots.mount('one');
      expect(readFileSync(join(rootfs, 'a'), 'utf8')).toBe('written');
    } finally {
      await snapshots.remove('one');
    }
    expect(await snapshots.list()).toEqual([]);
    expect(listMounts().some((one) => one.target.startsWith(dir))).toBe(false);
  });

  test.skipIf(!canMount)('the places of mounts are there where the image lacks them, and nowhere hide what it has', async () => {
    const snapshots = await openSnapshots(join(dir, 'root'), noDisk);
    const image = layer('image');
    mkdirSync(join(image, 'etc'));
    chmodSync(join(image, 'etc'), 0o700);
    writeFileSync(join(image, 'etc', 'hosts'), 'its own');
    symlinkSync('dev', join(image, 'proc'));
    await snapshots.prepare('one', [image]);
    try {
      const { rootfs } = await snapshots.mount('one');
      expect([readFileSync(join(rootfs, 'etc/hosts'), 'utf8'), statSync(join(rootfs, 'etc')).mode & 0o777, readlinkSync(join(rootfs, 'proc'))]).toEqual(['its own', 0o700, 'dev']);
      expect([readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), statSync(join(rootfs, 'etc/hostname')).mode & 0o777]).toEqual(['', 0o644]);
      expect(readdirSync(join(dir, 'root', 'containers', 'one', 'upper'))).toEqual([]);
    } finally {
      await snapshots.remove('one');
    }
  });

  test.skipIf(!canMount)('more layers than a page of options can name are mounted all the same', async () => {
    const snapshots = await openSnapshots(join(dir, 'a-root,with:marks'), noDisk);
    const names = Array.from({ length: 150 }, (_, index) => `layer-${String(index).padStart(3, '0')}`);
    await snapshots.prepare('many', names.map(layer));
    try {
      const { rootfs } = await snapshots.mount('many');
      expect([readdirSync(rootfs).filter((name) => name.startsWith('layer-')).length, readFileSync(join(rootfs, 'same'), 'utf8')]).toEqual([150, 'layer-149']);
    } finally {
      await snapshots.remove('many');
    }
  });

  test.skipIf(!canMount)('an image that has one layer twice, or none, mounts', async () => {
    const snapshots = await openSnapshots(join(dir, 'root'), noDisk);
    const [a, b] = [layer('a'), layer('b')];
    await snapshots.prepare('twice', [a, b, a]);
    await snapshots.prepare('none', []);
    try {
      expect(readFileSync(join((await snapshots.mount('twice')).rootfs, 'same'), 'utf8')).toBe('a');
      expect(readdirSync((await snapshots.mount('none')).rootfs)).toEqual(['dev', 'etc', 'proc', 'sys']);
    } finally {
      await snapshots.remove('twice');
      await snapshots.remove('none');
    }
  });
});
