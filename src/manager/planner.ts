import { AppError, isAppError } from '../base/app-error.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { randomHexId, randomId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { Draft, type Makers } from '../cluster/decide/draft.ts';
import { concernedProjects, projectNames, settleAll } from '../cluster/decide/settle.ts';
import type { View } from '../cluster/state/view.ts';
import type { Change } from '../model/entry.ts';
import type { ClusterStore, Commit, Leadership } from './store/store.ts';

/** A decision: what it wants changed, seen from the state it is given, and what it answers. It may be asked again after a conflict. */
export type Decision<T> = (view: View, makers: Makers) => { readonly changes: readonly Change[]; readonly answer: T };

type Job = { readonly run: (draft: Draft) => void; readonly resolve: (revision: number) => void; readonly reject: (error: unknown) => void };

/** Others write rarely; a conflict on each of so many attempts is no accident. */
const attemptsMax = 20;
const leaderWaitMs = 5_000;
/** Between attempts to write what follows from the state: twice as long each time, anew once something was written. */
const retryMs = { first: 500, most: 30_000 };

/**
 * The one writer of a leading manager. Commands and reports wait in one queue; whatever is there when its turn comes is decided
 * together, the deciders run over it to the end, and all of it is proposed as one entry: a report of ten containers and what follows
 * from it cost one write. Never re-entrant: the next batch begins when the entry before is committed.
 */
export class Planner {
  readonly #store: ClusterStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly makers: Makers;
  readonly #unsubscribe: readonly (() => void)[];
  #queue: Job[] = [];
  #dirty = new Set<string>();
  #isRunning = false;
  #isClosed = false;
  /** Revisions that this planner wrote: they hold the end of the deciders already. */
  #ownRevision = 0;
  #isProposing = false;
  /** Commits while a proposal is under way: its own, and perhaps others'. */
  #meanwhile: Commit[] = [];
  #idle: Promise<void> = Promise.resolve();
  /** Projects whose decisions were taken and could not be written: looked at again when the wait is over, or the store writes again. */
  #late = new Set<string>();
  #retryMs = retryMs.first;
  #cancelRetry: (() => void) | null = null;

  constructor(options: { readonly store: ClusterStore; readonly clock: Clock; readonly random: Random; readonly log: Log }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
    this.makers = { id: () => randomId(options.random), containerId: () => randomHexId(options.random) };
    this.#unsubscribe = [
      options.store.onCommit((commit) => {
        if (this.#isProposing) {
          this.#meanwhile.push(commit);
          return;
        }
        if (commit.revision <= this.#ownRevision) return;
        for (const name of concernedProjects(commit.view, commit.events)) this.#dirty.add(name);
        this.#kick();
      }),
      options.store.onLeadership((leadership) => leadership.isLeader && this.reconsider()),
    ];
  }

  /** Looks at everything again: at the start, and when leadership comes. */
  reconsider(): void {
    for (const name of projectNames(this.#store.view())) this.#dirty.add(name);
    this.#kick();
  }

  /**
   * Resolves when the decision, and all that follows from it, is committed. `revision` is the one before which nothing of it was there.
   * Errors: what `decide` throws (it alone is refused, not the batch), and those of `ClusterStore.propose`.
   */
  submit<T>(decide: Decision<T>): Promise<{ readonly answer: T; readonly revision: number }> {
    if (this.#isClosed) return Promise.reject(new AppError({ code: 'MANAGER_CLOSED', message: 'the manager is closed' }));
    return new Promise((resolve, reject) => {
      let answer: { readonly value: T } | null = null;
      this.#queue.push({
        run: (draft) => {
          const decided = decide(draft.view, this.makers);
          draft.apply(decided.changes);
          answer = { value: decided.answer };
        },
        resolve: (revision) => {
          assert(answer !== null, 'a decision was committed that was never taken');
          resolve({ answer: answer.value, revision });
        },
        reject,
      });
      this.#kick();
    });
  }

  /** Resolves when nothing is waiting and nothing under way. */
  settled(): Promise<void> {
    return this.#idle;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#cancelRetry?.();
    await this.#idle;
  }

  #kick(): void {
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    this.#idle = this.#run();
  }

  async #run(): Promise<void> {
    try {
      // The turn ends first, so that what comes together is decided together.
      await Promise.resolve();
      while (this.#queue.length > 0 || this.#dirty.size > 0) {
        const jobs = this.#queue;
        this.#queue = [];
        await this.#batches(jobs);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** What can't be decided together is decided one by one, so that a defect in one project refuses nobody else's change. */
  async #batches(jobs: readonly Job[]): Promise<void> {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    const undecided = await this.#batch(jobs, dirty);
    if (undecided === null) return;
    const parts: { readonly jobs: readonly Job[]; readonly dirty: ReadonlySet<string> }[] = [...undecided.jobs.map((job) => ({ jobs: [job], dirty: new Set<string>() })), ...[...dirty].sort().map((name) => ({ jobs: [], dirty: new Set([name]) }))];
    if (parts.length <= 1) return this.#fail(undecided.jobs, undecided.error);
    for (const part of parts) {
      const failed = await this.#batch(part.jobs, part.dirty);
      if (failed !== null) this.#fail(failed.jobs, failed.error);
    }
  }

  /** null: every job has its answer. Otherwise the deciders failed on what was there together. */
  async #batch(jobs: readonly Job[], dirty: ReadonlySet<string>): Promise<{ readonly jobs: readonly Job[]; readonly error: unknown } | null> {
    let open = jobs;
    for (let attempt = 1; ; attempt += 1) {
      const current = this.#store.leadership();
      const leadership = current.isLeader ? current : await this.#leader();
      if (!leadership.isLeader) {
        const error = new AppError({ code: 'MANAGER_NOT_LEADER', message: leadership.leaderId === null ? 'no manager leads' : `manager ${leadership.leaderId} leads` });
        for (const job of open) job.reject(error);
        return null;
      }
      const base = this.#store.view();
      const draft = new Draft(base, this.#clock.nowMs());
      const decided = this.#decide(draft, open, dirty);
      open = decided.jobs;
      if (decided.failure !== null) return { jobs: open, error: decided.failure.error };
      try {
        const changes = draft.changes();
        if (changes.length === 0 || (await this.#propose(changes, leadership.term))) {
          for (const job of open) job.resolve(base.revision);
          return null;
        }
        if (attempt >= attemptsMax) throw new AppError({ code: 'MANAGER_OUTCOME_UNKNOWN', message: `the change met another one ${attemptsMax} times` });
      } catch (error) {
        this.#fail(open, error);
        this.#lookAgain(dirty);
        return null;
      }
    }
  }

  /** Nobody waits for these, so nobody would ask again. One timer for all of them: however many fail, the store is asked once a wait. */
  #lookAgain(projects: ReadonlySet<string>): void {
    for (const name of projects) this.#late.add(name);
    if (this.#late.size === 0 || this.#cancelRetry !== null || this.#isClosed) return;
    this.#cancelRetry = this.#clock.after(this.#retryMs, () => {
      this.#takeLate();
      this.#kick();
    }, true);
    this.#retryMs = Math.min(this.#retryMs * 2, retryMs.most);
  }

  #takeLate(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    for (const name of this.#late) this.#dirty.add(name);
    this.#late.clear();
  }

  /** At the start and between two terms nobody leads for a moment: that is waited for, not refused. */
  async #leader(): Promise<Leadership> {
    const { memberId } = this.#store.status();
    // One's own leadership counts only once an entry of the term is applied.
    const isKnown = ({ isLeader, leaderId }: Leadership): boolean => isLeader || (leaderId !== null && leaderId !== memberId);
    const now = this.#store.leadership();
    if (isKnown(now)) return now;
    return new Promise((resolve) => {
      const finish = (): void => {
        unsubscribe();
        cancel();
        resolve(this.#store.leadership());
      };
      const unsubscribe = this.#store.onLeadership((leadership) => {
        if (isKnown(leadership)) finish();
      });
      const cancel = this.#clock.after(leaderWaitMs, finish, true);
    });
  }

  /** Answers the jobs that were not refused, and whether the deciders failed on what follows from them. */
  #decide(draft: Draft, jobs: readonly Job[], dirty: ReadonlySet<string>): { readonly jobs: readonly Job[]; readonly failure: { readonly error: unknown } | null } {
    const open = jobs.filter((job) => {
      try {
        job.run(draft);
        return true;
      } catch (error) {
        job.reject(error);
        return false;
      }
    });
    try {
      settleAll(draft, dirty, this.makers);
      return { jobs: open, failure: null };
    } catch (error) {
      return { jobs: open, failure: { error } };
    }
  }

  /** False: somebody else wrote in between. */
  async #propose(changes: readonly Change[], term: number): Promise<boolean> {
    this.#isProposing = true;
    let revision = 0;
    try {
      const outcome = await this.#store.propose(changes, { fence: term });
      if (outcome.kind === 'applied') {
        revision = outcome.revision;
        this.#retryMs = retryMs.first;
        this.#takeLate();
      }
      return outcome.kind === 'applied';
    } finally {
      this.#isProposing = false;
      this.#ownRevision = Math.max(this.#ownRevision, revision);
      const commits = this.#meanwhile;
      this.#meanwhile = [];
      for (const commit of commits) if (commit.revision !== revision) for (const name of concernedProjects(commit.view, commit.events)) this.#dirty.add(name);
    }
  }

  /** NOTE: deciders that fail would fail again on the same state, so only the next commit or command lets them try anew. */
  #fail(jobs: readonly Job[], error: unknown): void {
    for (const job of jobs) job.reject(error);
    const isExpected = isAppError(error) && error.code.startsWith('MANAGER_');
    if (isExpected) this.#log.warn('manager.not-proposed', { code: error.code, error: error.message });
    else this.#log.error('manager.decision-failed', { error: String(error), stack: error instanceof Error ? error.stack : undefined });
  }
}
