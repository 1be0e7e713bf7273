import { AppError } from '../base/app-error.ts';
import { assert } from '../base/assert.ts';
import { entryBytes, takeEntries } from './log-storage.ts';
import type { Entry, Index, LogStorage, SnapshotMeta, Term } from './types.ts';

/** Entries handed out to be applied, oldest first. */
type Chunk = { readonly last: Index; readonly bytes: number };

/**
 * The log as the core sees it: the durable part in storage, and after it the tail that is not known to be durable.
 *
 *      storage                          tail (memory)
 *      first … offset-1 | offset … inProgress-1 (handed out to be written) | inProgress … last (new)
 *
 * applied ≤ applying ≤ committed ≤ last. A snapshot that is not durable yet stands in front of the tail and hides storage.
 */
export class RaftLog {
  readonly storage: LogStorage;
  #tail: Entry[] = [];
  #offset: Index;
  #inProgress: Index;
  #snapshot: SnapshotMeta | null = null;
  #isSnapshotInProgress = false;
  committed: Index;
  applied: Index;
  #applying: Index;
  #chunks: Chunk[] = [];
  #applyingBytes = 0;

  constructor(storage: LogStorage, committed: Index, applied: Index) {
    this.storage = storage;
    this.#offset = storage.lastIndex() + 1;
    this.#inProgress = this.#offset;
    this.committed = committed;
    this.applied = applied;
    this.#applying = applied;
  }

  /** Everything below is known to be durable here. */
  get stableIndex(): Index {
    return this.#offset - 1;
  }

  get hasPendingSnapshot(): boolean {
    return this.#snapshot !== null;
  }

  get hasTail(): boolean {
    return this.#tail.length > 0;
  }

  get applying(): Index {
    return this.#applying;
  }

  firstIndex(): Index {
    return this.#snapshot === null ? this.storage.firstIndex() : this.#snapshot.index + 1;
  }

  lastIndex(): Index {
    if (this.#tail.length > 0) return this.#offset + this.#tail.length - 1;
    return this.#snapshot === null ? this.#offset - 1 : this.#snapshot.index;
  }

  lastTerm(): Term {
    return this.termOrFail(this.lastIndex());
  }

  /** Null: dropped by compaction, or not written yet. */
  term(index: Index): Term | null {
    if (index >= this.#offset) return this.#tail[index - this.#offset]?.term ?? null;
    if (this.#snapshot !== null) return index === this.#snapshot.index ? this.#snapshot.term : null;
    return this.storage.term(index);
  }

  termOrFail(index: Index): Term {
    const term = this.term(index);
    if (term === null) throw new AppError({ code: 'RAFT_LOG_UNAVAILABLE', message: `the term of entry ${index} is not in the log (${this.firstIndex()} to ${this.lastIndex()})` });
    return term;
  }

  matches(index: Index, term: Term): boolean {
    return this.term(index) === term;
  }

  /** Is a log that ends with (index, term) at least as new as this one? Raft §5.4.1. */
  isUpToDate(index: Index, term: Term): boolean {
    const lastTerm = this.lastTerm();
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex());
  }

  /** The first of `entries` that this log does not hold as it is; 0 if it holds all. */
  findConflict(entries: readonly Entry[]): Index {
    for (const entry of entries) {
      if (!this.matches(entry.index, entry.term)) return entry.index;
    }
    return 0;
  }

  /**
   * The last place at or before `index` whose term is not above `term`: beyond it the two logs can't be equal. Term 0 stands for
   * "not known here" (compacted).
   */
  findConflictByTerm(index: Index, term: Term): { index: Index; term: Term } {
    for (let at = index; at > 0; at -= 1) {
      const here = this.term(at);
      if (here === null) return { index: at, term: 0 };
      if (here <= term) return { index: at, term: here };
    }
    return { index: 0, term: 0 };
  }

  /** Entries from `low` on, within `maxBytes` (at least one if any). Null when `low` has been compacted away. */
  entriesFrom(low: Index, maxBytes: number): readonly Entry[] | null {
    if (low < this.firstIndex()) return null;
    const last = this.lastIndex();
    if (low > last) return [];
    return this.slice(low, last + 1, maxBytes);
  }

  /** Entries of [low, high), all of which must be held. */
  slice(low: Index, high: Index, maxBytes: number): readonly Entry[] {
    if (low >= high) return [];
    if (low >= this.#offset) return takeEntries(this.#tail, low - this.#offset, high - this.#offset, maxBytes);
    const fromStorage = this.storage.entries(low, Math.min(high, this.#offset), maxBytes);
    // NOTE: storage may stop early because of maxBytes; then the tail does not follow on.
    if (high <= this.#offset || fromStorage.length < this.#offset - low) return fromStorage;
    let bytes = 0;
    for (const entry of fromStorage) bytes += entryBytes(entry);
    const first = this.#tail[0];
    if (first === undefined || bytes + entryBytes(first) > maxBytes) return fromStorage;
    return fromStorage.concat(takeEntries(this.#tail, 0, high - this.#offset, maxBytes - bytes));
  }

  /** Appends, replacing whatever stands at entries[0].index and after it. Committed entries are never replaced. */
  append(entries: readonly Entry[]): void {
    const head = entries[0];
    if (head === undefined) return;
    if (head.index <= this.committed) throw diverged(head, this.committed);
    const at = head.index - this.#offset;
    if (at <= 0) {
      // The durable part is cut: the writer does that when it gets these entries.
      assert(head.index <= this.lastIndex() + 1, `entry ${head.index} leaves a gap after ${this.lastIndex()}`);
      this.#tail = entries.slice();
      this.#offset = head.index;
      this.#inProgress = head.index;
      return;
    }
    assert(at <= this.#tail.length, `entry ${head.index} leaves a gap after ${this.lastIndex()}`);
    this.#tail.length = at;
    for (const entry of entries) this.#tail.push(entry);
    if (this.#inProgress > head.index) this.#inProgress = head.index;
  }

  commitTo(index: Index): void {
    if (index <= this.committed) return;
    if (index > this.lastIndex()) {
      throw new AppError({
        code: 'RAFT_LOG_DIVERGED',
        message: `the leader says that entry ${index} is committed and stored here, but the log ends at ${this.lastIndex()}`,
        hint: 'This member lost part of its log. Remove it and let it join again under a new id.',
      });
    }
    this.committed = index;
  }

  /** New entries for the writer; afterwards they count as under way. */
  takeUnwritten(): readonly Entry[] {
    const at = this.#inProgress - this.#offset;
    if (at >= this.#tail.length) return [];
    this.#inProgress = this.#offset + this.#tail.length;
    return this.#tail.slice(at);
  }

  get hasUnwritten(): boolean {
    return this.#inProgress - this.#offset < this.#tail.length || (this.#snapshot !== null && !this.#isSnapshotInProgress);
  }

  takeUnwrittenSnapshot(): SnapshotMeta | null {
    if (this.#snapshot === null || this.#isSnapshotInProgress) return null;
    this.#isSnapshotInProgress = true;
    return this.#snapshot;
  }

  /**
   * The writer has made (index, term) durable, and everything before it. Ignored if another entry stands there by now: the write that
   * replaces it is still to come.
   */
  stableTo(index: Index, term: Term, isTermChecked: boolean): boolean {
    const at = index - this.#offset;
    const entry = this.#tail[at];
    if (at < 0 || entry === undefined) return false;
    if (isTermChecked && entry.term !== term) return false;
    this.#tail.splice(0, at + 1);
    this.#offset = index + 1;
    if (this.#inProgress < this.#offset) this.#inProgress = this.#offset;
    return true;
  }

  /** The snapshot is durable and in the state machine. */
  snapshotInstalled(index: Index): void {
    if (this.#snapshot !== null && this.#snapshot.index === index) {
      this.#snapshot = null;
      this.#isSnapshotInProgress = false;
    }
    this.appliedTo(index);
  }

  /** The log is replaced by a snapshot. */
  restore(snapshot: SnapshotMeta): void {
    this.#tail = [];
    this.#offset = snapshot.index + 1;
    this.#inProgress = this.#offset;
    this.#snapshot = snapshot;
    this.#isSnapshotInProgress = false;
    this.committed = snapshot.index;
  }

  /** Up to where entries may be applied: committed, and durable unless the host writes before it applies. */
  #appliable(isUnstableAllowed: boolean): Index {
    return isUnstableAllowed ? this.committed : Math.min(this.committed, this.#offset - 1);
  }

  hasCommitted(isUnstableAllowed: boolean, maxBytes: number): boolean {
    return this.#snapshot === null && this.#applyingBytes < maxBytes && this.#applying < this.#appliable(isUnstableAllowed);
  }

  /** The next committed entries for the state machine, as many as fit beside those still being applied. */
  takeCommitted(isUnstableAllowed: boolean, maxBytes: number): readonly Entry[] {
    if (!this.hasCommitted(isUnstableAllowed, maxBytes)) return [];
    const entries = this.slice(this.#applying + 1, this.#appliable(isUnstableAllowed) + 1, maxBytes - this.#applyingBytes);
    let bytes = 0;
    for (const entry of entries) bytes += entryBytes(entry);
    this.#applying += entries.length;
    this.#applyingBytes += bytes;
    this.#chunks.push({ last: this.#applying, bytes });
    return entries;
  }

  /** Answers the bytes of the chunks that are finished by this. */
  appliedTo(index: Index): number {
    if (index <= this.applied) return 0;
    assert(index <= this.committed, `applied ${index} is beyond committed ${this.committed}`);
    this.applied = index;
    if (this.#applying < index) this.#applying = index;
    let bytes = 0;
    let count = 0;
    for (const chunk of this.#chunks) {
      if (chunk.last > index) break;
      bytes += chunk.bytes;
      count += 1;
    }
    if (count > 0) this.#chunks.splice(0, count);
    this.#applyingBytes -= bytes;
    return bytes;
  }

  snapshotToSend(): SnapshotMeta | null {
    return this.#snapshot ?? this.storage.snapshotMeta();
  }

  /** A plain copy of the part that is in memory only, for inspection. */
  inspect(): { readonly offset: Index; readonly inProgress: Index; readonly tail: readonly Entry[]; readonly snapshot: SnapshotMeta | null; readonly applying: Index } {
    return { offset: this.#offset, inProgress: this.#inProgress, tail: this.#tail.slice(), snapshot: this.#snapshot, applying: this.#applying };
  }

  clone(storage: LogStorage): RaftLog {
    const copy = new RaftLog(storage, this.committed, this.applied);
    copy.#tail = this.#tail.slice();
    copy.#offset = this.#offset;
    copy.#inProgress = this.#inProgress;
    copy.#snapshot = this.#snapshot;
    copy.#isSnapshotInProgress = this.#isSnapshotInProgress;
    copy.#applying = this.#applying;
    copy.#chunks = this.#chunks.slice();
    copy.#applyingBytes = this.#applyingBytes;
    return copy;
  }
}

function diverged(head: Entry, committed: Index): AppError {
  return new AppError({
    code: 'RAFT_LOG_DIVERGED',
    message: `entry ${head.index} of term ${head.term} would replace an entry that is committed here (up to ${committed})`,
    hint: 'Two histories met: some member lost acknowledged entries. Stop, keep the data directories, and recover from a backup or the member with the newest log.',
  });
}
