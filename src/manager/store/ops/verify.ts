import { AppError } from '../../../base/app-error.ts';
import type { Secret } from '../../../base/secret.ts';
import { realDisk } from '../../../os/disk.ts';
import { SnapshotDir } from '../snapshot-file.ts';
import { snapshotDir } from '../storage.ts';
import { appliedIndex } from '../store-state.ts';
import { lockStore, readStoppedStore } from './stopped-store.ts';

export type VerifyReport = {
  readonly clusterId: string;
  readonly incarnation: number;
  readonly memberId: string;
  readonly segments: number;
  readonly entries: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly term: number;
  readonly snapshots: readonly { readonly index: number; readonly term: number; readonly sizeBytes: number; readonly problem: string | null }[];
  readonly snapshotIndex: number;
  readonly objects: number;
  /** What is remarkable but fine, as a torn last write that will be cut. */
  readonly notes: readonly string[];
};

/** Reads every byte of the store of a stopped manager, and checks it. Changes nothing. Errors: as `openStore`: what would keep it from starting. */
export function verifyStopped(dir: string, unlockKey: Secret | null): VerifyReport {
  const unlock = lockStore(dir);
  try {
    const { identity, keys, storageOptions, recovered, state, notes, segmentCount } = readStoppedStore(dir, unlockKey);
    const files = new SnapshotDir({ ...storageOptions, dir: snapshotDir(dir), keys: keys.dataKeys, chunkBytes: storageOptions.snapshotChunkBytes });
    const there = realDisk.exists(snapshotDir(dir)) ? files.list() : [];
    const snapshots = there.map(({ index, term }) => {
      try {
        const reader = files.openReader(index, term);
        const info = reader.verify(() => undefined);
        reader.close();
        return { index, term, sizeBytes: info.sizeBytes, problem: null };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        return { index, term, sizeBytes: 0, problem: error.message };
      }
    });
    const { view } = state;
    return {
      clusterId: identity.clusterId, incarnation: identity.incarnation, memberId: identity.memberId, segments: segmentCount,
      entries: recovered.entries.length, firstIndex: recovered.entries[0]?.index ?? 0, lastIndex: recovered.entries.at(-1)?.index ?? appliedIndex(recovered.state),
      term: recovered.hardState?.term ?? 0, snapshots, snapshotIndex: appliedIndex(recovered.state),
      objects: Object.values(view.tables).reduce((sum, table) => sum + table.size, 0), notes,
    };
  } finally {
    unlock();
  }
}
