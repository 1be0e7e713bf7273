import { mkdirSync } from 'node:fs';
import { errorName } from './libc.ts';
import { mount, mountFlags } from './mount.ts';
import { isOnTmpfs } from './quick-files.ts';

/** Gives a directory a file system of its own in memory, without programs, devices and set-id files. */
export function mountMemory(dir: string, { mode, sizeBytesMax }: { readonly mode: number; readonly sizeBytesMax: number }): void {
  mount({ source: 'tmpfs', target: dir, type: 'tmpfs', flags: mountFlags.noSuid | mountFlags.noDev | mountFlags.noExec, data: `mode=${mode.toString(8)},size=${sizeBytesMax}` });
}

/**
 * Makes a directory whose files live as long as the boot and no longer: in memory. Where its parent lies on a disk it gets a file system of
 * its own, which hides what was in it, unless that is in use. Answers the name of the error that stood against it, null where none did.
 */
export function makeMemoryDir(dir: string, options: { readonly mode: number; readonly sizeBytesMax: number; readonly isInUse: () => boolean }): string | null {
  mkdirSync(dir, { recursive: true, mode: options.mode });
  if (isOnTmpfs(dir) || options.isInUse()) return null;
  try {
    mountMemory(dir, options);
    return null;
  } catch (error) {
    const name = errorName(error);
    if (name === null) throw error;
    return name;
  }
}
