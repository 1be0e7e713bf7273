import { closeSync, constants, existsSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { libcFunction } from './libc.ts';

/** One thing the machine must have. `fix` is a line to paste. */
export type Check = { readonly name: string; readonly isOk: boolean; readonly isRequired: boolean; readonly found: string; readonly fix: string | null };

const syncs = 16;
/** A heartbeat of the store comes every 100 ms, and a change waits for at least one sync. */
const slowMs = 20;
/** Linux: a file without a name, so nothing is left behind however this ends. */
const unnamed = 0o20000000 | constants.O_DIRECTORY;
const unsynchronised = 5;

/** How long the disk of the data directory takes to make a small write durable. */
export function diskCheck(root: string): Check {
  const name = 'fsync of the data directory';
  const dir = existing(root);
  const times = syncTimesMs(dir);
  if (typeof times === 'string') return { name, isOk: true, isRequired: false, found: `not measured in ${dir} (${times})`, fix: null };
  const sorted = times.toSorted((a, b) => a - b);
  const [median, most] = [sorted[syncs >> 1] ?? 0, sorted.at(-1) ?? 0];
  const isOk = median <= slowMs;
  return { name, isOk, isRequired: false, found: `${median.toFixed(2)} ms in ${dir}, the slowest of ${syncs} ${most.toFixed(2)} ms`, fix: isOk ? null : 'every change waits for it: put the data directory (FLOTILLA_ROOT) on a faster disk' };
}

/** The store orders by its log, not by the clock; but times of logs and certificates of several machines only agree where clocks do. */
export function clockCheck(): Check {
  const name = 'clock';
  // NOTE: a struct timex of zeros asks and sets nothing; 208 bytes on 64-bit Linux.
  const state = libcFunction('int adjtimex(void *timex)')(new Uint8Array(208));
  const isOk = state !== unsynchronised;
  return { name, isOk, isRequired: false, found: state < 0 ? 'the kernel does not tell here' : isOk ? 'synchronised' : 'nothing keeps it right', fix: isOk ? null : 'sudo apt-get install -y systemd-timesyncd, or chrony' };
}

/** The path, or the nearest folder above it that is there. */
export function existing(path: string): string {
  return existsSync(path) || path === '/' ? path : existing(dirname(path));
}

/** Milliseconds of each sync, or why there are none. */
function syncTimesMs(dir: string): readonly number[] | string {
  let fd: number;
  try {
    fd = openSync(dir, constants.O_RDWR | unnamed, 0o600);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  try {
    const block = new Uint8Array(4096).fill(1);
    return Array.from({ length: syncs }, (_, at) => {
      const began = performance.now();
      writeSync(fd, block, 0, block.length, at * block.length);
      fdatasyncSync(fd);
      return performance.now() - began;
    });
  } finally {
    closeSync(fd);
  }
}
