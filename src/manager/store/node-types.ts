import type { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Change } from '../../model/entry.ts';
import type { RaftMutation } from '../../raft/mutations.ts';
import type { RaftCore } from '../../raft/raft-core.ts';
import type { Entry as LogRecord, HardState, MemberId, RaftLimits, SnapshotMeta, SoftState } from '../../raft/types.ts';
import type { HostMessage, PeerTransport } from './host-messages.ts';
import type { StoreMetrics } from './metrics.ts';
import type { JobRunner } from './storage.ts';
import type { HostMutations, StoreLimits } from './store-limits.ts';
import type { StoreState } from './store-state.ts';

/** Everything a member needs from outside; the simulation hands in its own. */
export type NodeEnv = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Runs a callback in the next round of the event loop, after what has arrived was read. */
  readonly soon: (callback: () => void) => void;
  readonly logRunner: JobRunner;
  readonly bulkRunner: JobRunner;
  readonly transport: PeerTransport;
  /** The member has stopped and must not go on in this process. */
  readonly onFatal: (error: AppError) => void;
  /** For oracles of a simulation. */
  readonly observe?: NodeObserver;
};

/** Called at the moment something happens to a member, before anyone else hears of it. */
export type NodeObserver = {
  readonly appended: (entries: readonly LogRecord[], previousTerm: number | null) => void;
  readonly applied: (entry: LogRecord, state: StoreState) => void;
  readonly installed: (state: StoreState) => void;
  readonly role: (softState: SoftState, term: number) => void;
};

/** What recovery found. `before`: where the entries begin; `snapshot`: what `state` was loaded from. */
export type Recovered = {
  readonly hardState: HardState | null;
  readonly entries: readonly LogRecord[];
  readonly before: SnapshotMeta | null;
  readonly snapshot: SnapshotMeta | null;
  /** Of the file of `snapshot`; 0 where there is none. */
  readonly snapshotBytes: number;
  readonly state: StoreState;
  readonly batchBytesMax: number;
};

export type NodeOptions = {
  readonly memberId: MemberId;
  /** The cluster and its incarnation, as peers compare it. */
  readonly clusterId: string;
  readonly address: string;
  readonly featureLevel: number;
  /** The level that changes need; as long as there is one level only, tests say. */
  readonly entryLevel?: (changes: readonly Change[]) => number;
  /** What this member knew of others' addresses before its log tells. */
  readonly knownPeers: ReadonlyMap<MemberId, string>;
  readonly limits: StoreLimits;
  readonly raftLimits?: Partial<RaftLimits>;
  readonly recovered: Recovered;
  readonly mutations?: HostMutations;
  readonly raftMutations?: ReadonlySet<RaftMutation>;
};

/** What a part of the node may use of it. */
export type NodeHost = {
  readonly env: NodeEnv;
  readonly options: NodeOptions;
  readonly mutations: HostMutations;
  readonly core: RaftCore;
  readonly metrics: StoreMetrics;
  readonly state: () => StoreState;
  readonly softState: () => SoftState;
  readonly term: () => number;
  readonly send: (to: MemberId, message: HostMessage) => void;
  readonly pump: () => void;
  readonly fail: (error: AppError) => void;
  readonly alarms: Set<string>;
};
