import type { Clock } from '../../base/clock.ts';
import type { RaftCore } from '../../raft/raft-core.ts';

/** So long followers may not know that something is committed, if no further entry tells them. Long beside the pause between two writes of one client. */
const holdMs = 2;

/** What it needs of the member. */
export type NoticeHost = {
  readonly core: Pick<RaftCore, 'isCommitDue' | 'commitIndex' | 'tellCommit'>;
  readonly env: { readonly clock: Pick<Clock, 'after'> };
  readonly pump: () => void;
};

/**
 * Tells followers what is committed. Mostly the next entries do, so a message for it alone, which each follower also answers, is sent only
 * when none came for a moment; but at once where a follower waits for it, because it passed on a proposal.
 */
export class CommitNotice {
  readonly #host: NoticeHost;
  /** Answers whether what is committed now holds an entry that a follower passed on and has not heard of. */
  readonly #isAwaited: (committed: number) => boolean;
  #isPlanned = false;

  constructor(host: NoticeHost, isAwaited: (committed: number) => boolean) {
    this.#host = host;
    this.#isAwaited = isAwaited;
  }

  /** After each round of work. */
  check(): void {
    const { core } = this.#host;
    if (!core.isCommitDue) return;
    if (this.#isAwaited(core.commitIndex)) {
      core.tellCommit();
      return;
    }
    if (!this.#isPlanned) this.#plan();
  }

  #plan(): void {
    const { core, env } = this.#host;
    const planned = core.commitIndex;
    this.#isPlanned = true;
    env.clock.after(holdMs, () => {
      this.#isPlanned = false;
      // NOTE: while one write follows the other, each tells what was committed before it: the moment begins anew.
      if (core.isCommitDue && core.commitIndex > planned) this.#plan();
      else core.tellCommit();
      this.#host.pump();
    }, true);
  }
}
