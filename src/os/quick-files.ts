import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, statSync, truncateSync, unlinkSync, writeFileSync, writeSync, closeSync, constants, realpathSync } from 'node:fs';
import { errorName } from './libc.ts';

/**
 * Small files of the container's path to its start, without a trip through the thread pool and without waiting for the disk:
 * they survive the death of this process, not that of the machine. What must survive both is written by files.ts.
 */
export function writeQuick(path: string, content: Uint8Array | string, mode: number = 0o600): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, content, { mode });
  renameSync(temporary, path);
}

/** As `writeQuick`, for a path that nobody reads yet: a death of this process may leave it empty or cut. */
export function writeFresh(path: string, content: Uint8Array | string, mode: number = 0o600): void {
  writeFileSync(path, content, { mode });
}

/** Overwrites the content and keeps the file itself, which is mounted elsewhere. */
export function rewriteInPlace(path: string, content: Uint8Array): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    truncateSync(path, 0);
    let done = 0;
    while (done < content.length) done += writeSync(fd, content, done, content.length - done);
  } finally {
    closeSync(fd);
  }
}

export function readQuick(path: string): string | null {
  return orNull(() => readFileSync(path, 'utf8'));
}

export function readBytesQuick(path: string): Uint8Array | null {
  return orNull(() => readFileSync(path));
}

export function makeDirQuick(path: string, mode: number = 0o700): void {
  mkdirSync(path, { recursive: true, mode });
}

/** A directory with this mode whatever the umask; one that is there takes it too. */
export function makeDirExact(path: string, mode: number, owner: { readonly uid: number; readonly gid: number } | null = null): void {
  mkdirSync(path, { recursive: true, mode });
  const facts = statSync(path);
  if (owner !== null && (facts.uid !== owner.uid || facts.gid !== owner.gid)) chownSync(path, owner.uid, owner.gid);
  if ((facts.mode & 0o7777) !== mode) chmodSync(path, mode);
}

/** Of the path itself, a symlink is not followed; null where there is nothing. */
export function ownerAndMode(path: string): { readonly mode: number; readonly uid: number; readonly gid: number } | null {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  return facts === undefined ? null : { mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid };
}

export function removeQuick(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

export function listQuick(dir: string): string[] {
  return (orNull(() => readdirSync(dir)) ?? []).sort();
}

export function existsQuick(path: string): boolean {
  return existsSync(path);
}

export type QuickFacts = { readonly isDirectory: boolean; readonly isFile: boolean; readonly sizeBytes: number; readonly inode: number; readonly modifiedMs: number };

/** What the path leads to, symlinks followed; null where there is nothing. */
export function factsQuick(path: string): QuickFacts | null {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts === undefined ? null : { isDirectory: facts.isDirectory(), isFile: facts.isFile(), sizeBytes: facts.size, inode: facts.ino, modifiedMs: facts.mtimeMs };
}

/** A second name for the same file; an older file of that name goes. */
export function linkQuick(source: string, target: string): void {
  orNull(() => unlinkSync(target));
  linkSync(source, target);
}

export function renameQuick(source: string, target: string): void {
  renameSync(source, target);
}

export function setOwnerAndMode(path: string, owner: { readonly uid: number; readonly gid: number }, mode: number): void {
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, mode);
}

/** The path with every symlink resolved; null where there is nothing. */
export function resolvedPath(path: string): string | null {
  return orNull(() => realpathSync(path));
}

const tmpfsMagic = 0x01021994;

/** True where what is written stays in memory. */
export function isOnTmpfs(path: string): boolean {
  return statfsSync(path).type === tmpfsMagic;
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (errorName(error) === 'ENOENT' || errorName(error) === 'ENOTDIR') return null;
    throw error;
  }
}
