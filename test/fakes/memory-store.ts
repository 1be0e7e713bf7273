import { AppError } from '../../src/base/app-error.ts';
import { applyEntry } from '../../src/cluster/state/apply.ts';
import { emptyView, type View } from '../../src/cluster/state/view.ts';
import type { ClusterStore, Commit, Leadership } from '../../src/manager/store/store.ts';
import type { Outcome } from '../../src/model/entry.ts';

/** The store in memory: one member, always the leader, nothing on disk. Proposals are applied in order, in a later microtask each. */
export type MemoryStore = ClusterStore & {
  /** Takes the leadership away or gives it, in a new term. */
  readonly setLeader: (isLeader: boolean) => void;
  /** Entries proposed so far. */
  readonly proposals: () => number;
};

export function memoryStore(options: { readonly nowMs: () => number; readonly view?: View }): MemoryStore {
  let view = options.view ?? emptyView();
  let leadership: Leadership = { isLeader: true, leaderId: 'm1', term: 1 };
  let proposals = 0;
  let isClosed = false;
  const commits: Commit[] = [];
  const listeners = new Set<(commit: Commit) => void>();
  const leadershipListeners = new Set<(leadership: Leadership) => void>();
  const propose: ClusterStore['propose'] = async (changes, { requestId, fence } = {}): Promise<Outcome> => {
    if (isClosed) throw new AppError({ code: 'MANAGER_CLOSED', message: 'the store is closed' });
    await Promise.resolve();
    if (!leadership.isLeader || (fence !== undefined && fence !== leadership.term)) throw new AppError({ code: 'MANAGER_NOT_LEADER', message: 'another term has begun' });
    proposals += 1;
    const applied = applyEntry(view, view.revision + 1, { requestId: requestId ?? `request-${proposals}`, timeMs: options.nowMs(), changes });
    view = applied.view;
    const commit = { revision: view.revision, view, events: applied.events };
    commits.push(commit);
    for (const listener of [...listeners]) listener(commit);
    return applied.outcome;
  };
  return {
    propose,
    view: () => view,
    read: async () => view,
    onCommit: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    watch: (watchOptions) => watchCommits({ commits, listeners, ...watchOptions }),
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
    },
    setLeader: (isLeader) => {
      leadership = { isLeader, leaderId: isLeader ? 'm1' : 'm2', term: leadership.term + 1 };
      for (const listener of [...leadershipListeners]) listener(leadership);
    },
    proposals: () => proposals,
  };
}

async function* watchCommits(options: { readonly commits: readonly Commit[]; readonly listeners: Set<(commit: Commit) => void>; readonly fromRevision: number; readonly signal: AbortSignal }): AsyncGenerator<Commit> {
  let next = options.commits.findIndex((one) => one.revision > options.fromRevision);
  if (next < 0) next = options.commits.length;
  while (!options.signal.aborted) {
    const commit = options.commits[next];
    if (commit !== undefined) {
      next += 1;
      yield commit;
      continue;
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        options.listeners.delete(wake);
        options.signal.removeEventListener('abort', wake);
        resolve();
      };
      options.listeners.add(wake);
      options.signal.addEventListener('abort', wake);
    });
  }
}
