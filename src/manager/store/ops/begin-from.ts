import type { Disk } from '../../../os/disk.ts';
import { encodeItems } from '../log-items.ts';
import { encodeContent, encodeMeta } from '../state-codec.ts';
import { SnapshotDir } from '../snapshot-file.ts';
import type { SnapshotInfo, SnapshotWriter } from '../snapshot-file.ts';
import { logDir, snapshotDir } from '../storage.ts';
import type { StorageOptions } from '../storage.ts';
import { appliedIndex } from '../store-state.ts';
import type { StoreState } from '../store-state.ts';
import { Wal } from '../wal.ts';

const sliceBytes = 256 * 1024;

/** Makes log and snapshots of a member that begins with this state, in an empty directory. All is durable when it returns. */
export function beginFrom(options: StorageOptions, state: StoreState): void {
  const { disk, dir } = options;
  const snapshots = new SnapshotDir({ ...options, dir: snapshotDir(dir), chunkBytes: options.snapshotChunkBytes });
  snapshots.open();
  const index = appliedIndex(state);
  writeState(snapshots.begin('save', { clusterId: options.clusterId, index, term: state.term, meta: encodeMeta(state) }), state);
  const { wal } = Wal.open({ ...options, dir: logDir(dir) });
  wal.append(encodeItems([
    { kind: 'marker', marker: { index, term: state.term, isInstall: true } },
    { kind: 'hardState', hardState: { term: state.term, vote: '', commit: index } },
  ]));
  wal.close();
  syncParents(disk, dir);
}

export function writeState(writer: SnapshotWriter, state: StoreState): SnapshotInfo {
  for (const slice of encodeContent(state.view, sliceBytes)) writer.write(slice);
  return writer.finish(undefined);
}

function syncParents(disk: Disk, dir: string): void {
  disk.syncDir(dir);
}
