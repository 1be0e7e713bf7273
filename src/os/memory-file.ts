import { closeSync, writeSync } from 'node:fs';
import { checked, libcFunction } from './libc.ts';

const closeOnExec = 1;
let create: ReturnType<typeof libcFunction> | undefined;

/** A file that lies in memory only and has no place: its descriptor, to be closed by the caller. It is read from its beginning. */
export function memoryFile(name: string, text: string): number {
  create ??= libcFunction('int memfd_create(const char *name, unsigned int flags)');
  const fd = checked('memfd_create', create(name, closeOnExec));
  try {
    const bytes = Buffer.from(text);
    // NOTE: with positions, so that the descriptor's own stays at the beginning for who gets it.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
