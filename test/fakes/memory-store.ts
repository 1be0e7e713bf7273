import { AppError } from '../../src/base/app-error.ts';
import { limits } from '../../src/base/limits.ts';
import { applyEntry } from '../../src/cluster/state/apply.ts';
import { emptyView, outcomeOf, type View } from '../../src/cluster/state/view.ts';
import { refusalOf } from '../../src/manager/store/proposals.ts';
import type { ClusterStore, Commit, Leadership } from '../../src/manager/store/store.ts';
import { WatchLog } from '../../src/manager/store/watch.ts';
import type { Outcome } from '../../src/model/entry.ts';

/**
 * The store in memory: one member, always the leader, nothing on disk. Proposals are applied in order, in a later microtask each.
 * Held to the same contract as the real one (test/manager/store-contract.ts).
 */
export type MemoryStore = ClusterStore & {
  /** Takes the leadership away or gives it, in a new term. */
  readonly setLeader: (isLeader: boolean) => void;
  /** The next proposals, so many of them, fail with this error, and change nothing. */
  readonly failNext: (count: number, error: AppError) => void;
  /** Entries proposed so far, those that failed counted too. */
  readonly proposals: () => number;
};

export function memoryStore(options: { readonly nowMs: () => number; readonly view?: View; readonly watchCommitsMax?: number }): MemoryStore {
  let view = options.view ?? emptyView();
  let leadership: Leadership = { isLeader: true, leaderId: 'm1', term: 1 };
  let proposals = 0;
  let failing: { left: number; readonly error: AppError } | null = null;
  let isClosed = false;
  const watchLog = new WatchLog({ commitsMax: options.watchCommitsMax ?? 1000, revision: view.revision });
  const listeners = new Set<(commit: Commit) => void>();
  const leadershipListeners = new Set<(leadership: Leadership) => void>();
  const propose: ClusterStore['propose'] = async (changes, { requestId, isFirstAsk, fence, signal } = {}): Promise<Outcome> => {
    const isFirst = requestId === undefined || isFirstAsk === true;
    refuseIfOver(isClosed, signal, isFirst);
    await Promise.resolve();
    if (isClosed) throw refusalOf(closed(), isFirst);
    const known = requestId === undefined ? undefined : outcomeOf(view, requestId);
    if (known !== undefined) return known;
    if (!leadership.isLeader || (fence !== undefined && fence !== leadership.term)) throw refusalOf(new AppError({ code: 'MANAGER_NOT_LEADER', message: 'another term has begun' }), isFirst);
    if (new TextEncoder().encode(JSON.stringify(changes)).length > limits.objectBytesMax) throw new AppError({ code: 'MANAGER_OBJECT_TOO_LARGE', message: 'the change is too large' });
    proposals += 1;
    if (failing !== null && failing.left > 0) {
      failing.left -= 1;
      throw failing.error;
    }
    const applied = applyEntry(view, view.revision + 1, { requestId: requestId ?? `request-${proposals}`, timeMs: options.nowMs(), changes });
    view = applied.view;
    if (applied.events.length > 0) {
      const commit = { revision: view.revision, view, events: applied.events };
      watchLog.add(commit);
      for (const listener of listeners) listener(commit);
    }
    refuseIfOver(false, signal, isFirst);
    return applied.outcome;
  };
  return {
    propose,
    view: () => view,
    read: async ({ signal } = {}) => {
      if (isClosed) throw closed();
      signal?.throwIfAborted();
      return view;
    },
    onCommit: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    watch: ({ fromRevision, signal }) => watchLog.watch(fromRevision, signal),
    leadership: () => leadership,
    onLeadership: (listener) => {
      leadershipListeners.add(listener);
      return () => void leadershipListeners.delete(listener);
    },
    status: () => ({
      memberId: 'm1', clusterId: 'c1', leadership, commitIndex: view.revision, appliedIndex: view.revision, snapshotIndex: 0,
      members: [{ id: 'm1', address: null, role: 'voter', isReachable: true, matchIndex: view.revision }], alarms: [],
    }),
    close: async () => {
      isClosed = true;
      listeners.clear();
      watchLog.close();
    },
    setLeader: (isLeader) => {
      leadership = { isLeader, leaderId: isLeader ? 'm1' : 'm2', term: leadership.term + 1 };
      for (const listener of leadershipListeners) listener(leadership);
    },
    failNext: (count, error) => {
      failing = { left: count, error };
    },
    proposals: () => proposals,
  };
}

function refuseIfOver(isClosed: boolean, signal: AbortSignal | undefined, isFirst: boolean): void {
  if (isClosed) throw refusalOf(closed(), isFirst);
  if (signal?.aborted === true) throw new AppError({ code: 'MANAGER_OUTCOME_UNKNOWN', message: 'the caller gave up waiting', cause: signal.reason });
}

function closed(): AppError {
  return new AppError({ code: 'MANAGER_CLOSED', message: 'the store is closed' });
}
