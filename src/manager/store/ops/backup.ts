import { randomBytes } from 'node:crypto';
import { AppError } from '../../../base/app-error.ts';
import { assert } from '../../../base/assert.ts';
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
import { openBackupFile, SnapshotReader } from '../snapshot-file.ts';
import type { SnapshotHead } from '../snapshot-file.ts';
import { encodeContent, encodeMeta, StateDecoder } from '../state-codec.ts';
import { backupSlot } from '../storage.ts';
import type { JobRunner, StorageAnswer, StorageJob } from '../storage.ts';
import { appliedIndex, featureLevelOwn } from '../store-state.ts';
import type { StoreState } from '../store-state.ts';
import { beginFrom, writeState } from './begin-from.ts';
import { lockStore, readStoppedStore, storageOptionsOf } from './stopped-store.ts';

export type BackupReport = { readonly path: string; readonly clusterId: string; readonly revision: number; readonly sizeBytes: number; readonly sha256: string };

const sliceBytes = 128 * 1024;

/**
 * Writes the state as one file, whole or not at all, while the store runs: in slices between which the event loop does its other
 * work, by a thread of its own, so that a slow disk at the other end holds up neither the log nor the elections. The state is
 * immutable, so it is simply held: the backup is that of the moment of the call. The format is that of a snapshot, not encrypted, so it holds secrets in
 * the clear: only its owner may read it, and it belongs in a safe place.
 * Errors: MANAGER_BACKUP_REFUSED (the name is taken), MANAGER_CLOSED (the signal), OS_DISK_FULL, OS_DISK_FAILED, OS_DISK_MISSING.
 */
export async function backupRunning(options: {
  readonly state: StoreState;
  readonly path: string;
  readonly clusterId: string;
  readonly startThread: (onDeath: (error: AppError) => void) => Promise<JobRunner>;
  readonly breathe: () => Promise<void>;
  readonly signal: AbortSignal;
}): Promise<BackupReport> {
  const { state, path, signal } = options;
  const head = headOf(options.clusterId, state);
  const death = Promise.withResolvers<never>();
  // NOTE: it may come when nothing waits for it; whatever is asked of the thread afterwards learns of it.
  death.promise.catch(() => undefined);
  const thread = await options.startThread(death.reject);
  const perform = (job: StorageJob): Promise<StorageAnswer> =>
    Promise.race([death.promise, new Promise<StorageAnswer>((resolve, reject) => thread.submit(job, (error, answer) => (error === null ? resolve(answer) : reject(error))))]);
  try {
    await perform({ kind: 'backup-begin', path, head });
    for (const content of encodeContent(state.view, sliceBytes)) {
      await perform({ kind: 'snapshot-write', slot: backupSlot, content });
      await options.breathe();
      if (signal.aborted) throw signal.reason;
    }
    const answer = await perform({ kind: 'snapshot-finish', slot: backupSlot, sha256: undefined });
    assert(answer.kind === 'snapshot', 'a backup that was begun is finished');
    return { path, clusterId: options.clusterId, revision: head.index, sizeBytes: answer.info.sizeBytes, sha256: answer.info.sha256 };
  } finally {
    // What is half written goes with the thread.
    await new Promise<void>((resolve) => thread.close(resolve));
  }
}

function headOf(clusterId: string, state: StoreState): SnapshotHead {
  return { clusterId, index: appliedIndex(state), term: state.term, meta: encodeMeta(state) };
}

/** The backup of a manager that does not run. Errors: as `backupRunning`, OS_DATA_DIR_LOCKED where it does. */
export function backupStopped(dir: string, path: string, unlockKey: Secret | null): BackupReport {
  const unlock = lockStore(dir);
  try {
    const { identity, state } = readStoppedStore(dir, unlockKey);
    const head = headOf(clusterKey(identity), state);
    const info = writeState(openBackupFile({ disk: realDisk, path, head, salt: randomBytes(16) }), state);
    return { path, clusterId: head.clusterId, revision: head.index, sizeBytes: info.sizeBytes, sha256: info.sha256 };
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
