import { constants, rmSync } from 'node:fs';
import { checked, errnoOf, libcFunction } from './libc.ts';

/**
 * File-system calls relative to directory descriptors, for paths that an attacker chose. Names are raw bytes without NUL.
 * Everything is synchronous: use it in a thread of its own, or for a few calls.
 * Source: openat2(2), and the `*at` calls of POSIX.
 */
export const openFlags = {
  path: 0o10000000,
  closeOnExec: 0o2000000,
  directory: constants.O_DIRECTORY,
  noFollow: constants.O_NOFOLLOW,
  readOnly: constants.O_RDONLY,
  writeOnly: constants.O_WRONLY,
  create: constants.O_CREAT,
  exclusive: constants.O_EXCL,
} as const;

/** How openat2 may walk: `inRoot` keeps symlinks and `..` inside the directory; `beneath` refuses them at its border. */
export const resolve = { noMagicLinks: 0x02, noSymlinks: 0x04, beneath: 0x08, inRoot: 0x10 } as const;

const atSymlinkNofollow = 0x100;
const atRemoveDir = 0x200;
const sysOpenat2 = 437;
const enoent = 2;
const eagain = 11;

let bound: ReturnType<typeof bind> | undefined;

function bind(): Readonly<Record<'openat' | 'openat2' | 'mkdirat' | 'mknodat' | 'symlinkat' | 'linkat' | 'unlinkat' | 'renameat' | 'fchownat' | 'fchown' | 'fchmod' | 'fchmodat' | 'utimensat' | 'futimens' | 'fsetxattr' | 'lsetxattr' | 'lgetxattr' | 'syncfs' | 'close', ReturnType<typeof libcFunction>>> {
  return {
    openat: libcFunction('int openat(int dir, const uint8_t *name, int flags, uint32_t mode)'),
    openat2: libcFunction('long syscall(long number, int dir, const uint8_t *name, const uint8_t *how, size_t size)'),
    mkdirat: libcFunction('int mkdirat(int dir, const uint8_t *name, uint32_t mode)'),
    mknodat: libcFunction('int mknodat(int dir, const uint8_t *name, uint32_t mode, uint64_t device)'),
    symlinkat: libcFunction('int symlinkat(const uint8_t *target, int dir, const uint8_t *name)'),
    linkat: libcFunction('int linkat(int oldDir, const uint8_t *oldName, int newDir, const uint8_t *newName, int flags)'),
    unlinkat: libcFunction('int unlinkat(int dir, const uint8_t *name, int flags)'),
    renameat: libcFunction('int renameat(int oldDir, const uint8_t *oldName, int newDir, const uint8_t *newName)'),
    fchownat: libcFunction('int fchownat(int dir, const uint8_t *name, uint32_t uid, uint32_t gid, int flags)'),
    fchown: libcFunction('int fchown(int fd, uint32_t uid, uint32_t gid)'),
    fchmod: libcFunction('int fchmod(int fd, uint32_t mode)'),
    fchmodat: libcFunction('int fchmodat(int dir, const uint8_t *name, uint32_t mode, int flags)'),
    utimensat: libcFunction('int utimensat(int dir, const uint8_t *name, const uint8_t *times, int flags)'),
    futimens: libcFunction('int futimens(int fd, const uint8_t *times)'),
    fsetxattr: libcFunction('int fsetxattr(int fd, const uint8_t *name, const uint8_t *value, size_t size, int flags)'),
    lsetxattr: libcFunction('int lsetxattr(const uint8_t *path, const uint8_t *name, const uint8_t *value, size_t size, int flags)'),
    lgetxattr: libcFunction('long lgetxattr(const uint8_t *path, const uint8_t *name, _Out_ uint8_t *value, size_t size)'),
    syncfs: libcFunction('int syncfs(int fd)'),
    close: libcFunction('int close(int fd)'),
  };
}

function libc(): ReturnType<typeof bind> {
  bound ??= bind();
  return bound;
}

/** The bytes as C wants them: with a NUL at the end. */
export function cString(text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const ended = new Uint8Array(bytes.length + 1);
  ended.set(bytes);
  return ended;
}

export type Bytes = Uint8Array;

/** Opens `name` in `dir` without following a symlink at its end. */
export function openAt(dir: number, name: Bytes, flags: number, mode: number = 0): number {
  return checked('openat', libc().openat(dir, cString(name), flags | openFlags.noFollow | openFlags.closeOnExec, mode), shown(name));
}

/** As openat2 with the given `resolve`; null where something on the way does not exist. */
export function openInside(dir: number, path: Bytes, options: { readonly flags: number; readonly resolve: number }): number | null {
  const how = new BigUint64Array([BigInt(options.flags | openFlags.closeOnExec), 0n, BigInt(options.resolve)]);
  const bytes = new Uint8Array(how.buffer);
  for (let attempt = 0; ; attempt += 1) {
    const answer = libc().openat2(sysOpenat2, dir, cString(path), bytes, bytes.length);
    const errno = errnoOf(answer);
    if (errno === 0) return answer;
    if (errno === enoent) return null;
    // NOTE: EAGAIN says that a rename elsewhere made the walk uncertain; it is safe to try again.
    if (errno !== eagain || attempt === 32) return checked('openat2', answer, shown(path));
  }
}

export function makeDirAt(dir: number, name: Bytes, mode: number): void {
  checked('mkdirat', libc().mkdirat(dir, cString(name), mode), shown(name));
}

/** `mode` holds the type too (`S_IFCHR` …). */
export function makeNodeAt(dir: number, name: Bytes, mode: number, device: { readonly major: number; readonly minor: number }): void {
  checked('mknodat', libc().mknodat(dir, cString(name), mode, deviceNumber(device)), shown(name));
}

export function makeSymlinkAt(target: Bytes, dir: number, name: Bytes): void {
  checked('symlinkat', libc().symlinkat(cString(target), dir, cString(name)), shown(name));
}

/** A hard link; a symlink at the source is linked itself, never followed. */
export function makeLinkAt(source: { readonly dir: number; readonly name: Bytes }, target: { readonly dir: number; readonly name: Bytes }): void {
  checked('linkat', libc().linkat(source.dir, cString(source.name), target.dir, cString(target.name), 0), shown(target.name));
}

/** Removes a file or an empty directory. Answers what stood in the way: '' for nothing. */
export function removeAt(dir: number, name: Bytes, kind: 'file' | 'dir'): void {
  checked('unlinkat', libc().unlinkat(dir, cString(name), kind === 'dir' ? atRemoveDir : 0), shown(name));
}

/** Removes a whole tree; its symlinks are removed, never followed. For a directory that nobody else writes to. */
export function removeTreeAt(dir: number, name: Bytes): void {
  rmSync(Buffer.concat([Buffer.from(`/proc/self/fd/${dir}/`), name]), { recursive: true, force: true });
}

export function renameAt(source: { readonly dir: number; readonly name: Bytes }, target: { readonly dir: number; readonly name: Bytes }): void {
  checked('renameat', libc().renameat(source.dir, cString(source.name), target.dir, cString(target.name)), shown(target.name));
}

/** Changes the owner of the thing itself, a symlink too. */
export function changeOwnerAt(dir: number, name: Bytes, uid: number, gid: number): void {
  checked('fchownat', libc().fchownat(dir, cString(name), uid, gid, atSymlinkNofollow), shown(name));
}

export function changeOwner(fd: number, uid: number, gid: number): void {
  checked('fchown', libc().fchown(fd, uid, gid));
}

export function changeMode(fd: number, mode: number): void {
  checked('fchmod', libc().fchmod(fd, mode));
}

/** NOTE: follows a symlink at `name`: only for a name that the caller has just made as something else. */
export function changeModeAt(dir: number, name: Bytes, mode: number): void {
  checked('fchmodat', libc().fchmodat(dir, cString(name), mode, 0), shown(name));
}

export type FileTime = { readonly seconds: number; readonly nanoseconds: number };

/** Sets access and modification time of the thing itself, a symlink too. */
export function changeTimesAt(dir: number, name: Bytes, time: FileTime): void {
  checked('utimensat', libc().utimensat(dir, cString(name), timePair(time), atSymlinkNofollow), shown(name));
}

export function changeTimes(fd: number, time: FileTime): void {
  checked('futimens', libc().futimens(fd, timePair(time)));
}

export function setXattr(fd: number, name: Bytes, value: Bytes): void {
  checked('fsetxattr', libc().fsetxattr(fd, cString(name), value, value.length, 0), shown(name));
}

/** Of `name` in `dir` itself, a symlink or a device too. */
export function setXattrAt(dir: number, name: Bytes, attribute: Bytes, value: Bytes): void {
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${dir}/`), name]);
  checked('lsetxattr', libc().lsetxattr(cString(path), cString(attribute), value, value.length, 0), shown(attribute));
}

/** The raw value of an extended attribute of the thing itself; null where it has none. */
export function getXattr(path: string, name: string): Uint8Array | null {
  const value = new Uint8Array(65_536);
  const answer = libc().lgetxattr(cString(path), cString(name), value, value.length);
  const errno = errnoOf(answer);
  if (errno === 61 || errno === 95) return null;
  return value.subarray(0, checked('lgetxattr', answer, path));
}

/** Everything written to the file system of `fd` is durable after this. It may wait for the disk: never on the main thread. */
export function syncFileSystem(fd: number): void {
  checked('syncfs', libc().syncfs(fd));
}

export function closeFd(fd: number): void {
  libc().close(fd);
}

function deviceNumber(device: { readonly major: number; readonly minor: number }): bigint {
  const major = BigInt(device.major);
  const minor = BigInt(device.minor);
  return ((major & 0xfffff000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffffff00n) << 12n) | (minor & 0xffn);
}

function timePair(time: FileTime): Uint8Array {
  const pair = [BigInt(time.seconds), BigInt(time.nanoseconds)];
  return new Uint8Array(new BigInt64Array([...pair, ...pair]).buffer);
}

/** A name for a message: printable, and never long. */
function shown(name: Bytes): string {
  return JSON.stringify(Buffer.from(name.subarray(0, 120)).toString('utf8'));
}
