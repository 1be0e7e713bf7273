import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AppError, isAppError } from '../../base/app-error.ts';
import { assert } from '../../base/assert.ts';
import type { Disk, DiskFile } from '../../os/disk.ts';
import { fileSealer, plainKeys } from './seal.ts';
import type { DataKeys, Sealer } from './seal.ts';
import { viewOf } from './wal-format.ts';

/**
 * A snapshot file, format 1, little endian:
 *
 *     0  8  magic "FLSNAP\0\1"     8  4  length of the head     12  4  crc32 of the head     16  …  head, JSON
 *     then chunks: length of the sealed bytes 4 | their crc32 4 | sealed bytes; all but the last hold `chunkBytes` of content
 *     then 0 4 | and a foot like a chunk: JSON { sizeBytes, sha256 } where the hash is over the head and the content
 *
 * Encryption binds each chunk to its place and to the head. The file gets its name only when it is whole and durable.
 */
export const snapshotChunkBytes: number = 256 * 1024;
const magic: Uint8Array = Uint8Array.from([0x46, 0x4c, 0x53, 0x4e, 0x41, 0x50, 0, 1]);
const headBytesMax = 1024 * 1024;

/** What a snapshot says besides the state: `meta` is opaque here (membership, feature level, time). */
export type SnapshotHead = { readonly clusterId: string; readonly index: number; readonly term: number; readonly meta: string };
export type SnapshotInfo = SnapshotHead & { readonly sizeBytes: number; readonly sha256: string; readonly chunkCount: number };
type FileHead = SnapshotHead & { readonly format: number; readonly keyId: number; readonly salt: string; readonly chunkBytes: number };

export type SnapshotDirOptions = {
  readonly disk: Disk;
  readonly dir: string;
  readonly keys: DataKeys;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly chunkBytes: number;
};

/** The snapshot files of one member. Synchronous: it belongs in a thread of its own. */
export class SnapshotDir {
  readonly #options: SnapshotDirOptions;
  #keys: DataKeys;

  constructor(options: SnapshotDirOptions) {
    this.#options = options;
    this.#keys = options.keys;
  }

  /** Makes the directory and removes what a crash left half-made. */
  open(): void {
    const { disk, dir } = this.#options;
    disk.makeDir(dir);
    for (const name of disk.list(dir).filter((one) => one.endsWith('.part'))) disk.unlink(`${dir}/${name}`);
  }

  useKeys(keys: DataKeys): void {
    this.#keys = keys;
  }

  /** Index and term of the files, oldest first, unverified. */
  list(): { readonly index: number; readonly term: number }[] {
    const { disk, dir } = this.#options;
    return disk.list(dir).flatMap((name) => {
      const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/.exec(name);
      return match === null ? [] : [{ index: Number.parseInt(match[1] ?? '', 16), term: Number.parseInt(match[2] ?? '', 16) }];
    });
  }

  begin(slot: string, head: SnapshotHead): SnapshotWriter {
    const { disk, dir } = this.#options;
    const part = `${dir}/${slot}.part`;
    if (disk.exists(part)) disk.unlink(part);
    return new SnapshotWriter({ disk, dir, part, target: `${dir}/${snapshotName(head.index, head.term)}`, head, keys: this.#keys, salt: this.#options.randomBytes(16), chunkBytes: this.#options.chunkBytes });
  }

  openReader(index: number, term: number): SnapshotReader {
    const { disk, dir } = this.#options;
    return new SnapshotReader(disk, `${dir}/${snapshotName(index, term)}`, this.#keys);
  }

  /** Removes the files of all other indexes. */
  keepOnly(indexes: readonly number[]): void {
    const { disk, dir } = this.#options;
    const gone = this.list().filter((one) => !indexes.includes(one.index));
    for (const one of gone) disk.unlink(`${dir}/${snapshotName(one.index, one.term)}`);
    if (gone.length > 0) disk.syncDir(dir);
  }

  /** Ids of data keys that files still use. Files with an unreadable head are left out. */
  keyIdsInUse(): number[] {
    return [...new Set(this.list().flatMap((one) => {
      try {
        const reader = this.openReader(one.index, one.term);
        reader.close();
        return [reader.keyId];
      } catch (error) {
        if (isAppError(error, 'MANAGER_SNAPSHOT_DAMAGED')) return [];
        throw error;
      }
    }))];
  }
}

/**
 * Begins a backup: a file of this format where the operator wants it, not encrypted. It gets its name when it is whole.
 * Errors: MANAGER_BACKUP_REFUSED where the name is taken, OS_DISK_*.
 */
export function openBackupFile(options: { readonly disk: Disk; readonly path: string; readonly head: SnapshotHead; readonly salt: Uint8Array }): SnapshotWriter {
  const { disk, path, head, salt } = options;
  if (disk.exists(path)) throw new AppError({ code: 'MANAGER_BACKUP_REFUSED', message: `${path} is there already`, hint: 'name another file' });
  const dir = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) || '/' : '.';
  const part = `${path}.part`;
  if (disk.exists(part)) disk.unlink(part);
  return new SnapshotWriter({ disk, dir, part, target: path, head, keys: plainKeys, salt, chunkBytes: snapshotChunkBytes });
}

export class SnapshotWriter {
  readonly #target: string;
  readonly #dir: string;
  readonly #part: string;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #sealer: Sealer;
  readonly #aad: Uint8Array;
  readonly #head: SnapshotHead;
  readonly #hash: ReturnType<typeof createHash> = createHash('sha256');
  readonly #chunkBytes: number;
  #at: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #sizeBytes = 0;
  #chunkCount = 0;
  #unsyncedBytes = 0;
  #isClosed = false;
  readonly keyId: number;

  constructor(options: { readonly disk: Disk; readonly dir: string; readonly part: string; readonly target: string; readonly head: SnapshotHead; readonly keys: DataKeys; readonly salt: Uint8Array; readonly chunkBytes: number }) {
    const { disk, head, keys } = options;
    this.#disk = disk;
    this.#dir = options.dir;
    this.#part = options.part;
    this.#head = head;
    this.#chunkBytes = options.chunkBytes;
    this.#target = options.target;
    this.keyId = keys.currentId;
    this.#sealer = fileSealer({ keys, keyId: keys.currentId, salt: options.salt, fileId: 0, what: this.#target });
    this.#file = disk.open(options.part, 'create');
    const fileHead: FileHead = {
      clusterId: head.clusterId, index: head.index, term: head.term, meta: head.meta,
      format: 1, keyId: keys.currentId, salt: Buffer.from(options.salt).toString('base64'), chunkBytes: options.chunkBytes,
    };
    const bytes = new TextEncoder().encode(JSON.stringify(fileHead));
    assert(bytes.length <= headBytesMax, 'the head of a snapshot is small');
    this.#aad = createHash('sha256').update(bytes).digest();
    this.#hash.update(hashedHead(head));
    const prefix = new Uint8Array(16);
    prefix.set(magic, 0);
    viewOf(prefix).setUint32(8, bytes.length, true);
    viewOf(prefix).setUint32(12, crc32(bytes), true);
    this.#at = 16 + bytes.length;
    this.#orAbort(() => this.#file.write(0, [prefix, bytes]));
  }

  /** Content received or serialised so far, in bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes content of any length. */
  write(content: Uint8Array): void {
    this.#hash.update(content);
    this.#sizeBytes += content.length;
    let rest = content;
    while (rest.length > 0) {
      const taken = rest.subarray(0, this.#chunkBytes - this.#heldBytes);
      this.#held.push(taken);
      this.#heldBytes += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#heldBytes === this.#chunkBytes) this.#flush();
    }
    // NOTE: a sync now and then keeps the last one short, which the log's syncs on the same disk would have to wait for.
    if (this.#unsyncedBytes >= 4 * 1024 * 1024) {
      this.#file.sync();
      this.#unsyncedBytes = 0;
    }
  }

  /** Makes the file durable under its name. `expected`: the hash that the sender promised. Errors: MANAGER_SNAPSHOT_DAMAGED, OS_DISK_*; the part is gone then. */
  finish(expected: string | undefined): SnapshotInfo {
    return this.#orAbort(() => this.#finish(expected));
  }

  #finish(expected: string | undefined): SnapshotInfo {
    if (this.#heldBytes > 0) this.#flush();
    const sha256 = this.#hash.digest('hex');
    if (expected !== undefined && expected !== sha256) throw damaged(this.#part, 'what was received has another hash than what was sent');
    const foot = new TextEncoder().encode(JSON.stringify({ sizeBytes: this.#sizeBytes, sha256 }));
    this.#file.write(this.#at, [new Uint8Array(4)]);
    this.#at += 4;
    this.#putFrame(this.#chunkCount, foot);
    this.#file.sync();
    this.#close();
    this.#disk.rename(this.#part, this.#target);
    this.#disk.syncDir(this.#dir);
    return { ...this.#head, sizeBytes: this.#sizeBytes, sha256, chunkCount: this.#chunkCount };
  }

  abort(): void {
    this.#close();
    if (this.#disk.exists(this.#part)) this.#disk.unlink(this.#part);
  }

  /** On a full disk a part that nobody knows of any more would keep the room that is missing. */
  #orAbort<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof AppError) this.abort();
      throw error;
    }
  }

  #close(): void {
    if (!this.#isClosed) this.#file.close();
    this.#isClosed = true;
  }

  #flush(): void {
    const first = this.#held[0];
    this.#putFrame(this.#chunkCount, this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held));
    this.#chunkCount += 1;
    this.#held = [];
    this.#heldBytes = 0;
  }

  #putFrame(sequence: number, content: Uint8Array): void {
    const sealed = this.#sealer.isPlain ? content : Buffer.allocUnsafeSlow(content.length + this.#sealer.overheadBytes);
    if (!this.#sealer.isPlain) this.#sealer.begin(sequence, this.#aad)(content, sealed);
    const prefix = new Uint8Array(8);
    viewOf(prefix).setUint32(0, sealed.length, true);
    viewOf(prefix).setUint32(4, crc32(sealed), true);
    this.#file.write(this.#at, [prefix, sealed]);
    this.#at += 8 + sealed.length;
    this.#unsyncedBytes += 8 + sealed.length;
  }
}

/** Reads one snapshot file. Every chunk is checked when it is read; `verify` checks the whole. */
export class SnapshotReader {
  readonly #file: DiskFile;
  readonly #path: string;
  readonly #head: FileHead;
  readonly #firstAt: number;
  readonly #sealer: Sealer;
  readonly #aad: Uint8Array;

  constructor(disk: Disk, path: string, keys: DataKeys) {
    this.#path = path;
    this.#file = disk.open(path, 'read');
    try {
      const bytes = readHead(path, this.#file);
      this.#head = parseHead(path, bytes);
      this.#firstAt = 16 + bytes.length;
      this.#aad = createHash('sha256').update(bytes).digest();
      this.#sealer = fileSealer({ keys, keyId: this.#head.keyId, salt: Buffer.from(this.#head.salt, 'base64'), fileId: 0, what: path });
    } catch (error) {
      // NOTE: a leader tries a damaged file again for as long as a member needs it.
      this.#file.close();
      throw error;
    }
  }

  get keyId(): number {
    return this.#head.keyId;
  }

  get head(): SnapshotHead {
    const { clusterId, index, term, meta } = this.#head;
    return { clusterId, index, term, meta };
  }

  /** One chunk of content, or `undefined` past the last. */
  chunk(number: number): Uint8Array | undefined {
    const at = this.#firstAt + number * (8 + this.#head.chunkBytes + this.#sealer.overheadBytes);
    const prefix = this.#file.read(at, 8);
    if (prefix.length >= 4 && viewOf(prefix).getUint32(0, true) === 0) return undefined;
    return this.#frame(at, number).content;
  }

  /** Reads everything once, handing each chunk to `take`. Errors: MANAGER_SNAPSHOT_DAMAGED. */
  verify(take: (content: Uint8Array) => void): SnapshotInfo {
    const hash = createHash('sha256').update(hashedHead(this.#head));
    let at = this.#firstAt;
    let sizeBytes = 0;
    let chunkCount = 0;
    for (;;) {
      const length = this.#file.read(at, 4);
      if (length.length < 4) throw damaged(this.#path, 'it ends early');
      if (viewOf(length).getUint32(0, true) === 0) break;
      const frame = this.#frame(at, chunkCount);
      hash.update(frame.content);
      sizeBytes += frame.content.length;
      chunkCount += 1;
      at = frame.endAt;
      take(frame.content);
    }
    const foot = parseFoot(this.#path, this.#frame(at + 4, chunkCount).content);
    const sha256 = hash.digest('hex');
    if (foot.sizeBytes !== sizeBytes || foot.sha256 !== sha256) throw damaged(this.#path, 'its hash is another one');
    return { ...this.head, sizeBytes, sha256, chunkCount };
  }

  close(): void {
    this.#file.close();
  }

  #frame(at: number, sequence: number): { readonly content: Uint8Array; readonly endAt: number } {
    const prefix = this.#file.read(at, 8);
    if (prefix.length < 8) throw damaged(this.#path, 'it ends early');
    const length = viewOf(prefix).getUint32(0, true);
    if (length > this.#head.chunkBytes + 64) throw damaged(this.#path, `chunk ${sequence} is too long`);
    const sealed = this.#file.read(at + 8, length);
    if (sealed.length < length || crc32(sealed) !== viewOf(prefix).getUint32(4, true)) throw damaged(this.#path, `chunk ${sequence} does not verify`);
    const content = this.#sealer.open(sequence, this.#aad, sealed);
    if (content === undefined) throw damaged(this.#path, `chunk ${sequence} was not written with this data key`);
    return { content, endAt: at + 8 + length };
  }
}

/** What the hash covers besides the content: the same for every member, whatever its own encryption. */
function hashedHead(head: SnapshotHead): string {
  return JSON.stringify([head.clusterId, head.index, head.term, head.meta]);
}

function readHead(path: string, file: DiskFile): Uint8Array {
  const prefix = file.read(0, 16);
  const headBytes = prefix.length === 16 ? viewOf(prefix).getUint32(8, true) : 0;
  if (prefix.length < 16 || magic.some((byte, at) => prefix[at] !== byte) || headBytes > headBytesMax) throw damaged(path, 'its head is unreadable');
  const bytes = file.read(16, headBytes);
  if (crc32(bytes) !== viewOf(prefix).getUint32(12, true)) throw damaged(path, 'its head does not verify');
  return bytes;
}

function parseHead(path: string, bytes: Uint8Array): FileHead {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (
    typeof value !== 'object' || value === null || !('format' in value) || !('clusterId' in value) || !('index' in value) || !('term' in value) ||
    !('meta' in value) || !('keyId' in value) || !('salt' in value) || !('chunkBytes' in value)
  ) throw damaged(path, 'its head misses a field');
  const { format, clusterId, index, term, meta, keyId, salt, chunkBytes } = value;
  if (format !== 1) throw new AppError({ code: 'MANAGER_WAL_FOREIGN', message: `${path} has format ${String(format)}, this version reads format 1`, hint: 'start the version of Flotilla that wrote it' });
  if (
    typeof clusterId !== 'string' || typeof index !== 'number' || typeof term !== 'number' || typeof meta !== 'string' ||
    typeof keyId !== 'number' || typeof salt !== 'string' || typeof chunkBytes !== 'number'
  ) throw damaged(path, 'its head has a field of another type');
  return { format, clusterId, index, term, meta, keyId, salt, chunkBytes };
}

function parseFoot(path: string, bytes: Uint8Array): { readonly sizeBytes: number; readonly sha256: string } {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof value !== 'object' || value === null || !('sizeBytes' in value) || !('sha256' in value) || typeof value.sizeBytes !== 'number' || typeof value.sha256 !== 'string') {
    throw damaged(path, 'its foot misses a field');
  }
  return { sizeBytes: value.sizeBytes, sha256: value.sha256 };
}

function snapshotName(index: number, term: number): string {
  return `${index.toString(16).padStart(16, '0')}-${term.toString(16).padStart(16, '0')}.snap`;
}

function damaged(path: string, what: string): AppError {
  return new AppError({
    code: 'MANAGER_SNAPSHOT_DAMAGED',
    message: `${path} is damaged: ${what}`,
    hint: 'with other managers alive: flotilla store recover --rejoin; with none: restore a backup with flotilla store restore',
    at: { kind: 'object', object: path },
  });
}
