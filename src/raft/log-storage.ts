import { AppError } from '../base/app-error.ts';
import type { ConfState, Entry, Index, LogStorage, SnapshotMeta, Term } from './types.ts';

/** What an entry is reckoned to weigh in every byte limit: its data and a fixed part, so that empty entries are bounded too. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 32;
}

/**
 * Entries [from, to) of an array, as many as `maxBytes` allows, but at least one. A follower far behind is served many portions of a long
 * log, so only the portion is copied.
 */
export function takeEntries(entries: readonly Entry[], from: number, to: number, maxBytes: number): readonly Entry[] {
  let bytes = 0;
  let end = from;
  while (end < to) {
    const entry = entries[end];
    if (entry === undefined) break;
    bytes += entryBytes(entry);
    if (bytes > maxBytes && end > from) break;
    end += 1;
  }
  return entries.slice(from, end);
}

export const emptyConf: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** A log in memory, for tests and as the cache in front of a file: it holds everything after its snapshot's index. */
export class MemoryLogStorage implements LogStorage {
  #entries: Entry[] = [];
  #before: { index: Index; term: Term };
  #snapshot: SnapshotMeta | null;

  constructor(start: SnapshotMeta | null = null) {
    this.#snapshot = start;
    this.#before = start === null ? { index: 0, term: 0 } : { index: start.index, term: start.term };
  }

  readonly firstIndex = (): Index => this.#before.index + 1;

  readonly lastIndex = (): Index => this.#before.index + this.#entries.length;

  readonly term = (index: Index): Term | null => {
    if (index === this.#before.index) return this.#before.term;
    return this.#entries[index - this.#before.index - 1]?.term ?? null;
  };

  readonly entries = (low: Index, high: Index, maxBytes: number): readonly Entry[] => {
    const first = this.firstIndex();
    if (low < first || high > this.lastIndex() + 1) {
      throw new AppError({ code: 'RAFT_LOG_UNAVAILABLE', message: `entries [${low}, ${high}) asked for, held are [${first}, ${this.lastIndex() + 1})` });
    }
    return takeEntries(this.#entries, low - first, high - first, maxBytes);
  };

  readonly snapshotMeta = (): SnapshotMeta | null => this.#snapshot;

  /** Writes entries that continue the log or replace its end. */
  append(entries: readonly Entry[]): void {
    const head = entries[0];
    if (head === undefined) return;
    const at = head.index - this.firstIndex();
    if (at > this.#entries.length) {
      throw new AppError({ code: 'RAFT_LOG_UNAVAILABLE', message: `entry ${head.index} leaves a gap after ${this.lastIndex()}` });
    }
    if (at < 0) {
      const kept = entries.filter((entry) => entry.index >= this.firstIndex());
      if (kept.length > 0) this.append(kept);
      return;
    }
    this.#entries.length = at;
    for (const entry of entries) this.#entries.push(entry);
  }

  /** A snapshot of another member replaces the whole log. */
  install(snapshot: SnapshotMeta): void {
    this.#snapshot = snapshot;
    this.#before = { index: snapshot.index, term: snapshot.term };
    this.#entries = [];
  }

  /** A snapshot of this member's own state was made; the log stays until `compact`. */
  setSnapshot(snapshot: SnapshotMeta): void {
    if (this.#snapshot === null || snapshot.index > this.#snapshot.index) this.#snapshot = snapshot;
  }

  /** Drops entries up to and including `index`. */
  compact(index: Index): void {
    if (index <= this.#before.index) return;
    const term = this.term(index);
    if (term === null) throw new AppError({ code: 'RAFT_LOG_UNAVAILABLE', message: `cannot compact to ${index}: the log ends at ${this.lastIndex()}` });
    this.#entries = this.#entries.slice(index - this.#before.index);
    this.#before = { index, term };
  }

  /** What to compact to so that of the entries up to `index` the last are kept, within both bounds. */
  trailingFrom(index: Index, entriesMax: number, bytesMax: number): Index {
    let from = index;
    let bytes = 0;
    while (from > this.#before.index && index - from < entriesMax) {
      const entry = this.#entries[from - this.#before.index - 1];
      bytes += entry === undefined ? 0 : entryBytes(entry);
      if (bytes > bytesMax) break;
      from -= 1;
    }
    return from;
  }

  clone(): MemoryLogStorage {
    const copy = new MemoryLogStorage(this.#snapshot);
    copy.#before = { ...this.#before };
    copy.#entries = this.#entries.slice();
    return copy;
  }
}
