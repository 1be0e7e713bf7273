import { randomBytes } from 'node:crypto';
import { AppError, isAppError } from '../../../base/app-error.ts';
import type { Secret } from '../../../base/secret.ts';
import { lockDataDir } from '../../../os/data-dir-lock.ts';
import { realDisk } from '../../../os/disk.ts';
import { emptyConf } from '../../../raft/log-storage.ts';
import { decodeEntry } from '../entry-codec.ts';
import { clusterKey, readIdentity } from '../identity.ts';
import type { Identity } from '../identity.ts';
import { openKeys, readKeyFile } from '../key-file.ts';
import type { OpenedKeys } from '../key-file.ts';
import type { Recovered } from '../node-types.ts';
import { changeMembers, recoverState } from '../recover-state.ts';
import { snapshotChunkBytes } from '../snapshot-file.ts';
import { Storage, logDir } from '../storage.ts';
import type { StorageOptions } from '../storage.ts';
import { clusterLimits } from '../store-limits.ts';
import { advance, appliedIndex, applyNormal, featureLevelOwn } from '../store-state.ts';
import type { StoreState } from '../store-state.ts';
import { Wal } from '../wal.ts';

export type StoppedStore = {
  readonly identity: Identity;
  readonly keys: OpenedKeys;
  readonly storageOptions: StorageOptions;
  readonly recovered: Recovered;
  /** With all entries of the log applied. */
  readonly state: StoreState;
  /** Entries without proof on this disk that they were committed. They may have been acknowledged, so they count. */
  readonly keptEntries: number;
  readonly notes: readonly string[];
  readonly segmentCount: number;
};

/** What is left of a store, however damaged. */
export const storeNames: readonly string[] = ['identity.json', 'keys.json', 'log', 'snapshots', 'recover.json', 'next'];

/**
 * Takes the lock of the store in `dir`, which must be there: nothing is made where a path was mistyped. Errors: MANAGER_STORE_MISSING, OS_DATA_DIR_LOCKED.
 */
export function lockStore(dir: string): () => void {
  const names = namesIn(dir);
  if (!names?.some((name) => storeNames.includes(name))) {
    throw new AppError({ code: 'MANAGER_STORE_MISSING', message: `${dir} ${names === null ? 'does not exist' : 'holds no store'}`, hint: 'name the data directory of a manager, the one that holds identity.json: --dir DIR' });
  }
  return lockDataDir(dir);
}

function namesIn(dir: string): readonly string[] | null {
  try {
    return realDisk.list(dir);
  } catch (error) {
    if (isAppError(error, 'OS_DISK_MISSING')) return null;
    throw error;
  }
}

/** Reads the store of a stopped member without changing it; the caller holds its lock. Errors: as `openStore`, MANAGER_STORE_MISSING. */
export function readStoppedStore(dir: string, unlockKey: Secret | null): StoppedStore {
  const identity = readIdentity(realDisk, dir);
  if (identity === null || readKeyFile(realDisk, dir) === null) throw new AppError({ code: 'MANAGER_STORE_DAMAGED', message: `${dir} holds no ${identity === null ? 'identity.json' : 'keys.json'}`, hint: 'put the file back, or let this member join again: flotilla store recover --rejoin' });
  const keys = openKeys({ disk: realDisk, dir, unlockKey, randomBytes });
  const storageOptions = storageOptionsOf(dir, identity, keys);
  const { batches, notes, segmentCount } = Wal.inspect({ ...storageOptions, dir: logDir(dir) });
  const storage = new Storage(storageOptions);
  const firstConf = { ...emptyConf, voters: identity.firstVoters };
  const found = recoverState({ storage, batches, batchBytesMax: 0, clusterId: clusterKey(identity), firstConf, featureLevelMax: featureLevelOwn });
  storage.close();
  return { identity, keys, storageOptions, recovered: found.recovered, ...applyTail(found.recovered), notes: [...notes, ...found.notes], segmentCount };
}

export function storageOptionsOf(dir: string, identity: Identity, keys: OpenedKeys): StorageOptions {
  return {
    disk: realDisk, dir, clusterId: clusterKey(identity), memberId: identity.memberId, segmentSizeBytes: clusterLimits.segmentSizeBytes,
    keys: keys.dataKeys, randomBytes, monotonicMs: () => performance.now(), snapshotChunkBytes,
  };
}

function applyTail(recovered: Recovered): { readonly state: StoreState; readonly keptEntries: number } {
  let { state } = recovered;
  let keptEntries = 0;
  for (const entry of recovered.entries) {
    if (entry.index <= appliedIndex(state)) continue;
    const position = { index: entry.index, term: entry.term };
    state = entry.kind === 'normal' ? applyNormal(state, position, decodeEntry(entry.data, featureLevelOwn)).state : advance(state, position);
    if (entry.kind === 'conf') state = changeMembers(state, entry.data);
    if (entry.index > (recovered.hardState?.commit ?? 0)) keptEntries += 1;
  }
  return { state, keptEntries };
}
