import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { errorName } from './libc.ts';

/** A kernel parameter by its path below /proc/sys (`net/ipv4/ip_forward`), of the namespace the thread is in; null where there is none. */
export function readSysctl(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch (error) {
    if (errorName(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Answers false where this kernel has no such parameter. Writes nothing where it has the value already. */
export function writeSysctl(path: string, value: string): boolean {
  const now = readSysctl(path);
  if (now === null) return false;
  if (now !== value) writeFileSync(`/proc/sys/${path}`, value);
  return true;
}

/** The names in a folder of parameters, sorted; [] where there is none. */
export function listSysctls(folder: string): string[] {
  try {
    return readdirSync(`/proc/sys/${folder}`).sort();
  } catch (error) {
    if (errorName(error) === 'ENOENT') return [];
    throw error;
  }
}
