import type { View } from '../../cluster/state/view.ts';
import type { Change, Outcome, StoreEvent } from '../../model/entry.ts';

/**
 * The replicated store of the cluster: compare-and-set changes, a watch from a revision, linearizable reads, leader fencing.
 * Embedded Raft is the implementation; a laptop's has one voter. Every implementation passes test/manager/store-contract.ts.
 */
export type ClusterStore = {
  /**
   * Resolves when the entry is durable and applied here, with its outcome: `applied`, or `conflict` with nothing changed.
   * Errors: MANAGER_NOT_LEADER (with `fence`, the term has passed), MANAGER_NO_LEADER (nothing was proposed),
   * MANAGER_OUTCOME_UNKNOWN (it may have happened or may happen yet: ask again with the same requestId; also every refusal of an id that
   * may have been asked for before),
   * MANAGER_STORE_FULL, MANAGER_OBJECT_TOO_LARGE, MANAGER_CLOSED.
   */
  readonly propose: (changes: readonly Change[], options?: ProposeOptions) => Promise<Outcome>;
  /** The state applied here; it may be behind the leader's. What deciders work on, with `fence` on what they propose. */
  readonly view: () => View;
  /** A state that holds every change acknowledged before the call. Errors as `propose`. */
  readonly read: (options?: { readonly signal?: AbortSignal }) => Promise<View>;
  /** Called in order for each applied entry from now on, synchronously; it must be quick. The answer unsubscribes. */
  readonly onCommit: (listener: (commit: Commit) => void) => () => void;
  /** Commits after `fromRevision`, then on as they come. Errors: MANAGER_REVISION_COMPACTED (read the view and begin there). */
  readonly watch: (options: { readonly fromRevision: number; readonly signal: AbortSignal }) => AsyncIterable<Commit>;
  readonly leadership: () => Leadership;
  /** Called at each change; `isLeader` becomes true only once an entry of the own term is applied. */
  readonly onLeadership: (listener: (leadership: Leadership) => void) => () => void;
  readonly status: () => StoreStatus;
  /** Hands leadership over where it can, then stops. Leaks nothing. */
  readonly close: () => Promise<void>;
};

export type ProposeOptions = {
  /**
   * Same id, same entry: a repeated proposal is applied once, as long as at most `generationRequests` others came between. Made by the store where
   * none is given. The answer to a repeated one is the first's outcome, or unknown; never that nothing happened.
   */
  readonly requestId?: string;
  /** This id was never asked for before, nor is it elsewhere until this call is answered: then a refusal does mean that nothing happened. */
  readonly isFirstAsk?: boolean;
  /** The term in which the decision was taken: refused when another has begun. */
  readonly fence?: number;
  readonly signal?: AbortSignal;
};

export type Commit = { readonly revision: number; readonly view: View; readonly events: readonly StoreEvent[] };

export type Leadership = { readonly isLeader: boolean; readonly leaderId: string | null; readonly term: number };

export type StoreStatus = {
  readonly memberId: string;
  readonly clusterId: string;
  readonly leadership: Leadership;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshotIndex: number;
  readonly members: readonly { readonly id: string; readonly address: string | null; readonly role: 'voter' | 'learner'; readonly isReachable: boolean; readonly matchIndex: number }[];
  readonly alarms: readonly string[];
};
