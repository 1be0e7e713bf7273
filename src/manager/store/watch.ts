import { AppError } from '../../base/app-error.ts';
import { undoEvents } from '../../cluster/state/apply.ts';
import type { View } from '../../cluster/state/view.ts';
import type { Commit } from './store.ts';

/** Each commit kept holds what its changes replaced, so a few that change much count as many: so many events for each commit. */
const eventsFactor = 4;

/**
 * What is kept of a commit. NOTE: not its view, which would keep all that later ones have replaced in it; that is much, and the collector would have
 * to carry it. A view is made again, out of the newest and the events since, for a watcher who begins in the past.
 */
type Kept = Pick<View, 'revision' | 'timeMs' | 'requests'> & Pick<Commit, 'events'>;

/** The last commits, for watchers that begin a little in the past, and the watchers themselves. */
export class WatchLog {
  readonly #commitsMax: number;
  #commits: Kept[] = [];
  #newest: View | null = null;
  #events = 0;
  /** Every commit after this revision is held. */
  #floor: number;
  readonly #wakers: Set<(commit: Commit | null) => void> = new Set();
  #isClosed = false;

  constructor(options: { readonly commitsMax: number; readonly revision: number }) {
    this.#commitsMax = options.commitsMax;
    this.#floor = options.revision;
  }

  add(commit: Commit): void {
    const { view, events } = commit;
    this.#commits.push({ revision: commit.revision, timeMs: view.timeMs, requests: view.requests, events });
    this.#newest = view;
    this.#events += events.length;
    if (this.#commits.length >= this.#commitsMax * 2 || this.#events >= this.#commitsMax * eventsFactor * 2) this.#drop();
    for (const wake of this.#wakers) wake(commit);
  }

  #drop(): void {
    let kept = this.#commits.length;
    let events = 0;
    // The newest is always kept.
    for (; kept > 1 && this.#commits.length - kept < this.#commitsMax; kept -= 1) {
      const more = this.#commits[kept - 1]?.events.length ?? 0;
      if (events > 0 && events + more > this.#commitsMax * eventsFactor) break;
      events += more;
    }
    const dropped = this.#commits.splice(0, kept);
    this.#events = events;
    this.#floor = dropped.at(-1)?.revision ?? this.#floor;
  }

  close(): void {
    this.#isClosed = true;
    for (const wake of this.#wakers) wake(null);
  }

  #after(fromRevision: number): Commit[] {
    const commits: Commit[] = [];
    let view = this.#newest;
    for (let at = this.#commits.length - 1; view !== null; at -= 1) {
      const kept = this.#commits[at];
      if (kept === undefined || kept.revision <= fromRevision) break;
      const { revision, timeMs, requests, events } = kept;
      const later = commits.at(-1);
      // NOTE: only where an older one is wanted: a snapshot that was installed is one commit of as many events as there are objects.
      view = { ...view, ...(later === undefined ? {} : undoEvents(view, later.events)), revision, timeMs, requests };
      commits.push({ revision, view, events });
    }
    return commits.reverse();
  }

  /** A watcher that does not keep up is ended with MANAGER_REVISION_COMPACTED, rather than held in memory without bound. */
  async *watch(fromRevision: number, signal: AbortSignal): AsyncGenerator<Commit, void, undefined> {
    if (fromRevision < this.#floor) throw compacted(fromRevision, this.#floor);
    const queue = this.#after(fromRevision);
    let isBehind = false;
    let wake: () => void = () => undefined;
    const waker = (commit: Commit | null): void => {
      // NOTE: a member that lags may be asked to go on from what its leader has shown.
      const isNews = commit !== null && commit.revision > fromRevision;
      if (isNews && queue.length >= this.#commitsMax) isBehind = true;
      else if (isNews) queue.push(commit);
      wake();
    };
    const onAbort = (): void => wake();
    this.#wakers.add(waker);
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted && !this.#isClosed) {
        const commit = queue.shift();
        if (commit !== undefined) yield commit;
        else if (isBehind) throw compacted(fromRevision, this.#floor);
        else await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#wakers.delete(waker);
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function compacted(fromRevision: number, floor: number): AppError {
  return new AppError({ code: 'MANAGER_REVISION_COMPACTED', message: `changes after revision ${fromRevision} are not kept any more, only after ${floor}`, hint: 'read the view and watch from its revision' });
}
