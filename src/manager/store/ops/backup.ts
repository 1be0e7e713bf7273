import { randomBytes } from 'node:crypto';
import { AppError } from '../../../base/app-error.ts';
import { randomId } from '../../../base/ids.ts';
import type { Random } from '../../../base/random.ts';
import type { Secret } from '../../../base/secret.ts';
import { lockDataDir } from '../../../os/data-dir-lock.ts';
import { realDisk } from '../../../os/disk.ts';
import { emptyConf } from '../../../raft/log-storage.ts';
import { clusterKey, readIdentity, writeIdentity } from '../identity.ts';
import type { Identity } from '../identity.ts';
import { openKeys } from '../key-file.ts';
import { plainKeys } from '../seal.ts';
import { SnapshotReader, SnapshotWriter, snapshotChunkBytes } from '../snapshot-file.ts';
import { featureLevelOwn } from '../snapshot-transfers.ts';
import { encodeMeta, StateDecoder } from '../state-codec.ts';
import { appliedIndex, featureLevelOf } from '../store-state.ts';
import type { StoreState } from '../store-state.ts';
import { beginFrom, writeState } from './begin-from.ts';
import { readStoppedStore, storageOptionsOf } from './stopped-store.ts';

export type BackupReport = { readonly path: string; readonly clusterId: string; readonly revision: number; readonly sizeBytes: number; readonly sha256: string };

/**
 * Writes the state as one file, whole or not at all. It is the format of a snapshot, not encrypted, so it holds secrets in the clear:
 * only its owner may read it, and it belongs in a safe place. Errors: OS_DISK_FULL, OS_DISK_FAILED (also where the file exists).
 */
export function writeBackup(path: string, clusterId: string, state: StoreState): BackupReport {
  const dir = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) || '/' : '.';
  if (realDisk.exists(path)) throw new AppError({ code: 'MANAGER_BACKUP_REFUSED', message: `${path} is there already`, hint: 'name another file' });
  const head = { clusterId, index: appliedIndex(state), term: state.term, meta: encodeMeta(state, featureLevelOf(state)) };
  const part = `${path}.part`;
  if (realDisk.exists(part)) realDisk.unlink(part);
  const info = writeState(new SnapshotWriter({ disk: realDisk, dir, part, target: path, head, keys: plainKeys, salt: randomBytes(16), chunkBytes: snapshotChunkBytes }), state);
  return { path, clusterId, revision: head.index, sizeBytes: info.sizeBytes, sha256: info.sha256 };
}

/** The backup of a manager that does not run. */
export function backupStopped(dir: string, path: string, unlockKey: Secret | null): BackupReport {
  const unlock = lockDataDir(dir);
  try {
    const { identity, state } = readStoppedStore(dir, unlockKey);
    return writeBackup(path, clusterKey(identity), state);
  } finally {
    unlock();
  }
}

/** Reads a backup whole. Errors: MANAGER_SNAPSHOT_DAMAGED, OS_DISK_MISSING, MANAGER_WAL_FOREIGN. */
export function readBackup(path: string): { readonly state: StoreState; readonly report: BackupReport } {
  const reader = new SnapshotReader(realDisk, path, plainKeys);
  try {
    const { head } = reader;
    const decoder = new StateDecoder({ meta: head.meta, index: head.index, term: head.term, featureLevelMax: featureLevelOwn });
    const info = reader.verify((content) => decoder.take(content));
    return { state: decoder.finish(), report: { path, clusterId: head.clusterId, revision: head.index, sizeBytes: info.sizeBytes, sha256: info.sha256 } };
  } finally {
    reader.close();
  }
}

/**
 * Makes a new cluster of one manager with the state of a backup, in an empty directory. The cluster has a new id, so nothing that still
 * runs of the old one can speak with it. Errors: MANAGER_BACKUP_REFUSED where the directory is in use, and as `readBackup`.
 */
export function restoreBackup(options: { readonly dir: string; readonly path: string; readonly random: Random }): { readonly identity: Identity; readonly report: BackupReport } {
  const { dir, path, random } = options;
  const { state, report } = readBackup(path);
  const unlock = lockDataDir(dir);
  try {
    const there = realDisk.list(dir).filter((name) => name !== 'lock');
    if (readIdentity(realDisk, dir) !== null || there.length > 0) {
      throw new AppError({ code: 'MANAGER_BACKUP_REFUSED', message: `${dir} is not empty: ${there.join(', ')}`, hint: 'restore into an empty directory' });
    }
    const memberId = randomId(random);
    const identity: Identity = { format: 1, clusterId: randomId(random), incarnation: 1, memberId, firstVoters: [memberId], knownPeers: [] };
    const keys = openKeys({ disk: realDisk, dir, unlockKey: null, randomBytes });
    beginFrom(storageOptionsOf(dir, identity, keys), { ...state, term: 1, conf: { ...emptyConf, voters: [memberId] }, members: new Map(), removed: [] });
    // NOTE: last. Without it the directory holds no store, and restoring can begin again in an emptied one.
    writeIdentity(realDisk, dir, identity);
    return { identity, report };
  } finally {
    unlock();
  }
}
