import { AppError } from '../../src/base/app-error.ts';
import { randomBelow } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import type { Disk, DiskFile, DiskOpenMode } from '../../src/os/disk.ts';

const sectorBytes = 512;

/** Thrown from inside a disk call: the machine lost its power there. */
export class SimCrash extends Error {}

/** What neighbouring sectors held before: one copy for all of them, which begins at byte `start` of the file. */
type Held = { readonly bytes: Uint8Array; readonly start: number };

/** A file: what a reader sees, and what each sector not yet synced held before. */
type Inode = {
  bytes: Uint8Array;
  /** A reader holds a part of `bytes`: they are copied before they change. */
  isShared: boolean;
  size: number;
  /** Sector → content at the last sync; null where it was beyond the file or zero. */
  readonly before: Map<number, Held | null>;
  durableSize: number;
  /** Sectors whose sync failed: the kernel calls them clean afterwards, though they never reached the disk. */
  readonly doomed: Map<number, Held | null>;
};

export type DiskFaults = { isSyncLost: boolean; isDirSyncLost: boolean; isSyncRetried: boolean };

/**
 * A disk that keeps its promises and no more: what was not synced may be lost in any part when the power goes, sector by sector or
 * page by page; names that were not synced are lost from some point on. It can be full, fail, and flip bits.
 */
export class SimDisk implements Disk {
  readonly #random: Random;
  readonly faults: DiskFaults;
  #names: Map<string, Inode> = new Map();
  #durableNames: Map<string, Inode> = new Map();
  /** Changes of names since the last sync of their directory, in order. */
  #pendingNames: { readonly dir: string; readonly apply: (names: Map<string, Inode>) => void }[] = [];
  capacityBytes = Infinity;
  /** Counts down at each call that writes; the power goes, or an error comes, when it reaches zero. */
  crashAfter: number | null = null;
  failAfter: number | null = null;
  callCount = 0;

  constructor(random: Random, faults: DiskFaults = { isSyncLost: false, isDirSyncLost: false, isSyncRetried: false }) {
    this.#random = random;
    this.faults = faults;
  }

  readonly list = (dir: string): string[] => {
    const prefix = `${dir}/`;
    const names = new Set<string>();
    for (const path of this.#names.keys()) {
      if (!path.startsWith(prefix)) continue;
      const end = path.indexOf('/', prefix.length);
      names.add(path.slice(prefix.length, end < 0 ? path.length : end));
    }
    return [...names].sort();
  };

  readonly makeDir = (): void => undefined;

  readonly exists = (path: string): boolean => this.#names.has(path);

  readonly freeBytes = (): number => this.capacityBytes - this.usedBytes;

  get usedBytes(): number {
    let used = 0;
    for (const inode of this.#names.values()) used += inode.size;
    return used;
  }

  readonly open = (path: string, mode: DiskOpenMode): DiskFile => {
    let inode = this.#names.get(path);
    if (mode === 'create') {
      this.#call('open', path);
      if (inode !== undefined) throw new AppError({ code: 'OS_DISK_FAILED', message: `cannot open ${path}: it exists` });
      inode = { bytes: new Uint8Array(0), isShared: false, size: 0, before: new Map(), durableSize: 0, doomed: new Map() };
      const made = inode;
      this.#change(dirOf(path), (names) => names.set(path, made));
    }
    if (inode === undefined) throw new AppError({ code: 'OS_DISK_MISSING', message: `cannot open ${path}: it does not exist` });
    return new SimFile(this, path, inode);
  };

  readonly rename = (source: string, target: string): void => {
    this.#call('rename', source);
    const inode = this.#names.get(source);
    if (inode === undefined) throw new AppError({ code: 'OS_DISK_MISSING', message: `cannot rename ${source}: it does not exist` });
    this.#change(dirOf(target), (names) => {
      if (names.get(source) === inode) names.delete(source);
      names.set(target, inode);
    });
  };

  readonly unlink = (path: string): void => {
    this.#call('remove', path);
    if (!this.#names.has(path)) throw new AppError({ code: 'OS_DISK_MISSING', message: `cannot remove ${path}: it does not exist` });
    this.#change(dirOf(path), (names) => names.delete(path));
  };

  readonly syncDir = (dir: string): void => {
    this.#call('sync', dir);
    if (this.faults.isDirSyncLost) return;
    for (const change of this.#pendingNames) if (change.dir === dir) change.apply(this.#durableNames);
    this.#pendingNames = this.#pendingNames.filter((change) => change.dir !== dir);
  };

  /** The power goes: what was not synced is kept or lost by chance. */
  crash(): void {
    this.crashAfter = null;
    this.failAfter = null;
    const kept = this.faults.isDirSyncLost && this.#random.float() < 0.5 ? 0 : randomBelow(this.#random, this.#pendingNames.length + 1);
    for (const change of this.#pendingNames.slice(0, kept)) change.apply(this.#durableNames);
    this.#pendingNames = [];
    const pageBytes = this.#random.float() < 0.5 ? sectorBytes : 4096;
    const keepRate = this.#random.float();
    // NOTE: most are long durable, and chance has no say in them.
    const inodes = new Set<Inode>();
    for (const names of [this.#names, this.#durableNames]) for (const inode of names.values()) if (isUnsure(inode)) inodes.add(inode);
    for (const inode of inodes) this.#tear(inode, pageBytes, keepRate);
    this.#names = new Map(this.#durableNames);
  }

  /** Flips one bit of what is durable, in a file of the given kind. Answers the file, or null where there is none. */
  flipBit(isWanted: (path: string) => boolean): string | null {
    const paths = [...this.#names.keys()].filter(isWanted).sort();
    const path = paths[randomBelow(this.#random, Math.max(1, paths.length))];
    const inode = path === undefined ? undefined : this.#names.get(path);
    if (path === undefined || inode === undefined || inode.size === 0) return null;
    own(inode);
    const used = inode.bytes.subarray(0, inode.size).findLastIndex((byte) => byte !== 0) + 1;
    const at = randomBelow(this.#random, Math.max(1, used));
    inode.bytes[at] = (inode.bytes[at] ?? 0) ^ (1 << randomBelow(this.#random, 8));
    return path;
  }

  /** All that is there now, for looking at it. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  wipe(): void {
    this.#names = new Map();
    this.#durableNames = new Map();
    this.#pendingNames = [];
  }

  #tear(inode: Inode, pageBytes: number, keepRate: number): void {
    if (inode.doomed.size > 0 || inode.before.size > 0) {
      own(inode);
      ensureRoom(inode, Math.ceil(inode.durableSize / sectorBytes) * sectorBytes);
      const fates = new Map<number, boolean>();
      this.#loseSome(inode, inode.doomed, { fates, pageBytes, keepRate });
      this.#loseSome(inode, inode.before, { fates, pageBytes, keepRate });
      inode.before.clear();
      inode.doomed.clear();
    }
    if (inode.size !== inode.durableSize && this.#random.float() < 0.7) inode.size = inode.durableSize;
    inode.durableSize = inode.size;
  }

  #loseSome(inode: Inode, sectors: ReadonlyMap<number, Held | null>, chance: { readonly fates: Map<number, boolean>; readonly pageBytes: number; readonly keepRate: number }): void {
    for (const [sector, held] of sectors) {
      const start = sector * sectorBytes;
      const page = Math.floor(start / chance.pageBytes);
      let isKept = chance.fates.get(page);
      if (isKept === undefined) {
        isKept = this.#random.float() < chance.keepRate;
        chance.fates.set(page, isKept);
      }
      if (isKept && sectors !== inode.doomed) continue;
      if (held === null) inode.bytes.fill(0, start, start + sectorBytes);
      else if (start < inode.bytes.length) inode.bytes.set(held.bytes.subarray(start - held.start, Math.min(start + sectorBytes, inode.bytes.length) - held.start), start);
    }
  }

  #change(dir: string, apply: (names: Map<string, Inode>) => void): void {
    apply(this.#names);
    this.#pendingNames.push({ dir, apply });
  }

  #call(verb: string, path: string): void {
    this.callCount += 1;
    if (this.crashAfter !== null && (this.crashAfter -= 1) < 0) throw new SimCrash();
    if (this.failAfter !== null && (this.failAfter -= 1) < 0) {
      this.failAfter = null;
      throw new AppError({ code: 'OS_DISK_FAILED', message: `cannot ${verb} ${path}: EIO` });
    }
  }

  /** For its files. */
  write(path: string, inode: Inode, position: number, parts: readonly Uint8Array[]): void {
    this.#call('write', path);
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    const end = position + total;
    if (end > inode.size && this.capacityBytes !== Infinity && this.usedBytes + end - inode.size > this.capacityBytes) throw new AppError({ code: 'OS_DISK_FULL', message: `cannot write ${path}: no space left on the disk` });
    remember(inode, position, end);
    own(inode);
    if (end > inode.bytes.length) ensureRoom(inode, Math.max(end, inode.bytes.length * 2));
    let at = position;
    for (const part of parts) {
      inode.bytes.set(part, at);
      at += part.length;
    }
    inode.size = Math.max(inode.size, end);
  }

  truncate(path: string, inode: Inode, sizeBytes: number): void {
    this.#call('truncate', path);
    remember(inode, sizeBytes, inode.size);
    cutOff(inode, sizeBytes);
  }

  sync(path: string, inode: Inode): void {
    try {
      this.#call('sync', path);
    } catch (error) {
      if (error instanceof SimCrash) throw error;
      for (const [sector, held] of inode.before) inode.doomed.set(sector, held);
      inode.before.clear();
      if (!this.faults.isSyncRetried) throw error;
    }
    if (this.faults.isSyncLost) return;
    inode.before.clear();
    inode.durableSize = inode.size;
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk;
  readonly #path: string;
  readonly #inode: Inode;
  #isClosed = false;

  constructor(disk: SimDisk, path: string, inode: Inode) {
    this.#disk = disk;
    this.#path = path;
    this.#inode = inode;
  }

  sizeBytes(): number {
    this.#check();
    return this.#inode.size;
  }

  read(position: number, lengthBytes: number): Uint8Array {
    this.#check();
    return readPart(this.#inode, position, Math.min(this.#inode.size, position + lengthBytes));
  }

  write(position: number, parts: readonly Uint8Array[]): void {
    this.#check();
    this.#disk.write(this.#path, this.#inode, position, parts);
  }

  truncate(sizeBytes: number): void {
    this.#check();
    this.#disk.truncate(this.#path, this.#inode, sizeBytes);
  }

  sync(): void {
    this.#check();
    this.#disk.sync(this.#path, this.#inode);
  }

  close(): void {
    this.#check();
    this.#isClosed = true;
  }

  /** A real one's number may be another file's by then. */
  #check(): void {
    if (this.#isClosed) throw new Error(`${this.#path} is used after it was closed`);
  }
}

/** A part for a reader: small ones as a copy; of large ones the file itself is handed out, and copied once it changes. */
function readPart(inode: Inode, start: number, end: number): Uint8Array {
  if (end - start < sectorBytes) return inode.bytes.slice(start, end);
  inode.isShared = true;
  return inode.bytes.subarray(start, end);
}

function isUnsure(inode: Inode): boolean {
  return inode.size !== inode.durableSize || inode.before.size > 0 || inode.doomed.size > 0;
}

/** Before a change: what readers hold stays as it is. */
function own(inode: Inode): void {
  if (!inode.isShared) return;
  inode.bytes = inode.bytes.slice();
  inode.isShared = false;
}

function ensureRoom(inode: Inode, roomBytes: number): void {
  if (roomBytes <= inode.bytes.length) return;
  const grown = new Uint8Array(roomBytes);
  grown.set(inode.bytes.subarray(0, inode.size));
  inode.bytes = grown;
}

function cutOff(inode: Inode, sizeBytes: number): void {
  if (inode.isShared) {
    inode.bytes = inode.bytes.slice(0, sizeBytes);
    inode.isShared = false;
  } else inode.bytes.fill(0, sizeBytes, inode.size);
  inode.size = sizeBytes;
}

/** Keeps what the sectors from `start` to `end` hold, as far as it is durable and not yet kept. */
function remember(inode: Inode, start: number, end: number): void {
  let held: Held | null = null;
  for (let sector = Math.floor(start / sectorBytes); sector * sectorBytes < end; sector += 1) {
    if (inode.before.has(sector)) continue;
    const doomed = inode.doomed.get(sector);
    if (doomed !== undefined) {
      inode.before.set(sector, doomed);
      inode.doomed.delete(sector);
    } else if (sector * sectorBytes >= inode.durableSize) inode.before.set(sector, null);
    else {
      held ??= hold(inode, sector * sectorBytes, Math.ceil(end / sectorBytes) * sectorBytes);
      inode.before.set(sector, held);
    }
  }
}

/** NOTE: what a reader holds is not written again, so it is a copy already. */
function hold(inode: Inode, start: number, end: number): Held {
  return inode.isShared ? { bytes: inode.bytes, start: 0 } : { bytes: inode.bytes.slice(start, end), start };
}

function dirOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
