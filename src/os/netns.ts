import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { checked, errorName, libcFunction } from './libc.ts';
import { bindMount, mount, mountFlags, unmountAll } from './mount.ts';

/**
 * Network namespaces, kept alive by a bind mount on a named file, as `ip netns` does.
 *
 * A namespace belongs to a thread. All that happens inside one is synchronous here, so no other work of the event loop
 * can run in the wrong namespace, and the thread is always back before the function returns. Should the way back fail,
 * the process ends at once: to go on in a container's network would be worse than any crash.
 */
const cloneNewNet = 0x40000000;
const here = '/proc/thread-self/ns/net';

let bound: { readonly unshare: ReturnType<typeof libcFunction>; readonly setns: ReturnType<typeof libcFunction> } | undefined;

function libc(): NonNullable<typeof bound> {
  bound ??= { unshare: libcFunction('int unshare(int flags)'), setns: libcFunction('int setns(int fd, int type)') };
  return bound;
}

type Synchronous<T> = T extends Promise<unknown> ? never : T;

/**
 * Makes a namespace that lives at `path` until it is removed, and runs `inside` in it.
 * Nothing is left when it fails. Errors: SyscallError (EPERM without root), and those of `inside`.
 */
export function createNetworkNamespace<T>(path: string, inside: () => Synchronous<T>): Synchronous<T> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, '', { flag: 'wx', mode: 0o400 });
  try {
    return comeBack(() => {
      checked('unshare', libc().unshare(cloneNewNet));
      bindMount(here, path, { isRecursive: false });
      return inside();
    });
  } catch (error) {
    removeNetworkNamespace(path);
    throw error;
  }
}

/** Runs `inside` in the namespace that is mounted at `path` (about 10 µs more than without). Errors: SyscallError. */
export function inNetworkNamespace<T>(path: string, inside: () => Synchronous<T>): Synchronous<T> {
  const target = openSync(path, 'r');
  try {
    return comeBack(() => {
      checked('setns', libc().setns(target, cloneNewNet), path);
      return inside();
    });
  } finally {
    closeSync(target);
  }
}

/** The namespace at `path` as a descriptor, to name it to the kernel. Errors: ENOENT. */
export function openNamespace(path: string): Disposable & { readonly fd: number } {
  const fd = openSync(path, 'r');
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** Takes the name away: the namespace and its links go when its last process and socket have gone. Idempotent. */
export function removeNetworkNamespace(path: string): void {
  unmountAll(path);
  rmSync(path, { force: true });
}

/** All namespaces are files of one file system of the kernel's. */
let namespaceDevice: number | undefined;

/** True where a live namespace is mounted at `path`; a file left over from before a reboot is none. */
export function isNetworkNamespace(path: string): boolean {
  try {
    namespaceDevice ??= statSync(here).dev;
    return statSync(path).dev === namespaceDevice;
  } catch (error) {
    if (errorName(error) === 'ENOENT' || errorName(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/** The names in a folder of namespaces, sorted; [] where there is none. */
export function listNetworkNamespaces(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (errorName(error) === 'ENOENT') return [];
    throw error;
  }
}

/** True when this thread may make namespaces and change networks: CAP_NET_ADMIN (12) and CAP_SYS_ADMIN (21) are in force. */
export function canAdministerNetwork(): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1] ?? '0';
  const capabilities = BigInt(`0x${mask}`);
  return ((capabilities >> 12n) & (capabilities >> 21n) & 1n) === 1n;
}

/** Moves this thread and its mounts into a new, empty host: for tests, which must leave the machine as it is. */
export function enterEmptyHost(): void {
  checked('unshare', libc().unshare(cloneNewNet | 0x00020000));
  mount({ source: 'none', target: '/', type: '', flags: mountFlags.private | mountFlags.recursive, data: '' });
}

function comeBack<T>(inside: () => Synchronous<T>): Synchronous<T> {
  const home = openSync(here, 'r');
  try {
    return inside();
  } finally {
    if (libc().setns(home, cloneNewNet) !== 0) process.abort();
    closeSync(home);
  }
}
