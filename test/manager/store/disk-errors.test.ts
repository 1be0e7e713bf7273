import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { makeUnlockKey, openKeys, rewrapKeys } from '../../../src/manager/store/key-file.ts';
import { encodeItems } from '../../../src/manager/store/log-items.ts';
import { plainKeys } from '../../../src/manager/store/seal.ts';
import { Storage } from '../../../src/manager/store/storage.ts';
import { Wal } from '../../../src/manager/store/wal.ts';
import { SimDisk } from '../../sim/sim-disk.ts';

const head = { clusterId: 'c', index: 7, term: 1, meta: '{}' };

/** Over a disk that takes a file used after its end, or ended twice, for the mistake that it is. */
function opened(): { readonly disk: SimDisk; readonly storage: Storage; readonly parts: () => string[] } {
  const disk = new SimDisk(seededRandom(1));
  const storage = new Storage({ disk, dir: '/d', clusterId: 'c', memberId: 'm', segmentSizeBytes: 65_536, keys: plainKeys, randomBytes: (count) => new Uint8Array(count), monotonicMs: () => 0, snapshotChunkBytes: 64 });
  storage.openSnapshots();
  return { disk, storage, parts: () => disk.list('/d/snapshots') };
}

test('a snapshot that cannot be begun on a full disk leaves the one before it ended once, and nothing behind', () => {
  const { disk, storage, parts } = opened();
  storage.perform({ kind: 'snapshot-begin', slot: 'receive', head });
  disk.capacityBytes = 0;
  expect(() => storage.perform({ kind: 'snapshot-begin', slot: 'receive', head: { ...head, index: 8 } })).toThrow(/no space/);
  storage.perform({ kind: 'snapshot-abort', slot: 'receive' });
  expect(parts()).toEqual([]);
  disk.capacityBytes = Infinity;
  storage.perform({ kind: 'snapshot-begin', slot: 'receive', head: { ...head, index: 9 } });
  storage.perform({ kind: 'snapshot-write', slot: 'receive', content: new Uint8Array(100) });
  expect(storage.perform({ kind: 'snapshot-finish', slot: 'receive', sha256: undefined })).toMatchObject({ kind: 'snapshot', info: { index: 9, sizeBytes: 100 } });
});

test('a snapshot that cannot be finished on a full disk gives its room back', () => {
  const { disk, storage, parts } = opened();
  storage.perform({ kind: 'snapshot-begin', slot: 'save', head });
  storage.perform({ kind: 'snapshot-write', slot: 'save', content: new Uint8Array(60) });
  disk.capacityBytes = disk.usedBytes;
  expect(() => storage.perform({ kind: 'snapshot-finish', slot: 'save', sha256: undefined })).toThrow(/no space/);
  expect(parts()).toEqual([]);
});

test('a lock whose key file cannot be made durable locks nothing: the old file is back', () => {
  let failures = 0;
  for (let calls = 0; calls < 8; calls += 1) {
    const disk = new SimDisk(seededRandom(1));
    const random = seededRandom(2);
    const keys = { disk, dir: '/d', randomBytes: random.bytes };
    const opened = openKeys({ ...keys, unlockKey: null });
    disk.failAfter = calls;
    try {
      rewrapKeys({ ...keys, opened, nextUnlockKey: makeUnlockKey(random.bytes) });
    } catch {
      failures += 1;
      expect([...openKeys({ ...keys, unlockKey: null }).dataKeys.keys].map(([id, key]) => [id, Buffer.from(key)])).toEqual([...opened.dataKeys.keys].map(([id, key]) => [id, Buffer.from(key)]));
    }
  }
  expect(failures).toBeGreaterThan(3);
});

test('a segment whose removal is not durable still needs its key', () => {
  for (const calls of [0, 1, 2]) {
    const disk = new SimDisk(seededRandom(1));
    const random = seededRandom(2);
    const { wal } = Wal.open({ disk, dir: '/d/log', clusterId: 'c', memberId: 'm', segmentSizeBytes: 65_536, keys: { currentId: 1, keys: new Map([[1, random.bytes(32)], [2, random.bytes(32)]]) }, randomBytes: random.bytes });
    wal.append(encodeItems([{ kind: 'entries', entries: [{ index: 1, term: 1, kind: 0, data: new Uint8Array(4) }] }]));
    wal.useKeys({ currentId: 2, keys: new Map([[2, random.bytes(32)]]) });
    disk.failAfter = calls;
    const isFailed = calls < 2;
    if (isFailed) expect(() => wal.compact(1)).toThrow(/EIO/);
    else wal.compact(1);
    expect(wal.keyIdsInUse).toEqual(isFailed ? [1, 2] : [2]);
  }
});
