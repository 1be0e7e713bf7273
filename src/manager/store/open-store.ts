import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Secret } from '../../base/secret.ts';
import { lockDataDir } from '../../os/data-dir-lock.ts';
import { realDisk } from '../../os/disk.ts';
import type { MemberId } from '../../raft/types.ts';
import { emptyConf } from '../../raft/log-storage.ts';
import type { PeerTransport } from './host-messages.ts';
import type { ConnectPeers } from './peer-link.ts';
import { clusterKey, firstIdentity, readIdentity, writeIdentity } from './identity.ts';
import type { Identity } from './identity.ts';
import { KeyRotation } from './key-rotation.ts';
import { openKeys } from './key-file.ts';
import { StoreNode } from './node.ts';
import { OpenedStore } from './opened-store.ts';
import { finishSwap } from './ops/recover.ts';
import { recoverState } from './recover-state.ts';
import { snapshotChunkBytes } from './snapshot-file.ts';
import { Storage } from './storage.ts';
import { featureLevelOwn } from './store-state.ts';
import type { JobRunner } from './storage.ts';
import type { StoreLimits } from './store-limits.ts';
import { startWorker } from './worker-runner.ts';

export type OpenStoreOptions = {
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: StoreLimits;
  /** Where other members reach this one; empty on a laptop. */
  readonly address: string;
  /** What a new data directory is to be. `first` begins a cluster; a joining member brings what the leader answered. Ignored by one that has an identity. */
  readonly begin: { readonly kind: 'first' } | { readonly kind: 'join'; readonly identity: Identity };
  /** Makes the transport between members; a laptop has none. */
  readonly connect: ConnectPeers | null;
  readonly unlockKey: Secret | null;
  /** One thread for log and snapshots instead of two: less memory, for a laptop. */
  readonly isSmall: boolean;
  /** The store has stopped by itself (a disk that fails, removal from the cluster); the process has to end or open it anew. */
  readonly onFatal: (error: AppError) => void;
};

const emptyTransport: PeerTransport = { send: () => undefined, setPeers: () => undefined, close: () => undefined };

/**
 * Opens the replicated store of one member: locks its directory, recovers log and state, joins its peers. Resolves as soon as
 * the state is there; a lone voter leads by then or a moment later (`leadership`).
 * Errors: OS_DATA_DIR_LOCKED, MANAGER_WAL_DAMAGED, MANAGER_WAL_FOREIGN, MANAGER_SNAPSHOT_DAMAGED, MANAGER_FEATURE_LEVEL, MANAGER_STORE_AUTOLOCKED, OS_DISK_FULL.
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const unlock = lockDataDir(options.dir);
  const runners: JobRunner[] = [];
  const closeRunners = async (): Promise<void> => {
    await Promise.all(runners.map((runner) => new Promise<void>((resolve) => runner.close(resolve))));
  };
  try {
    finishSwap(options.dir);
    const identity = identityOf(options);
    const opened = openKeys({ disk: realDisk, dir: options.dir, unlockKey: options.unlockKey, randomBytes });
    const setup = {
      dir: options.dir, clusterId: clusterKey(identity), memberId: identity.memberId, segmentSizeBytes: options.limits.segmentSizeBytes, keys: opened.dataKeys,
    };
    const storage = new Storage({ ...setup, disk: realDisk, randomBytes, monotonicMs: options.clock.monotonicMs, snapshotChunkBytes });
    storage.openSnapshots();
    const lost = (error: AppError): void => node?.fail(error);
    let node: StoreNode | undefined;
    const log = await startWorker({ ...setup, role: 'log', isEager: options.connect === null && availableParallelism() > 1 }, lost);
    runners.push(log.runner);
    const bulk = options.isSmall ? log : await startWorker({ ...setup, role: 'bulk' }, lost);
    if (bulk !== log) runners.push(bulk.runner);
    const conf = { ...emptyConf, voters: identity.firstVoters };
    const { recovered, notes } = recoverState({
      storage, batches: log.batches, batchBytesMax: log.batchBytesMax, clusterId: clusterKey(identity), firstConf: conf, featureLevelMax: featureLevelOwn,
    });
    storage.close();
    for (const note of [...log.notes, ...notes]) options.log.warn('store.recovered', { note });
    const transport = options.connect === null ? emptyTransport : await options.connect({ identity, receive: (envelope) => node?.receive(envelope), lost: (member) => node?.peerLost(member) });
    node = new StoreNode(
      { clock: options.clock, random: options.random, log: options.log, soon: (callback) => void setImmediate(callback), logRunner: log.runner, bulkRunner: bulk.runner, transport, onFatal: options.onFatal },
      {
        memberId: identity.memberId, clusterId: clusterKey(identity), address: options.address, featureLevel: featureLevelOwn,
        knownPeers: new Map<MemberId, string>(identity.knownPeers.map((peer) => [peer.id, peer.address])), limits: options.limits, recovered,
      },
    );
    const rotation = new KeyRotation({ disk: realDisk, randomBytes, dir: options.dir, opened, unlockKey: options.unlockKey, logRunner: log.runner, bulkRunner: bulk.runner, snapshots: node.snapshots });
    node.start();
    return new OpenedStore({
      node, identity, rotation, limits: options.limits, clock: options.clock, dir: options.dir,
      startBackupThread: async (onDeath) => (await startWorker({ ...setup, role: 'backup' }, onDeath)).runner,
      release: async () => {
        await closeRunners();
        unlock();
      },
    });
  } catch (error) {
    await closeRunners();
    unlock();
    throw error;
  }
}

function identityOf(options: OpenStoreOptions): Identity {
  const found = readIdentity(realDisk, options.dir);
  if (found !== null) return found;
  const names = realDisk.list(options.dir).filter((name) => name === 'log' || name === 'snapshots');
  if (names.length > 0) {
    throw new AppError({ code: 'MANAGER_STORE_DAMAGED', message: `${options.dir} holds ${names.join(' and ')} but no identity.json`, hint: 'put the file back, or name an empty directory' });
  }
  const identity = options.begin.kind === 'first' ? firstIdentity(options.random) : options.begin.identity;
  writeIdentity(realDisk, options.dir, identity);
  return identity;
}
