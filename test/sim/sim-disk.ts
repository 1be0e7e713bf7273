import { AppError } from '../../src/base/app-error.ts';
import { randomBelow } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import type { Disk, DiskFile, DiskOpenMode } from '../../src/os/disk.ts';

const sectorBytes = 512;

/** Thrown from inside a disk call: the machine lost its power there. */
export class SimCrash extends Error {}

/** A file: what a reader sees, and what each sector not yet synced held before. */
type Inode = {
  bytes: Uint8Array;
  size: number;
  /** Sector → content at the last sync; null where it was beyond the file or zero. */
  readonly before: Map<number, Uint8Array | null>;
  durableSize: number;
  /** Sectors whose sync failed: the kernel calls them clean afterwards, though they never reached the disk. */
  readonly doomed: Map<number, Uint8Array | null>;
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
    const names = new Set<string>();
    for (const path of this.#names.keys()) if (path.startsWith(`${dir}/`)) names.add(path.slice(dir.length + 1).split('/')[0] ?? '');
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
      inode = { bytes: new Uint8Array(0), size: 0, before: new Map(), durableSize: 0, doomed: new Map() };
      const made = inode;
      this.#change(dirOf(path), (names) => names.set(path, made));
    }
    if (inode === undefined) throw new AppError({ code: 'OS_DISK_MISSING', message: `cannot open ${path}: it does not exist` });
    return this.#file(path, inode);
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
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()]);
    for (const inode of inodes) this.#tear(inode, pageBytes, keepRate);
    this.#names = new Map(this.#durableNames);
  }

  /** Flips one bit of what is durable, in a file of the given kind. Answers the file, or null where there is none. */
  flipBit(isWanted: (path: string) => boolean): string | null {
    const paths = [...this.#names.keys()].filter(isWanted).sort();
    const path = paths[randomBelow(this.#random, Math.max(1, paths.length))];
    const inode = path === undefined ? undefined : this.#names.get(path);
    if (path === undefined || inode === undefined || inode.size === 0) return null;
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
    const lost = new Map([...inode.doomed, ...inode.before]);
    const fates = new Map<number, boolean>();
    for (const [sector, before] of lost) {
      const page = Math.floor((sector * sectorBytes) / pageBytes);
      let isKept = fates.get(page);
      if (isKept === undefined) {
        isKept = this.#random.float() < keepRate;
        fates.set(page, isKept);
      }
      if (isKept && !inode.doomed.has(sector)) continue;
      const start = sector * sectorBytes;
      if (before === null) inode.bytes.fill(0, start, start + sectorBytes);
      else inode.bytes.set(before.subarray(0, Math.max(0, inode.bytes.length - start)), start);
    }
    if (inode.size !== inode.durableSize && this.#random.float() < 0.7) inode.size = inode.durableSize;
    inode.before.clear();
    inode.doomed.clear();
    inode.durableSize = inode.size;
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

  #file(path: string, inode: Inode): DiskFile {
    return {
      sizeBytes: () => inode.size,
      read: (position, lengthBytes) => inode.bytes.slice(position, Math.min(inode.size, position + lengthBytes)),
      write: (position, parts) => this.#write(path, inode, position, parts),
      truncate: (sizeBytes) => {
        this.#call('truncate', path);
        for (let sector = Math.floor(sizeBytes / sectorBytes); sector * sectorBytes < inode.size; sector += 1) this.#remember(inode, sector);
        inode.bytes.fill(0, sizeBytes, inode.size);
        inode.size = sizeBytes;
      },
      sync: () => this.#sync(path, inode),
      close: () => undefined,
    };
  }

  #write(path: string, inode: Inode, position: number, parts: readonly Uint8Array[]): void {
    this.#call('write', path);
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    const end = position + total;
    if (end > inode.size && this.capacityBytes !== Infinity && this.usedBytes + end - inode.size > this.capacityBytes) throw new AppError({ code: 'OS_DISK_FULL', message: `cannot write ${path}: no space left on the disk` });
    for (let sector = Math.floor(position / sectorBytes); sector * sectorBytes < end; sector += 1) this.#remember(inode, sector);
    if (end > inode.bytes.length) {
      const grown = new Uint8Array(Math.max(end, inode.bytes.length * 2));
      grown.set(inode.bytes.subarray(0, inode.size));
      inode.bytes = grown;
    }
    let at = position;
    for (const part of parts) {
      inode.bytes.set(part, at);
      at += part.length;
    }
    inode.size = Math.max(inode.size, end);
  }

  #remember(inode: Inode, sector: number): void {
    if (inode.before.has(sector)) return;
    const start = sector * sectorBytes;
    const doomed = inode.doomed.get(sector);
    if (doomed !== undefined) inode.before.set(sector, doomed);
    else inode.before.set(sector, start >= inode.durableSize ? null : inode.bytes.slice(start, start + sectorBytes));
    inode.doomed.delete(sector);
  }

  #sync(path: string, inode: Inode): void {
    try {
      this.#call('sync', path);
    } catch (error) {
      if (error instanceof SimCrash) throw error;
      for (const [sector, before] of inode.before) inode.doomed.set(sector, before);
      inode.before.clear();
      if (!this.faults.isSyncRetried) throw error;
    }
    if (this.faults.isSyncLost) return;
    inode.before.clear();
    inode.durableSize = inode.size;
  }
}

function dirOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
