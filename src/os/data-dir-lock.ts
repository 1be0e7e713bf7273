import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../base/app-error.ts';
import { libcFunction } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

let flock: ReturnType<typeof libcFunction> | undefined;

/**
 * Takes the exclusive lock of a directory, for as long as this process lives or until the answer is called.
 * The kernel drops the lock when the process ends, however it ends, so there is no stale lock to clear by hand.
 * Errors: OS_DATA_DIR_LOCKED, naming the process that holds it.
 */
export function lockDataDir(dir: string, what: 'data directory' | 'run directory' = 'data directory'): () => void {
  const path = join(dir, 'lock');
  const fd = openLock(dir, path);
  flock ??= libcFunction('int flock(int fd, int operation)');
  if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(fd);
    const holder = readFileSync(path, 'utf8').trim();
    throw new AppError({
      code: 'OS_DATA_DIR_LOCKED',
      message: `the ${what} ${dir} is in use by process ${holder === '' ? '(unknown)' : holder}`,
      hint: 'stop that process first, or name another directory',
      at: { kind: 'object', object: dir },
    });
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `${process.pid}\n`, 0);
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    // NOTE: the file stays. Removing it would let two processes lock two different files of the same name.
    closeSync(fd);
  };
}

function openLock(dir: string, path: string): number {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    const isFull = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
    throw new AppError({ code: isFull ? 'OS_DISK_FULL' : 'OS_DISK_FAILED', message: `cannot open ${path}: ${error instanceof Error ? error.message : String(error)}`, cause: error });
  }
}
