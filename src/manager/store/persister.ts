import type { AppError } from '../../base/app-error.ts';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type { Entry, EntryKind, HardState, PersistJob } from '../../raft/types.ts';
import { encodeItems } from './log-items.ts';
import type { LogEntry, LogHardState, LogItem, LogMarker } from './log-items.ts';
import type { StoreMetrics } from './metrics.ts';
import type { JobRunner } from './storage.ts';
import type { HostMutations } from './store-limits.ts';
import { isDiskFull } from './wal.ts';

const entryKinds: readonly EntryKind[] = ['normal', 'conf', 'empty'];

export function toLogEntry(entry: Entry): LogEntry {
  return { index: entry.index, term: entry.term, kind: entryKinds.indexOf(entry.kind), data: entry.data };
}

export function fromLogEntry(entry: LogEntry): Entry {
  const kind = entryKinds[entry.kind];
  assert(kind !== undefined, `the log holds an entry of kind ${entry.kind}`);
  return { index: entry.index, term: entry.term, kind, data: entry.data };
}

export function toLogHardState(hardState: HardState): LogHardState {
  return { term: hardState.term, vote: hardState.vote ?? '', commit: hardState.commit };
}

/** What becomes durable in one piece; `finish` runs when it, and everything before it, is. `isAwaited`: as of an append (StorageJob). */
type Piece = { readonly items: readonly LogItem[]; readonly bytes: number; readonly entryCount: number; readonly isAwaited: boolean; readonly finish: (() => void) | null };

export type PersisterOptions = {
  readonly runner: JobRunner;
  readonly clock: Clock;
  readonly batchBytesMax: number;
  readonly metrics: StoreMetrics;
  readonly mutations: HostMutations;
  /** Called with the segment being written after each batch. */
  readonly onAppended: (segmentId: number) => void;
  /** Called when pieces were finished. */
  readonly onFinished: () => void;
  /** The disk has no room for the batch: it is kept and tried again. */
  readonly onFull: (isFull: boolean) => void;
  readonly onFatal: (error: AppError) => void;
};

const retryFullMs = 500;

/**
 * Feeds the log's writer: everything queued while one batch is written goes into the next one, so there is one sync under way
 * and no timer. Jobs finish strictly in order; one that needs no sync of its own finishes as soon as all before it have.
 */
export class Persister {
  readonly #options: PersisterOptions;
  #queue: Piece[] = [];
  #isWriting = false;
  #isStopped = false;
  #savedCommit = 0;
  /** Known, not yet written: only the commit index grew, which may be lost. It goes along with the next batch. */
  #unsaved: LogHardState | null = null;

  constructor(options: PersisterOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return !this.#isWriting && this.#queue.length === 0;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  addJob(job: PersistJob, isAwaited: boolean, finish: () => void): void {
    const isStateKept = !this.#options.mutations.has('host-hard-state-dropped');
    const hardState = job.hardState === null || !isStateKept ? null : toLogHardState(job.hardState);
    if (!job.mustSync && job.entries.length === 0 && job.snapshot === null) {
      this.#unsaved = hardState ?? this.#unsaved;
      this.#queue.push({ items: [], bytes: 0, entryCount: 0, isAwaited, finish });
      return;
    }
    const head: LogItem[] = job.snapshot === null ? [] : [{ kind: 'marker', marker: { index: job.snapshot.index, term: job.snapshot.term, isInstall: true } }];
    const groups = splitEntries(job.entries, this.#options.batchBytesMax / 2);
    // NOTE: the term goes before or with the entries of that term, also when they take several batches; the commit index after them.
    if (groups.length > 1 && hardState !== null) head.push({ kind: 'hardState', hardState: { ...hardState, commit: Math.min(hardState.commit, this.#savedCommit) } });
    const tail: LogItem[] = hardState === null ? [] : [{ kind: 'hardState', hardState }];
    if (hardState !== null) {
      this.#savedCommit = hardState.commit;
      this.#unsaved = null;
    }
    groups.forEach((entries, at) => {
      const items: LogItem[] = [...(at === 0 ? head : []), ...(entries.length === 0 ? [] : [{ kind: 'entries', entries } as const]), ...(at === groups.length - 1 ? tail : [])];
      this.#add({ items, entryCount: entries.length, isAwaited, finish: at === groups.length - 1 ? finish : null });
    });
  }

  addMarker(marker: LogMarker, finish: () => void): void {
    this.#add({ items: [{ kind: 'marker', marker }], entryCount: 0, isAwaited: true, finish });
  }

  /** Finishes what needs no write. True if anything was finished. */
  finishReady(): boolean {
    let count = 0;
    while (!this.#isWriting && !this.#isStopped && this.#queue[0]?.items.length === 0) {
      this.#queue.shift()?.finish?.();
      count += 1;
    }
    return count > 0;
  }

  /** `isBehindFrames`: what goes to other members in this round of work leaves first. */
  start(isBehindFrames = false): void {
    if (this.#isStopped || this.#queue.length === 0) return;
    if (this.#isWriting) {
      // What waits behind a batch waits for it.
      this.#options.runner.expect();
      return;
    }
    const batch: Piece[] = [];
    let bytes = 0;
    for (const piece of this.#queue) {
      if (batch.length > 0 && bytes + piece.bytes > this.#options.batchBytesMax) break;
      batch.push(piece);
      bytes += piece.bytes;
    }
    this.#queue = this.#queue.slice(batch.length);
    this.#write(batch, isBehindFrames);
  }

  /** Nothing is written or finished any more. */
  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
  }

  /** Makes durable what is known but not written: the commit index. */
  flush(finish: () => void): void {
    this.#add({ items: this.#unsaved === null ? [] : [{ kind: 'hardState', hardState: this.#unsaved }], entryCount: 0, isAwaited: true, finish });
    this.#unsaved = null;
    this.start();
  }

  #add(piece: Omit<Piece, 'bytes'>): void {
    this.#queue.push({ ...piece, bytes: piece.items.reduce((sum, item) => sum + itemBytes(item), 0) });
  }

  /** `isAgain`: the answers of others, with which it would be looked for, have come meanwhile. */
  #write(batch: readonly Piece[], isBehindFrames: boolean, isAgain = false): void {
    this.#isWriting = true;
    const { runner, metrics } = this.#options;
    // NOTE: encoded anew for each try, because the bytes move to the writer's thread.
    const entryCount = batch.reduce((sum, piece) => sum + piece.entryCount, 0);
    const isAwaited = isAgain || batch.some((piece) => piece.isAwaited);
    runner.submit({ kind: 'append', batch: encodeItems(batch.flatMap((piece) => piece.items)), isLone: entryCount <= 1 && this.#queue.length === 0, isBehindFrames, isAwaited }, (error, answer) => {
      if (this.#isStopped) return;
      if (error !== null) {
        this.#failed(batch, error);
        return;
      }
      this.#isWriting = false;
      if (answer.kind === 'appended') {
        metrics.syncUs.add(answer.syncMs * 1000);
        metrics.batchEntries.add(entryCount);
        this.#options.onAppended(answer.segmentId);
      }
      this.#options.onFull(false);
      // The next sync runs while what this one finished is dealt with.
      this.start();
      for (const piece of batch) piece.finish?.();
      this.#options.onFinished();
    });
  }

  #failed(batch: readonly Piece[], error: AppError): void {
    if (!isDiskFull(error)) {
      this.#isStopped = true;
      this.#options.onFatal(error);
      return;
    }
    this.#options.onFull(true);
    this.#options.clock.after(retryFullMs, () => {
      if (!this.#isStopped) this.#write(batch, false, true);
    }, true);
  }
}

function itemBytes(item: LogItem): number {
  return item.kind === 'entries' ? item.entries.reduce((sum, entry) => sum + 21 + entry.data.length, 5) : 300;
}

function splitEntries(entries: readonly Entry[], bytesMax: number): LogEntry[][] {
  const groups: LogEntry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const group = groups.at(-1);
    if (group === undefined) break;
    const size = entry.data.length + 21;
    if (group.length > 0 && bytes + size > bytesMax) {
      groups.push([toLogEntry(entry)]);
      bytes = size;
    } else {
      group.push(toLogEntry(entry));
      bytes += size;
    }
  }
  return groups;
}
