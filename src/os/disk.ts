import { closeSync, constants, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, readSync, renameSync, statfsSync, statSync, unlinkSync, writevSync } from 'node:fs';
import { AppError } from '../base/app-error.ts';

/**
 * A disk by synchronous calls, for code that lives in a thread of its own (the log) or starts before anything else.
 * The simulated disk implements the same type. Errors: OS_DISK_FULL (ENOSPC, EDQUOT), OS_DISK_MISSING (ENOENT),
 * OS_DISK_FAILED (all else; what was written since the last sync must be taken as lost, and never retried).
 */
export type Disk = {
  /** Names in a directory, sorted. */
  readonly list: (dir: string) => string[];
  readonly makeDir: (dir: string) => void;
  readonly exists: (path: string) => boolean;
  readonly open: (path: string, mode: DiskOpenMode) => DiskFile;
  readonly rename: (source: string, target: string) => void;
  readonly unlink: (path: string) => void;
  /** Makes creations, renames and removals in `dir` durable. */
  readonly syncDir: (dir: string) => void;
  readonly freeBytes: (dir: string) => number;
};

/** `create` makes a new file and refuses an existing one; `edit` reads and writes an existing one. */
export type DiskOpenMode = 'read' | 'edit' | 'create';

export type DiskFile = {
  readonly sizeBytes: () => number;
  /** Up to `lengthBytes` from `position`; shorter only at the end of the file. */
  readonly read: (position: number, lengthBytes: number) => Uint8Array;
  /** Writes all parts, one after the other, from `position`. */
  readonly write: (position: number, parts: readonly Uint8Array[]) => void;
  readonly truncate: (sizeBytes: number) => void;
  /** Data and the size that is needed to read it back are durable after this. */
  readonly sync: () => void;
  readonly close: () => void;
};

export const realDisk: Disk = {
  list: (dir) => wrapped('list', dir, () => readdirSync(dir).sort()),
  makeDir: (dir) => {
    wrapped('make', dir, () => mkdirSync(dir, { recursive: true, mode: 0o700 }));
  },
  exists: (path) => statSync(path, { throwIfNoEntry: false }) !== undefined,
  open: (path, mode) => wrapped('open', path, () => new RealFile(path, openSync(path, openFlags[mode], 0o600))),
  rename: (source, target) => wrapped('rename', source, () => renameSync(source, target)),
  unlink: (path) => wrapped('remove', path, () => unlinkSync(path)),
  syncDir: (dir) =>
    wrapped('sync', dir, () => {
      const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }),
  freeBytes: (dir) =>
    wrapped('measure', dir, () => {
      const stat = statfsSync(dir);
      return stat.bavail * stat.bsize;
    }),
};

const openFlags: Readonly<Record<DiskOpenMode, number>> = {
  read: constants.O_RDONLY,
  edit: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

class RealFile implements DiskFile {
  readonly #path: string;
  readonly #fd: number;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  sizeBytes(): number {
    return wrapped('measure', this.#path, () => fstatSync(this.#fd).size);
  }

  read(position: number, lengthBytes: number): Uint8Array {
    return wrapped('read', this.#path, () => {
      const bytes = Buffer.allocUnsafe(lengthBytes);
      let done = 0;
      while (done < lengthBytes) {
        const count = readSync(this.#fd, bytes, done, lengthBytes - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
    });
  }

  write(position: number, parts: readonly Uint8Array[]): void {
    wrapped('write', this.#path, () => {
      let left = parts;
      let at = position;
      while (left.length > 0) {
        const count = writevSync(this.#fd, left, at);
        at += count;
        left = after(left, count);
      }
    });
  }

  truncate(sizeBytes: number): void {
    wrapped('truncate', this.#path, () => ftruncateSync(this.#fd, sizeBytes));
  }

  sync(): void {
    wrapped('sync', this.#path, () => fdatasyncSync(this.#fd));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** What is left of `parts` after `count` bytes were taken. */
function after(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = count;
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length;
    else {
      left.push(skip === 0 ? part : part.subarray(skip));
      skip = 0;
    }
  }
  return left;
}

function wrapped<T>(verb: string, path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw diskError(verb, path, error);
  }
}

function diskError(verb: string, path: string, error: unknown): AppError {
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new AppError({ code: 'OS_DISK_FULL', message: `cannot ${verb} ${path}: no space left on the disk`, hint: 'free some space on that file system', cause: error });
  }
  if (errno === 'ENOENT') return new AppError({ code: 'OS_DISK_MISSING', message: `cannot ${verb} ${path}: it does not exist`, cause: error });
  return new AppError({ code: 'OS_DISK_FAILED', message: `cannot ${verb} ${path}: ${error instanceof Error ? error.message : String(error)}`, cause: error });
}
