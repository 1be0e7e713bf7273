import { lstatSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { cString } from './fd-ops.ts';
import { checked, errnoOf, libcFunction } from './libc.ts';

/** mount(2) and umount2(2), without a process per call (about 0.1 ms for an overlay). */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

const mntDetach = 2;
const umountNofollow = 8;
const einval = 22;
const enoent = 2;

let mountCall: ReturnType<typeof libcFunction> | undefined;
let umountCall: ReturnType<typeof libcFunction> | undefined;

/** The kernel reads one page of options and cuts what is longer, silently: so the limit is checked here. */
export const mountDataBytesMax = 4095;

/** Errors: SyscallError. `data` over one page is refused with E2BIG, as the kernel would cut it. */
export function mount(options: { readonly source: string; readonly target: string; readonly type: string; readonly flags: number; readonly data: string }): void {
  mountCall ??= libcFunction('int mount(const uint8_t *source, const uint8_t *target, const uint8_t *type, unsigned long flags, const uint8_t *data)');
  const data = cString(options.data);
  if (data.length > mountDataBytesMax) throw Object.assign(new Error(`mount options of ${data.length} bytes are longer than a page`), { code: 'E2BIG' });
  checked('mount', mountCall(cString(options.source), cString(options.target), cString(options.type), options.flags, data), options.target);
}

export function bindMount(source: string, target: string, options: { readonly isRecursive: boolean }): void {
  mount({ source, target, type: 'none', flags: mountFlags.bind | (options.isRecursive ? mountFlags.recursive : 0), data: '' });
}

/** Detaches what is mounted last at `target`. Answers false where nothing is mounted there. */
export function unmount(target: string): boolean {
  umountCall ??= libcFunction('int umount2(const uint8_t *target, int flags)');
  const answer = umountCall(cString(target), mntDetach | umountNofollow);
  const errno = errnoOf(answer);
  if (errno === einval || errno === enoent) return false;
  checked('umount2', answer, target);
  return true;
}

/** Everything mounted at `target`, layer upon layer, is detached. */
export function unmountAll(target: string): void {
  for (let depth = 0; depth < 64 && unmount(target); depth += 1);
}

/** Whether another file system is mounted at the path: its device is not its parent's. A bind of the same file system is not seen. */
export function isMountPoint(path: string): boolean {
  const here = lstatSync(path, { throwIfNoEntry: false });
  const above = lstatSync(dirname(path), { throwIfNoEntry: false });
  return here !== undefined && above !== undefined && here.dev !== above.dev;
}

export type MountPoint = { readonly target: string; readonly type: string; readonly source: string };

/** This mount namespace's mounts, in their order. */
export function listMounts(): MountPoint[] {
  const text = readFileSync('/proc/self/mountinfo', 'utf8');
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const target = left?.split(' ')[4];
    const [type, source] = (right ?? '').split(' ');
    return target === undefined || type === undefined || source === undefined ? [] : [{ target: unescape(target), type, source: unescape(source) }];
  });
}

/** The kernel writes space, tab, newline and backslash as octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
