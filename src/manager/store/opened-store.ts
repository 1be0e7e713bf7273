import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { Secret } from '../../base/secret.ts';
import type { View } from '../../cluster/state/view.ts';
import type { Change, Outcome } from '../../model/entry.ts';
import type { MemberId } from '../../raft/types.ts';
import type { CallAnswer, MemberCall } from './host-messages.ts';
import { nearLimits, readGauges } from './gauges.ts';
import type { Gauges } from './gauges.ts';
import { clusterKey } from './identity.ts';
import type { Identity } from './identity.ts';
import type { KeyRotation } from './key-rotation.ts';
import type { MetricsReading } from './metrics.ts';
import type { StoreNode } from './node.ts';
import { backupRunning } from './ops/backup.ts';
import type { BackupReport } from './ops/backup.ts';
import { refusalOf } from './proposals.ts';
import type { JobRunner } from './storage.ts';
import type { ClusterStore, Commit, Leadership, ProposeOptions, StoreStatus } from './store.ts';
import type { StoreLimits } from './store-limits.ts';
import { appliedIndex, memberIds } from './store-state.ts';
import { WatchLog } from './watch.ts';

export type OpenedStoreOptions = {
  readonly node: StoreNode;
  readonly identity: Identity;
  readonly rotation: KeyRotation;
  readonly limits: StoreLimits;
  readonly clock: Clock;
  readonly dir: string;
  readonly startBackupThread: (onDeath: (error: AppError) => void) => Promise<JobRunner>;
  /** Ends the threads and gives the directory free. */
  readonly release: () => Promise<void>;
};

const handOverMs = 2000;

/** The store as the rest of the program sees it, and what only its operation needs: members, snapshots, keys, metrics. */
export class OpenedStore implements ClusterStore {
  readonly #options: OpenedStoreOptions;
  readonly #watchLog: WatchLog;
  #closing: Promise<void> | undefined;
  #backup: { readonly done: Promise<BackupReport>; readonly abort: () => void } | null = null;

  constructor(options: OpenedStoreOptions) {
    this.#options = options;
    const { node } = options;
    this.#watchLog = new WatchLog({ commitsMax: options.limits.watchCommitsMax, revision: appliedIndex(node.state) });
    node.onCommit((commit) => this.#watchLog.add(commit));
  }

  readonly propose = (changes: readonly Change[], options: ProposeOptions = {}): Promise<Outcome> => {
    const isFirstAsk = options.requestId === undefined || options.isFirstAsk === true;
    if (this.#closing !== undefined) return Promise.reject(refusalOf(closed(), isFirstAsk));
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(unknownByAbort(signal));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(unknownByAbort(signal));
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#options.node.proposals.propose({
        changes, requestId: options.requestId ?? null, isFirstAsk, fence: options.fence ?? null,
        done: (error, outcome) => {
          signal?.removeEventListener('abort', onAbort);
          if (outcome !== null) resolve(outcome);
          else reject(error ?? refusalOf(closed(), isFirstAsk));
        },
      });
    });
  };

  readonly view = (): View => this.#options.node.state.view;

  readonly read = (options: { readonly signal?: AbortSignal } = {}): Promise<View> => {
    if (this.#closing !== undefined) return Promise.reject(closed());
    const { signal } = options;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal?.reason instanceof Error ? signal.reason : new AppError({ code: 'MANAGER_NO_LEADER', message: 'the read was given up' }));
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#options.node.reads.read((error) => {
        signal?.removeEventListener('abort', onAbort);
        if (error === null) resolve(this.view());
        else reject(error);
      });
    });
  };

  readonly onCommit = (listener: (commit: Commit) => void): (() => void) => this.#options.node.onCommit(listener);

  readonly watch = (options: { readonly fromRevision: number; readonly signal: AbortSignal }): AsyncIterable<Commit> => this.#watchLog.watch(options.fromRevision, options.signal);

  readonly leadership = (): Leadership => this.#options.node.leadership;

  readonly onLeadership = (listener: (leadership: Leadership) => void): (() => void) => this.#options.node.onLeadership(listener);

  readonly status = (): StoreStatus => {
    const { node, identity, rotation } = this.#options;
    const core = node.core.status();
    const { conf, members } = node.state;
    const reachable = new Map(core.members.map((one) => [one.member, one]));
    return {
      memberId: identity.memberId,
      clusterId: identity.clusterId,
      leadership: node.leadership,
      commitIndex: core.hardState.commit,
      appliedIndex: appliedIndex(node.state),
      snapshotIndex: node.snapshots.newest?.index ?? 0,
      members: memberIds(conf).map((id) => ({
        id,
        address: members.get(id)?.address ?? null,
        role: conf.learners.includes(id) || conf.learnersNext.includes(id) ? 'learner' : 'voter',
        isReachable: id === identity.memberId || (reachable.get(id)?.isRecentActive ?? id === core.leader),
        matchIndex: id === identity.memberId ? core.lastIndex : (reachable.get(id)?.match ?? 0),
      })),
      alarms: [...node.alarms, ...warningsOf(conf.voters), ...keyWarnings(rotation), ...nearLimits(node, this.#gauges(), this.#options.limits)],
    };
  };

  /** The level in force: what a newer version may write into the log. */
  readonly featureLevel = (): number => this.#options.node.state.featureLevel;

  readonly metrics = (): MetricsReading & Gauges => ({ ...this.#options.node.metrics.read(), ...this.#gauges() });

  readonly identity = (): Identity => this.#options.identity;

  /** What a joining member needs: this cluster, and everyone's address. */
  readonly invite = (memberId: MemberId): Identity => {
    const { identity, node } = this.#options;
    const peers = node.membership.addresses();
    return { format: 1, clusterId: identity.clusterId, incarnation: identity.incarnation, memberId, firstVoters: identity.firstVoters, knownPeers: peers.filter((peer) => peer.address !== '') };
  };

  /** Errors: MANAGER_MEMBER_REFUSED, MANAGER_QUORUM_AT_RISK, MANAGER_NO_LEADER, MANAGER_OUTCOME_UNKNOWN. */
  readonly changeMembers = (call: MemberCall): Promise<Extract<CallAnswer, { readonly kind: 'done' }>['members']> =>
    new Promise((resolve, reject) => {
      this.#options.node.membership.call(call, (answer) => {
        if (answer.kind === 'done') resolve(answer.members);
        else reject(new AppError({ code: answer.code, message: answer.message, hint: answer.hint ?? undefined }));
      });
    });

  readonly makeSnapshot = (): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#options.node.snapshots.request((error) => (error === null ? resolve() : reject(error)));
    });

  /** Writes the state of now to a file, while all else goes on; one at a time. Errors: as `backupRunning`. */
  readonly backup = async (path: string): Promise<BackupReport> => {
    if (this.#closing !== undefined) throw closed();
    if (this.#backup !== null) throw new AppError({ code: 'MANAGER_BACKUP_REFUSED', message: 'a backup is being written already', hint: 'wait until it is done' });
    const { node, startBackupThread } = this.#options;
    const end = new AbortController();
    const breathe = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
    const done = backupRunning({ state: node.state, path, clusterId: this.clusterKey(), startThread: startBackupThread, breathe, signal: end.signal });
    this.#backup = { done, abort: () => end.abort(closed()) };
    try {
      return await done;
    } finally {
      this.#backup = null;
    }
  };

  readonly rotateKeys = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (this.#closing !== undefined) reject(closed());
      else this.#options.rotation.rotate((error) => (error === null ? resolve() : reject(error)));
    });

  /** Turns autolock on, or replaces its key. The answer is shown once and kept by the operator. After an error nothing is locked. */
  readonly lockKeys = (): Promise<Secret> =>
    new Promise((resolve, reject) => {
      if (this.#closing !== undefined) reject(closed());
      else this.#options.rotation.lock(resolve);
    });

  readonly unlockKeys = (): void => {
    if (this.#closing !== undefined) throw closed();
    this.#options.rotation.unlock();
  };

  readonly isAutolocked = (): boolean => this.#options.rotation.isAutolocked;

  #gauges(): Gauges {
    return readGauges(this.#options.node, this.#options.clock.nowMs());
  }

  get node(): StoreNode {
    return this.#options.node;
  }

  readonly clusterKey = (): string => clusterKey(this.#options.identity);

  readonly close = (): Promise<void> => {
    this.#closing ??= this.#close();
    return this.#closing;
  };

  async #close(): Promise<void> {
    const { node, clock, release } = this.#options;
    this.#backup?.abort();
    // A disk at the other end that hangs must not keep the store open.
    if (this.#backup !== null) await Promise.race([this.#backup.done.catch(() => undefined), clock.sleep(handOverMs)]);
    if (!node.isStopped) {
      await new Promise<void>((resolve) => node.handOver(handOverMs, resolve));
      node.flush();
      for (let waitedMs = 0; !node.isFlushed && waitedMs < handOverMs; waitedMs += 5) await clock.sleep(5);
    }
    node.stop();
    this.#watchLog.close();
    await release();
  }
}

function warningsOf(voters: readonly MemberId[]): string[] {
  if (voters.length === 2) return ['two-voters: the loss of either stops changes; add a third manager'];
  return voters.length > 0 && voters.length % 2 === 0 ? [`even-voters: ${voters.length} voters survive no more losses than ${voters.length - 1}`] : [];
}

function keyWarnings(rotation: KeyRotation): string[] {
  return rotation.failure === null ? [] : [`keys: the change of the data key is not finished (${rotation.failure.message}); change it once more: flotilla store keys rotate`];
}

function closed(): AppError {
  return new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' });
}

function unknownByAbort(signal: AbortSignal | undefined): AppError {
  return new AppError({ code: 'MANAGER_OUTCOME_UNKNOWN', message: 'the caller gave up waiting: the change may or may not have happened', cause: signal?.reason });
}
