import { AppError, isAppError } from '../../base/app-error.ts';
import { assert } from '../../base/assert.ts';
import type { Disk, DiskFile } from '../../os/disk.ts';
import { batchFacts, decodeItems, encodeItems } from './log-items.ts';
import type { BatchFacts, LogMarker } from './log-items.ts';
import { fileSealer } from './seal.ts';
import type { DataKeys, Seal, Sealer } from './seal.ts';
import { encodeSegmentHeader, finishRecord, makeRecordRoom, recordAad, recordHeaderBytes, recordSpanBytes, segmentHeaderBytes, segmentSeed } from './wal-format.ts';
import type { RecordRoom, SegmentHeader } from './wal-format.ts';
import { lastNonZero } from './wal-scan.ts';
import { isSegmentName, readSegment, segmentName } from './wal-segment.ts';
import type { SegmentReader } from './wal-segment.ts';

export type WalOptions = {
  readonly disk: Disk;
  readonly dir: string;
  readonly clusterId: string;
  readonly memberId: string;
  readonly segmentSizeBytes: number;
  readonly keys: DataKeys;
  readonly randomBytes: (count: number) => Uint8Array;
  /** The simulation remembers what it read: the same bytes always read the same. */
  readonly readSegment?: SegmentReader | undefined;
};

export type OpenedWal = { readonly wal: Wal; readonly batches: readonly Uint8Array[]; readonly notes: readonly string[] };

type Segment = { readonly id: number; readonly keyId: number; readonly path: string; maxIndex: number };
type Current = { readonly segment: Segment; readonly header: SegmentHeader; readonly seed: number; readonly file: DiskFile; readonly sealer: Sealer; at: number };

const spareName = 'spare';
const sparePartName = 'spare.part';
const urgentName = 'urgent';
const fillBytes = 1024 * 1024;
const keptRoomBytes = 64 * 1024;
/** Never touched, so it costs address space only. */
const zeros: Uint8Array = new Uint8Array(fillBytes);

/**
 * The log on disk: segments of fixed size, zero-filled before use, one record and one sync for each batch.
 * All calls are synchronous and belong in a thread of their own. A failed sync is final: the process has to stop.
 */
export class Wal {
  readonly #options: WalOptions;
  #keys: DataKeys;
  #segments: Segment[] = [];
  #current: Current | undefined;
  #nextSegmentId = 1;
  #sequence = 1;
  #chain = 0;
  /** As a batch of its own. */
  #hardState: Uint8Array | undefined;
  #markers: LogMarker[] = [];
  /** Set once it is unknown which segment the disk holds as the last one: nothing may be written after that. */
  #failure: AppError | undefined;
  /** Where records are made; a larger one gets its own room. */
  readonly #room: RecordRoom = makeRecordRoom(keptRoomBytes);
  #begun: { readonly sealer: Sealer; readonly sequence: number; readonly chain: number; readonly seal: Seal } | undefined;

  private constructor(options: WalOptions) {
    this.#options = options;
    this.#keys = options.keys;
  }

  /** Reads what is there, cuts a torn last write, and begins a new segment. Errors: MANAGER_WAL_DAMAGED, MANAGER_WAL_FOREIGN, MANAGER_STORE_KEY_UNKNOWN. */
  static open(options: WalOptions): OpenedWal {
    const { disk, dir } = options;
    disk.makeDir(dir);
    for (const name of [spareName, sparePartName, urgentName]) {
      const isOfUse = name === spareName && isUnusedSpare(disk, `${dir}/${name}`, options.segmentSizeBytes);
      if (!isOfUse && disk.exists(`${dir}/${name}`)) disk.unlink(`${dir}/${name}`);
    }
    const wal = new Wal(options);
    const notes: string[] = [];
    const batches = wal.#recover(notes);
    // NOTE: a new segment at every start, so that no nonce and no block is ever written twice.
    wal.#startSegment();
    return { wal, batches, notes };
  }

  /** Reads without changing anything, for `verify`. */
  static inspect(options: WalOptions): { readonly batches: readonly Uint8Array[]; readonly notes: readonly string[]; readonly segmentCount: number } {
    const wal = new Wal(options);
    const notes: string[] = [];
    const batches = wal.#recover(notes, true);
    return { batches, notes, segmentCount: wal.#segments.length };
  }

  /** The largest batch that fits a segment. */
  get batchBytesMax(): number {
    return this.#options.segmentSizeBytes - segmentHeaderBytes - 4096;
  }

  /** Grows with each new segment: another one means that the spare was used. */
  get segmentId(): number {
    return this.#open().segment.id;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Ids of data keys that segments still use. */
  get keyIdsInUse(): number[] {
    return [...new Set(this.#segments.map((segment) => segment.keyId))];
  }

  /** Durable when it returns. Errors: OS_DISK_FULL (nothing was written; may be tried again), OS_DISK_FAILED (final). */
  append(batch: Uint8Array): void {
    const facts = batchFacts(batch);
    let current = this.#open();
    assert(batch.length <= this.batchBytesMax, `a batch of ${batch.length} bytes is larger than a segment`);
    if (current.at + recordSpanBytes(batch.length + current.sealer.overheadBytes) > this.#options.segmentSizeBytes) {
      this.#startSegment();
      current = this.#open();
    }
    this.#write(current, batch);
    syncOrFail(current);
    current.segment.maxIndex = Math.max(current.segment.maxIndex, facts.maxIndex);
    this.#remember(facts);
  }

  /** Removes segments whose every entry is at or before `index`, oldest first. The one being written stays. */
  compact(index: number): void {
    const { disk, dir } = this.#options;
    this.#markers = this.#markers.filter((marker) => marker.index >= index);
    const kept = this.#segments.findIndex((segment) => segment.maxIndex > index || segment === this.#current?.segment);
    if (kept <= 0) return;
    for (const { path } of this.#segments.slice(0, kept)) if (disk.exists(path)) disk.unlink(path);
    disk.syncDir(dir);
    // NOTE: only now. Until their removal is durable they may come back, and need their keys.
    this.#segments = this.#segments.slice(kept);
  }

  /** New records use the new current key from here on, in a new segment. */
  useKeys(keys: DataKeys): void {
    const isOther = keys.currentId !== this.#keys.currentId;
    this.#keys = keys;
    if (isOther) this.#startSegment();
  }

  close(): void {
    this.#current?.file.close();
    this.#current = undefined;
  }

  /** Does now what the next append can't do without, so that it takes less time. */
  prepare(): void {
    const current = this.#current;
    if (current !== undefined && this.#begun === undefined) this.#begun = { sealer: current.sealer, sequence: this.#sequence, chain: this.#chain, seal: this.#beginSeal(current) };
  }

  #open(): Current {
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#current !== undefined, 'the log is open');
    return this.#current;
  }

  #remember(facts: BatchFacts): void {
    this.#hardState = facts.hardState ?? this.#hardState;
    for (const marker of facts.markers) {
      this.#markers = marker.isInstall ? [{ ...marker, isInstall: false }] : [...this.#markers.filter((one) => one.index !== marker.index), marker];
    }
  }

  #write(current: Current, batch: Uint8Array): void {
    const payloadBytes = batch.length + current.sealer.overheadBytes;
    const spanBytes = recordSpanBytes(payloadBytes);
    const room = spanBytes <= keptRoomBytes ? this.#room : makeRecordRoom(spanBytes);
    this.#sealFor(current)(batch, room.bytes.subarray(recordHeaderBytes, recordHeaderBytes + payloadBytes));
    const ownCrc = finishRecord(room, { seed: current.seed, chain: this.#chain, sequence: this.#sequence, keyId: current.header.keyId, payloadBytes });
    current.file.write(current.at, [room.bytes.subarray(0, spanBytes)]);
    current.at += spanBytes;
    this.#sequence += 1;
    this.#chain = ownCrc;
  }

  /** What was begun for another record is dropped unused. */
  #sealFor(current: Current): Seal {
    const begun = this.#begun;
    this.#begun = undefined;
    return begun !== undefined && begun.sealer === current.sealer && begun.sequence === this.#sequence && begun.chain === this.#chain ? begun.seal : this.#beginSeal(current);
  }

  #beginSeal({ sealer, header }: Current): Seal {
    return sealer.begin(this.#sequence, recordAad(this.#chain, this.#sequence, header.keyId));
  }

  /**
   * Makes the spare the segment that is written. It gets its header and a record that restates vote, commit and snapshots,
   * so that older segments may go, and is durable under its own name before the first batch goes into it.
   */
  #startSegment(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { disk, dir, segmentSizeBytes, clusterId, memberId } = this.#options;
    const isSpareReady = disk.exists(`${dir}/${spareName}`);
    // NOTE: never under the spare's name, which another thread may be about to give to its own file.
    const sparePath = `${dir}/${isSpareReady ? spareName : urgentName}`;
    if (!isSpareReady) fillZeros(disk, sparePath, segmentSizeBytes);
    const file = disk.open(sparePath, 'edit');
    const id = this.#nextSegmentId;
    const header: SegmentHeader = {
      segmentId: id, keyId: this.#keys.currentId, firstSequence: this.#sequence, chain: this.#chain, sizeBytes: segmentSizeBytes,
      salt: this.#options.randomBytes(16), clusterId, memberId,
    };
    const path = `${dir}/${segmentName(id)}`;
    const sealer = fileSealer({ keys: this.#keys, keyId: header.keyId, salt: header.salt, fileId: id, what: path });
    const current: Current = { segment: { id, keyId: header.keyId, path, maxIndex: 0 }, header, seed: segmentSeed(header), file, sealer, at: segmentHeaderBytes };
    const before = { sequence: this.#sequence, chain: this.#chain };
    let isRenaming = false;
    try {
      file.write(0, [encodeSegmentHeader(header)]);
      const restated = [
        ...(this.#hardState === undefined ? [] : decodeItems(this.#hardState)),
        ...this.#markers.map((marker) => ({ kind: 'marker', marker: { ...marker, isInstall: false } }) as const),
      ];
      if (restated.length > 0) this.#write(current, encodeItems(restated));
      file.sync();
      isRenaming = true;
      disk.rename(sparePath, path);
    } catch (error) {
      if (isRenaming && !isDiskFull(error)) throw this.#fail(path, error);
      // NOTE: nothing has the segment's name yet; a spare that was written into is not zero any more and must go.
      this.#sequence = before.sequence;
      this.#chain = before.chain;
      file.close();
      if (disk.exists(sparePath)) disk.unlink(sparePath);
      throw error;
    }
    try {
      disk.syncDir(dir);
    } catch (error) {
      throw this.#fail(path, error);
    }
    this.#current?.file.close();
    this.#current = current;
    this.#segments.push(current.segment);
    this.#nextSegmentId += 1;
  }

  /** The next start may find the new segment or not. A record that went into the old one now would contradict the new one, so none does. */
  #fail(path: string, cause: unknown): AppError {
    this.#failure = new AppError({ code: 'OS_DISK_FAILED', message: `${path} could not be made the segment that is written: ${cause instanceof Error ? cause.message : String(cause)}`, cause });
    return this.#failure;
  }

  #recover(notes: string[], isInspection = false): Uint8Array[] {
    const { disk, dir, clusterId, memberId } = this.#options;
    const read = this.#options.readSegment ?? readSegment;
    const names = disk.list(dir).filter(isSegmentName);
    const batches: Uint8Array[] = [];
    let isFirst = true;
    for (const name of names) {
      const path = `${dir}/${name}`;
      const file = disk.open(path, isInspection ? 'read' : 'edit');
      try {
        const bytes = file.read(0, file.sizeBytes());
        const isLast = name === names.at(-1);
        const { header, scanned, facts } = read({ path, name, bytes, keys: this.#keys, isLast, clusterId, memberId });
        if (isFirst) {
          this.#sequence = header.firstSequence;
          this.#chain = header.chain;
        }
        if (header.firstSequence !== this.#sequence || header.chain !== this.#chain) throw missing(path);
        if (scanned.tornBytes > 0) notes.push(`${path}: cut a torn write of ${scanned.tornBytes} bytes at byte ${scanned.endAt}`);
        // NOTE: the last segment is not written again, so its unused rest is given back, torn write and all.
        if (!isInspection && bytes.length > scanned.endAt) {
          file.truncate(scanned.endAt);
          file.sync();
        }
        for (const one of facts) this.#remember(one);
        for (const batch of scanned.batches) batches.push(batch);
        this.#segments.push({ id: header.segmentId, keyId: header.keyId, path, maxIndex: facts.reduce((max, one) => Math.max(max, one.maxIndex), 0) });
        this.#nextSegmentId = header.segmentId + 1;
        this.#sequence = scanned.nextSequence;
        this.#chain = scanned.chain;
        isFirst = false;
      } finally {
        file.close();
      }
    }
    return batches;
  }
}

/**
 * Makes the next segment ahead of time: zeros, durable, under the name `spare`. It may run in another thread than the log's,
 * which takes the file only under that name. One call writes one piece, so that the log's own syncs get between; true when it is whole.
 * Errors: OS_DISK_FULL; half-made files are removed.
 */
export function fillSpare(disk: Disk, dir: string, sizeBytes: number): boolean {
  if (disk.exists(`${dir}/${spareName}`)) return true;
  const part = `${dir}/${sparePartName}`;
  const file = disk.open(part, disk.exists(part) ? 'edit' : 'create');
  let filledBytes = 0;
  try {
    filledBytes = file.sizeBytes();
    const bytes = Math.min(fillBytes, sizeBytes - filledBytes);
    if (bytes > 0) file.write(filledBytes, [zeros.subarray(0, bytes)]);
    file.sync();
    filledBytes += Math.max(0, bytes);
  } catch (error) {
    file.close();
    disk.unlink(part);
    throw error;
  }
  file.close();
  if (filledBytes < sizeBytes) return false;
  disk.rename(part, `${dir}/${spareName}`);
  disk.syncDir(dir);
  return true;
}

/** A spare is made durable before it gets its name, so one of a run before will do, unless a crash came while it was taken into use. */
function isUnusedSpare(disk: Disk, path: string, sizeBytes: number): boolean {
  if (!disk.exists(path)) return false;
  const file = disk.open(path, 'read');
  try {
    if (file.sizeBytes() !== sizeBytes) return false;
    for (let at = 0; at < sizeBytes; at += fillBytes) if (lastNonZero(file.read(at, fillBytes)) >= 0) return false;
    return true;
  } finally {
    file.close();
  }
}

function fillZeros(disk: Disk, path: string, sizeBytes: number): void {
  if (disk.exists(path)) disk.unlink(path);
  const file = disk.open(path, 'create');
  try {
    for (let at = 0; at < sizeBytes; at += fillBytes) {
      file.write(at, [zeros.subarray(0, Math.min(fillBytes, sizeBytes - at))]);
      if (at % (4 * fillBytes) === 0) file.sync();
    }
    file.sync();
  } catch (error) {
    file.close();
    disk.unlink(path);
    throw error;
  }
  file.close();
}

/** NOTE: a sync that says "no space" may have dropped the write like any that fails (fsyncgate): it is final too. */
function syncOrFail(current: Current): void {
  try {
    current.file.sync();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new AppError({ code: 'OS_DISK_FAILED', message: `${current.segment.path} could not be made durable: the disk is full, though the segment was made ahead of time`, cause: error });
  }
}

function missing(path: string): AppError {
  return new AppError({
    code: 'MANAGER_WAL_DAMAGED',
    message: `${path} does not follow the segment before it: a segment is missing or was cut`,
    hint: 'with other managers alive: flotilla store recover --rejoin; with none: restore a backup with flotilla store restore',
    at: { kind: 'object', object: path },
  });
}

/** True for an error after which the same append may be tried again. */
export function isDiskFull(error: unknown): boolean {
  return isAppError(error, 'OS_DISK_FULL');
}
