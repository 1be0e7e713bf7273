import { randomBytes } from 'node:crypto';
import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, stat, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorName } from './libc.ts';

/**
 * Files as the engine needs them: what was written durably is there whole after a crash, or not at all.
 * Readers of the same path see the old content or the new, never a mixture.
 */
export async function writeFileDurable(path: string, content: Uint8Array | string, mode: number = 0o600): Promise<void> {
  await writeFileWhole(path, content, mode);
  await syncDir(dirname(path));
}

/** As above, but a crash of the machine may bring the old content back. */
export async function writeFileWhole(path: string, content: Uint8Array | string, mode: number = 0o600): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      // NOTE: the mode of open() is cut by the process's umask.
      await file.chmod(mode);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The names that `writeFileDurable` leaves behind when the process dies in it. */
export function isTemporaryName(name: string): boolean {
  return /^\..*\.[0-9a-f]{12}\.tmp$/.test(name);
}

/** Makes creations, renames and removals in `dir` durable. */
export async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Renames, and makes it durable in both directories. */
export async function renameDurable(source: string, target: string): Promise<void> {
  await rename(source, target);
  await syncDir(dirname(target));
  if (dirname(source) !== dirname(target)) await syncDir(dirname(source));
}

export async function renamePath(source: string, target: string): Promise<void> {
  await rename(source, target);
}

/** Makes the directory and what is missing above it. */
export async function ensureDir(dir: string, mode: number = 0o700): Promise<void> {
  await mkdir(dir, { recursive: true, mode });
}

export async function setMode(path: string, mode: number): Promise<void> {
  await chmod(path, mode);
}

export async function readFileIfThere(path: string): Promise<Buffer | null> {
  return await orNull(readFile(path), ['ENOENT', 'ENOTDIR']);
}

export async function readTextIfThere(path: string): Promise<string | null> {
  return await orNull(readFile(path, 'utf8'), ['ENOENT', 'ENOTDIR']);
}

export type FileKind = 'file' | 'dir' | 'symlink' | 'other';
export type FileFacts = { readonly kind: FileKind; readonly sizeBytes: number; readonly mode: number; readonly uid: number; readonly gid: number; readonly modifiedMs: number };

/** What is at the path itself (a symlink is not followed); null where there is nothing. */
export async function fileFacts(path: string): Promise<FileFacts | null> {
  const found = await orNull(lstat(path), ['ENOENT', 'ENOTDIR']);
  if (found === null) return null;
  const kind = found.isFile() ? 'file' : found.isDirectory() ? 'dir' : found.isSymbolicLink() ? 'symlink' : 'other';
  return { kind, sizeBytes: found.size, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, modifiedMs: found.mtimeMs };
}

export async function pathExists(path: string): Promise<boolean> {
  return (await orNull(stat(path), ['ENOENT', 'ENOTDIR'])) !== null;
}

/** Names in the directory, sorted; none where it does not exist. */
export async function listDir(dir: string): Promise<string[]> {
  return ((await orNull(readdir(dir), ['ENOENT'])) ?? []).sort();
}

/** Every path below `dir`, parents first, in the order of their names. Symlinks are not followed. */
export async function* walkDir(dir: string): AsyncGenerator<{ readonly path: string; readonly kind: FileKind }> {
  const entries = await readdir(dir, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    const kind = entry.isFile() ? 'file' : entry.isDirectory() ? 'dir' : entry.isSymbolicLink() ? 'symlink' : 'other';
    yield { path, kind };
    if (kind === 'dir') yield* walkDir(path);
  }
}

/** Removes a file or a whole tree; nothing there is no error. Symlinks are removed, never followed. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 2 });
}

export async function removeFile(path: string): Promise<void> {
  await orNull(unlink(path), ['ENOENT', 'ENOTDIR']);
}

export async function freeBytes(dir: string): Promise<number> {
  const facts = await statfs(dir);
  return facts.bavail * facts.bsize;
}

/** A file that grows at its end. `size` is what was written so far. */
export type GrowingFile = {
  readonly path: string;
  readonly sizeBytes: () => number;
  readonly write: (chunk: Uint8Array) => Promise<void>;
  readonly truncate: (sizeBytes: number) => Promise<void>;
  readonly sync: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export async function openGrowing(path: string, mode: number = 0o600): Promise<GrowingFile> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT, mode);
  let end = (await handle.stat()).size;
  return {
    path,
    sizeBytes: () => end,
    write: async (chunk) => {
      let done = 0;
      while (done < chunk.length) {
        const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, end);
        done += bytesWritten;
        end += bytesWritten;
      }
    },
    truncate: async (sizeBytes) => {
      await handle.truncate(sizeBytes);
      end = sizeBytes;
    },
    sync: async () => {
      await handle.datasync();
    },
    close: async () => {
      await handle.close();
    },
  };
}

/** Synchronous calls on descriptors, for code that has a thread of its own. */
export const fdFiles = {
  openRead: (path: string): number => openSync(path, constants.O_RDONLY),
  openDir: (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY),
  read: (fd: number, into: Uint8Array, position: number): number => readSync(fd, into, 0, into.length, position),
  writeAll: (fd: number, chunk: Uint8Array): void => {
    let done = 0;
    while (done < chunk.length) done += writeSync(fd, chunk, done, chunk.length - done);
  },
  sizeBytes: (fd: number): number => fstatSync(fd).size,
  sync: (fd: number): void => fdatasyncSync(fd),
  close: (fd: number): void => closeSync(fd),
} as const;

async function orNull<T>(answer: Promise<T>, absent: readonly string[]): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (absent.includes(errorName(error) ?? '')) return null;
    throw error;
  }
}
