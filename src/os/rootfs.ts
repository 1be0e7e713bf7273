import { closeSync, constants, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { changeMode, changeOwner, closeFd, makeDirAt, openAt, openFlags, openInside, removeAt, resolve } from './fd-ops.ts';
import { errorName } from './libc.ts';

/**
 * Paths inside a container's file system, which an image or a program chose. Every step is taken relative to a descriptor
 * of the root with openat2, so that no symlink of it leads to the host. Source: CVE-2026-47766, CVE-2025-52565.
 */
export type Rootfs = { readonly fd: number; readonly path: string };

const fileBytesMax = 4 * 1024 * 1024;

export function openRootfs(path: string): Rootfs {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return { fd, path: readlinkSync(`/proc/self/fd/${fd}`) };
}

export function closeRootfs(root: Rootfs): void {
  closeSync(root.fd);
}

/** The text of a plain file, following symlinks within the root; '' where there is none. A device or a pipe is not read. */
export function readTextInside(root: Rootfs, path: string): string {
  const fd = openPath(root, path, openFlags.readOnly | constants.O_NONBLOCK);
  if (fd === null) return '';
  try {
    const facts = statSync(`/proc/self/fd/${fd}`);
    if (!facts.isFile() || facts.size > fileBytesMax) return '';
    return readFileSync(fd, 'utf8');
  } finally {
    closeFd(fd);
  }
}

/**
 * Makes `path` a real directory, of the root itself: a symlink or a file in its place goes.
 * For /dev, /proc, /sys and /etc, which the runtime mounts on.
 */
export function forceRealDir(root: Rootfs, name: string): void {
  const bytes = Buffer.from(name);
  try {
    const fd = openInside(root.fd, bytes, { flags: openFlags.path | openFlags.directory, resolve: resolve.inRoot | resolve.noSymlinks });
    if (fd !== null) return closeFd(fd);
  } catch (error) {
    if (errorName(error) !== 'ELOOP' && errorName(error) !== 'ENOTDIR') throw error;
    removeAt(root.fd, bytes, 'file');
  }
  makeDirAt(root.fd, bytes, 0o755);
}

/** Takes away a symlink that leads nowhere inside the root, as images of whole systems have one at /etc/resolv.conf. `dir` is a real directory. */
export function removeDeadLink(root: Rootfs, dir: string, name: string): void {
  if (leadsSomewhere(root, `${dir}/${name}`)) return;
  const at = openInside(root.fd, Buffer.from(dir), { flags: openFlags.path | openFlags.directory, resolve: resolve.inRoot | resolve.noSymlinks });
  if (at === null) return;
  try {
    removeAt(at, Buffer.from(name), 'file');
  } catch (error) {
    if (errorName(error) !== 'ENOENT') throw error;
  } finally {
    closeFd(at);
  }
}

function leadsSomewhere(root: Rootfs, path: string): boolean {
  try {
    const fd = openPath(root, path, openFlags.path);
    if (fd !== null) closeFd(fd);
    return fd !== null;
  } catch (error) {
    if (errorName(error) === 'ELOOP' || errorName(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/** What stands in the way of a target: the caller words it. */
export class TargetError extends Error {}

/**
 * Finds the place of a mount, making what is missing, and answers its path with every symlink resolved inside the root.
 * `kind` is what is to be mounted there: a file can't cover a directory, nor the other way round.
 */
export function ensureTarget(root: Rootfs, path: string, kind: 'dir' | 'file', owner: { readonly uid: number; readonly gid: number } | null = null): string {
  const parts = path.split('/').filter((part) => part !== '');
  const there = placeThere(root, parts.join('/'), kind);
  if (there !== null) return there;
  for (let count = 1; count <= parts.length; count += 1) {
    const prefix = parts.slice(0, count).join('/');
    const isLast = count === parts.length;
    const found = openPath(root, prefix, openFlags.path);
    if (found !== null) {
      const isDir = statSync(`/proc/self/fd/${found}`).isDirectory();
      closeFd(found);
      if (!isDir && !(isLast && kind === 'file')) throw new TargetError(`${JSON.stringify(`/${prefix}`)} is not a directory`);
      if (isDir && isLast && kind === 'file') throw new TargetError(`${JSON.stringify(`/${prefix}`)} is a directory, and a file is to be mounted on it`);
      continue;
    }
    makeInside(root, parts.slice(0, count - 1).join('/'), parts[count - 1] ?? '', isLast ? kind : 'dir', isLast ? owner : null);
  }
  return realPath(root, parts.join('/'));
}

/** The usual case, all of it there and of the right kind, in one go; null otherwise, and what is wrong is found step by step. */
function placeThere(root: Rootfs, path: string, kind: 'dir' | 'file'): string | null {
  let fd: number | null;
  try {
    fd = openPath(root, path, openFlags.path);
  } catch (error) {
    if (errorName(error) === 'ENOTDIR') return null;
    throw error;
  }
  if (fd === null) return null;
  try {
    return statSync(`/proc/self/fd/${fd}`).isDirectory() === (kind === 'dir') ? pathOf(root, path, fd) : null;
  } finally {
    closeFd(fd);
  }
}

function makeInside(root: Rootfs, parent: string, name: string, kind: 'dir' | 'file', owner: { readonly uid: number; readonly gid: number } | null): void {
  const dir = openPath(root, parent === '' ? '.' : parent, openFlags.readOnly | openFlags.directory);
  if (dir === null) throw new TargetError(`${JSON.stringify(`/${parent}`)} went away`);
  try {
    const bytes = Buffer.from(name);
    if (kind === 'dir') makeDirAt(dir, bytes, 0o755);
    const fd = kind === 'dir' ? openAt(dir, bytes, openFlags.readOnly | openFlags.directory) : openAt(dir, bytes, openFlags.writeOnly | openFlags.create | openFlags.exclusive, 0o755);
    // NOTE: our umask must not show in the container.
    changeMode(fd, kind === 'dir' ? 0o755 : 0o644);
    if (owner !== null) changeOwner(fd, owner.uid, owner.gid);
    closeFd(fd);
  } catch (error) {
    // A symlink that leads nowhere looks missing, but is there.
    if (errorName(error) === 'EEXIST') throw new TargetError(`${JSON.stringify(`/${parent === '' ? '' : `${parent}/`}${name}`)} is a link that leads nowhere`);
    throw error;
  } finally {
    closeFd(dir);
  }
}

/** Where the path leads inside the root, every symlink resolved: absolute as the container sees it; '/' where it is the root. */
export function realPath(root: Rootfs, path: string): string {
  const fd = openPath(root, path === '' ? '.' : path, openFlags.path);
  if (fd === null) throw new TargetError(`${JSON.stringify(`/${path}`)} does not exist`);
  try {
    return pathOf(root, path, fd);
  } finally {
    closeFd(fd);
  }
}

function pathOf(root: Rootfs, path: string, fd: number): string {
  const host = readlinkSync(`/proc/self/fd/${fd}`);
  if (host === root.path) return '/';
  if (!host.startsWith(`${root.path}/`)) throw new TargetError(`${JSON.stringify(`/${path}`)} is outside the container`);
  return host.slice(root.path.length);
}

/** A descriptor of a directory inside the root; null where there is none. The caller closes it. */
export function openDirInside(root: Rootfs, path: string): number | null {
  try {
    return openPath(root, path, openFlags.readOnly | openFlags.directory);
  } catch (error) {
    if (errorName(error) === 'ENOTDIR') return null;
    throw error;
  }
}

function openPath(root: Rootfs, path: string, flags: number): number | null {
  const relative = path.replace(/^\/+/, '');
  return openInside(root.fd, Buffer.from(relative === '' ? '.' : relative), { flags, resolve: resolve.inRoot | resolve.noMagicLinks });
}
