import type { AppError } from '../../base/app-error.ts';
import { assert } from '../../base/assert.ts';
import type { Disk } from '../../os/disk.ts';
import type { DataKeys } from './seal.ts';
import { openBackupFile, SnapshotDir } from './snapshot-file.ts';
import type { SnapshotHead, SnapshotInfo, SnapshotReader, SnapshotWriter } from './snapshot-file.ts';
import { fillSpare, Wal } from './wal.ts';
import type { SegmentReader } from './wal-segment.ts';

/** What is asked of the disk, as plain values, so that it can be asked of another thread. Bytes may be moved there: the asker does not use them again. */
export type StorageJob =
  /**
   * `isLone`: one entry at most, and nothing waits behind it; `isBehindFrames`: what goes to other members in this round of work leaves first;
   * `isAwaited`: false where nothing follows from the answer before something else happens, so the runner may keep it until it is looked for.
   */
  | { readonly kind: 'append'; readonly batch: Uint8Array<ArrayBuffer>; readonly isLone: boolean; readonly isBehindFrames: boolean; readonly isAwaited: boolean }
  | { readonly kind: 'compact'; readonly index: number }
  | { readonly kind: 'use-keys'; readonly keys: DataKeys }
  | { readonly kind: 'fill-spare' }
  | { readonly kind: 'snapshot-begin'; readonly slot: string; readonly head: SnapshotHead }
  | { readonly kind: 'snapshot-write'; readonly slot: string; readonly content: Uint8Array }
  | { readonly kind: 'snapshot-finish'; readonly slot: string; readonly sha256: string | undefined }
  | { readonly kind: 'snapshot-abort'; readonly slot: string }
  | { readonly kind: 'snapshot-verify'; readonly index: number; readonly term: number }
  | { readonly kind: 'snapshot-read'; readonly index: number; readonly term: number; readonly chunk: number }
  | { readonly kind: 'snapshot-keep'; readonly indexes: readonly number[] }
  /** A file outside of the directory, in the clear; written and finished as the snapshot of slot `backup`. */
  | { readonly kind: 'backup-begin'; readonly path: string; readonly head: SnapshotHead }
  | { readonly kind: 'keys-in-use' };

export type StorageAnswer =
  | { readonly kind: 'done' }
  /** `syncMs`: how long the write and its sync took; `segmentId`: another one than before means that the spare was used. */
  | { readonly kind: 'appended'; readonly segmentId: number; readonly syncMs: number }
  | { readonly kind: 'filled'; readonly isWhole: boolean }
  | { readonly kind: 'snapshot'; readonly info: SnapshotInfo }
  | { readonly kind: 'chunk'; readonly content: Uint8Array | undefined }
  | { readonly kind: 'key-ids'; readonly keyIds: readonly number[] };

/** Where jobs run: two threads in production, the simulated disk in a simulation. Jobs of one runner run in order. */
export type JobRunner = {
  readonly submit: (job: StorageJob, done: (error: AppError | null, answer: StorageAnswer) => void) => void;
  /** Hands out the answer of an append that was not awaited, if it is there; if not, it is awaited from now on. */
  readonly look: () => void;
  /** The append that was not awaited is so from now on; its answer does not come before this returns. */
  readonly expect: () => void;
  readonly close: (done: () => void) => void;
};

export type StorageOptions = {
  readonly disk: Disk;
  /** The member's directory: `log/` and `snapshots/` are below it. */
  readonly dir: string;
  readonly clusterId: string;
  readonly memberId: string;
  readonly segmentSizeBytes: number;
  readonly keys: DataKeys;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly monotonicMs: () => number;
  readonly snapshotChunkBytes: number;
  readonly readSegment?: SegmentReader | undefined;
};

export const backupSlot = 'backup';

export function logDir(dir: string): string {
  return `${dir}/log`;
}

export function snapshotDir(dir: string): string {
  return `${dir}/snapshots`;
}

/** Does the jobs of one runner, synchronously. The log's runner owns the Wal; snapshots and the spare belong to the other. */
export class Storage {
  readonly #options: StorageOptions;
  readonly #snapshots: SnapshotDir;
  readonly #writers: Map<string, SnapshotWriter> = new Map();
  #reader: { readonly index: number; readonly term: number; readonly reader: SnapshotReader } | undefined;
  #wal: Wal | undefined;

  constructor(options: StorageOptions) {
    this.#options = options;
    this.#snapshots = new SnapshotDir({ disk: options.disk, dir: snapshotDir(options.dir), keys: options.keys, randomBytes: options.randomBytes, chunkBytes: options.snapshotChunkBytes });
  }

  /** Recovers the log and makes this storage the one that appends to it. */
  openLog(): { readonly batches: readonly Uint8Array[]; readonly notes: readonly string[]; readonly batchBytesMax: number } {
    const opened = Wal.open({ ...this.#options, dir: logDir(this.#options.dir) });
    this.#wal = opened.wal;
    return { batches: opened.batches, notes: opened.notes, batchBytesMax: opened.wal.batchBytesMax };
  }

  openSnapshots(): { readonly index: number; readonly term: number }[] {
    this.#snapshots.open();
    return this.#snapshots.list();
  }

  /** Reads a snapshot file whole. Errors: MANAGER_SNAPSHOT_DAMAGED, OS_DISK_MISSING. */
  loadSnapshot(index: number, term: number, take: (content: Uint8Array) => void): SnapshotInfo {
    const reader = this.#snapshots.openReader(index, term);
    try {
      return reader.verify(take);
    } finally {
      reader.close();
    }
  }

  headOf(index: number, term: number): SnapshotHead {
    const reader = this.#snapshots.openReader(index, term);
    try {
      return reader.head;
    } finally {
      reader.close();
    }
  }

  perform(job: StorageJob): StorageAnswer {
    switch (job.kind) {
      case 'append':
        return this.append(job.batch);
      case 'compact':
        this.#log().compact(job.index);
        return { kind: 'done' };
      case 'use-keys':
        this.#snapshots.useKeys(job.keys);
        this.#wal?.useKeys(job.keys);
        return { kind: 'done' };
      case 'fill-spare':
        return { kind: 'filled', isWhole: fillSpare(this.#options.disk, logDir(this.#options.dir), this.#options.segmentSizeBytes) };
      case 'snapshot-begin':
        this.#abort(job.slot);
        this.#writers.set(job.slot, this.#snapshots.begin(job.slot, job.head));
        return { kind: 'done' };
      case 'snapshot-write':
        this.#writers.get(job.slot)?.write(job.content);
        return { kind: 'done' };
      case 'snapshot-finish':
        return this.#finish(job.slot, job.sha256);
      case 'snapshot-abort':
        this.#abort(job.slot);
        return { kind: 'done' };
      case 'snapshot-verify':
        return { kind: 'snapshot', info: this.loadSnapshot(job.index, job.term, () => undefined) };
      case 'snapshot-read':
        return { kind: 'chunk', content: this.#read(job.index, job.term, job.chunk) };
      case 'snapshot-keep':
        this.#closeReader();
        this.#snapshots.keepOnly(job.indexes);
        return { kind: 'done' };
      case 'backup-begin':
        this.#abort(backupSlot);
        this.#writers.set(backupSlot, openBackupFile({ disk: this.#options.disk, path: job.path, head: job.head, salt: this.#options.randomBytes(16) }));
        return { kind: 'done' };
      case 'keys-in-use':
        return { kind: 'key-ids', keyIds: [...(this.#wal?.keyIdsInUse ?? []), ...this.#snapshots.keyIdsInUse(), ...[...this.#writers.values()].map((writer) => writer.keyId)] };
    }
  }

  /** `batch` may be memory that another thread writes when this has returned: nothing of it is kept. */
  append(batch: Uint8Array): Extract<StorageAnswer, { readonly kind: 'appended' }> {
    const wal = this.#log();
    const startMs = this.#options.monotonicMs();
    wal.append(batch);
    return { kind: 'appended', segmentId: wal.segmentId, syncMs: this.#options.monotonicMs() - startMs };
  }

  /** Does now what the next append can't do without, so that it takes less time. */
  prepareAppend(): void {
    this.#log().prepare();
  }

  close(): void {
    this.#closeReader();
    for (const writer of this.#writers.values()) writer.abort();
    this.#writers.clear();
    this.#wal?.close();
  }

  #finish(slot: string, sha256: string | undefined): StorageAnswer {
    const writer = this.#writers.get(slot);
    this.#writers.delete(slot);
    if (writer === undefined) return { kind: 'done' };
    return { kind: 'snapshot', info: writer.finish(sha256) };
  }

  #read(index: number, term: number, chunk: number): Uint8Array | undefined {
    if (this.#reader?.index !== index || this.#reader.term !== term) {
      this.#closeReader();
      this.#reader = { index, term, reader: this.#snapshots.openReader(index, term) };
    }
    return this.#reader.reader.chunk(chunk);
  }

  /** NOTE: forgotten before anything else may fail: a file that is closed twice closes another one's number, of any thread. */
  #abort(slot: string): void {
    const writer = this.#writers.get(slot);
    this.#writers.delete(slot);
    writer?.abort();
  }

  #closeReader(): void {
    const reader = this.#reader?.reader;
    this.#reader = undefined;
    reader?.close();
  }

  #log(): Wal {
    assert(this.#wal !== undefined, 'the log is opened before it is used');
    return this.#wal;
  }
}
