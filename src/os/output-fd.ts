import { fstatSync, writeSync } from 'node:fs';

/** Whether a descriptor is a terminal or the like, not a file or a pipe. */
export function isCharacterDevice(fd: number): boolean {
  return fstatSync(fd).isCharacterDevice();
}

/** Writes to a file or a pipe at once. Answers what a full, non-blocking pipe did not take; other failures go to `failed`. */
export function writeNow(fd: number, bytes: Uint8Array, failed: (error: unknown) => void): Uint8Array {
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(fd, bytes, done);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return bytes.subarray(done);
    failed(error);
  }
  return bytes.subarray(bytes.length);
}
