import type { Index, MemberStatus, MemberId, ProgressState } from './types.ts';

/**
 * Appends that were sent and not answered: a queue of (last index, bytes) with two bounds, so that a slow follower can't fill memory.
 */
export class Window {
  readonly messagesMax: number;
  readonly bytesMax: number;
  #last: Index[] = [];
  #size: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.messagesMax = messagesMax;
    this.bytesMax = bytesMax;
  }

  get count(): number {
    return this.#last.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.count >= this.messagesMax || this.#bytes >= this.bytesMax;
  }

  add(last: Index, bytes: number): void {
    this.#last.push(last);
    this.#size.push(bytes);
    this.#bytes += bytes;
  }

  /** Everything up to `index` was answered. */
  free(index: Index): void {
    let head = this.#head;
    while (head < this.#last.length && (this.#last[head] ?? 0) <= index) {
      this.#bytes -= this.#size[head] ?? 0;
      head += 1;
    }
    this.#head = head;
    if (head === this.#last.length) this.reset();
    else if (head > 1024 && head * 2 > this.#last.length) {
      this.#last = this.#last.slice(head);
      this.#size = this.#size.slice(head);
      this.#head = 0;
    }
  }

  reset(): void {
    this.#last = [];
    this.#size = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  clone(): Window {
    const copy = new Window(this.messagesMax, this.bytesMax);
    copy.#last = this.#last.slice();
    copy.#size = this.#size.slice();
    copy.#head = this.#head;
    copy.#bytes = this.#bytes;
    return copy;
  }
}

/**
 * What a leader believes about one member.
 *
 *   probe ──accepted──► replicate        one append at a time, until the place where the logs agree is found
 *     ▲ ◄──rejected/unreachable──┘       appends sent ahead of their answers, within the window
 *     └──finished/failed── snapshot      nothing is sent; the host streams a snapshot
 *
 * match < next always. In replicate everything below `next` is on its way.
 */
export class Progress {
  readonly member: MemberId;
  isLearner: boolean;
  match: Index;
  next: Index;
  state: ProgressState = 'probe';
  pendingSnapshot: Index = 0;
  isRecentActive = false;
  isPausedByFlow = false;
  /** The highest commit index sent so far. */
  sentCommit: Index = 0;
  window: Window;

  constructor(options: { readonly member: MemberId; readonly isLearner: boolean; readonly match: Index; readonly next: Index; readonly window: Window }) {
    this.member = options.member;
    this.isLearner = options.isLearner;
    this.match = options.match;
    this.next = options.next;
    this.window = options.window;
  }

  get isPaused(): boolean {
    return this.state === 'snapshot' || this.isPausedByFlow;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.isPausedByFlow = false;
    this.pendingSnapshot = 0;
    this.window.reset();
  }

  becomeProbe(): void {
    // NOTE: after a snapshot the probe begins behind it, although its receipt is not confirmed: that is what it finds out.
    const sent = this.state === 'snapshot' ? this.pendingSnapshot : 0;
    this.#enter('probe');
    this.next = Math.max(this.match, sent) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: Index): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Entries went out: in replicate move on at once, in probe wait for the answer. */
  sent(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count;
        this.window.add(this.next - 1, bytes);
      }
      this.isPausedByFlow = this.window.isFull;
    } else if (count > 0) {
      this.isPausedByFlow = true;
    }
  }

  /** Would an empty append tell the member a newer commit index, of which it can make use? */
  canRaiseCommit(committed: Index): boolean {
    return committed > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** An acknowledgement. False: an old one. */
  acknowledged(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isPausedByFlow = false;
    return true;
  }

  /** A refusal of the append after `rejected`; `hint` is where the logs may agree. False: an answer to an old message. */
  rejected(rejected: Index, hint: Index): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.isPausedByFlow = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  status(): MemberStatus {
    return {
      member: this.member,
      isLearner: this.isLearner,
      state: this.state,
      match: this.match,
      next: this.next,
      isRecentActive: this.isRecentActive,
      isPaused: this.isPaused,
      pendingSnapshot: this.pendingSnapshot === 0 ? null : this.pendingSnapshot,
      inflightMessages: this.window.count,
      inflightBytes: this.window.bytes,
    };
  }

  clone(): Progress {
    const copy = new Progress({ member: this.member, isLearner: this.isLearner, match: this.match, next: this.next, window: this.window.clone() });
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.isRecentActive = this.isRecentActive;
    copy.isPausedByFlow = this.isPausedByFlow;
    copy.sentCommit = this.sentCommit;
    return copy;
  }
}
