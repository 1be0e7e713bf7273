import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { errorName } from './libc.ts';

/** What waited at the other end: `released`; `nobody` where there was none any more; `missing` where there is no such pipe. */
export type FifoOutcome = 'released' | 'nobody' | 'missing';

/** Writes one byte to whoever reads at a named pipe, and removes the pipe. Never blocks. */
export function writeToFifo(path: string): FifoOutcome {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorName(error) === 'ENXIO') return 'nobody';
    if (errorName(error) === 'ENOENT') return 'missing';
    throw error;
  }
  try {
    writeSync(fd, '0');
  } finally {
    closeSync(fd);
  }
  removeQuietly(path);
  return 'released';
}

/** Lets whoever waits to write to a named pipe write its byte, and removes the pipe. Ends with the signal's reason if nobody comes. */
export async function readFromFifo(path: string, signal: AbortSignal): Promise<FifoOutcome> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorName(error) === 'ENOENT') return 'missing';
    throw error;
  }
  const socket = new Socket({ fd, readable: true, writable: false });
  const byte = await new Promise<FifoOutcome>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (outcome: FifoOutcome): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(outcome);
    };
    socket.once('data', () => settle('released'));
    socket.once('end', () => settle('nobody'));
    socket.once('error', () => settle('nobody'));
    if (signal.aborted) onAbort();
  }).finally(() => socket.destroy());
  if (byte === 'released') removeQuietly(path);
  return byte;
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorName(error) !== 'ENOENT') throw error;
  }
}
