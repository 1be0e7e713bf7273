import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { plainKeys } from '../../../src/manager/store/seal.ts';
import { Storage } from '../../../src/manager/store/storage.ts';
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
