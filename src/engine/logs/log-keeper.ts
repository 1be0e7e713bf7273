import { existsQuick, factsQuick, linkQuick, removeQuick, renameQuick } from '../../os/quick-files.ts';

/**
 * The monitor caps its file: when it is full, it puts an empty one in its place, and the old would be gone. A second name
 * (`container.log.keep`) holds it; here the held one becomes `.1`, older ones move up, and the new file is held. So at most
 * `filesMax` files of the capped size exist, and without us (the daemon is down) two.
 * Idempotent, and right after a death at any step.
 */
export function rotateLogs(options: { readonly path: string; readonly filesMax: number }): void {
  const { path, filesMax } = options;
  const keep = keepName(path);
  const current = factsQuick(path);
  if (current === null) return;
  const held = factsQuick(keep);
  if (held !== null && held.inode === current.inode) return;
  if (held !== null) shift(path, keep, filesMax);
  linkQuick(path, keep);
}

function shift(path: string, keep: string, filesMax: number): void {
  if (filesMax <= 1) return removeQuick(keep);
  removeQuick(`${path}.${filesMax - 1}`);
  for (let index = filesMax - 2; index >= 1; index -= 1) if (existsQuick(`${path}.${index}`)) renameQuick(`${path}.${index}`, `${path}.${index + 1}`);
  renameQuick(keep, `${path}.1`);
}

/** The files of a log, oldest first; the last is the one being written. */
export function logFiles(path: string): string[] {
  const rotated: string[] = [];
  for (let index = 1; existsQuick(`${path}.${index}`); index += 1) rotated.unshift(`${path}.${index}`);
  const current = factsQuick(path);
  const held = factsQuick(keepName(path));
  // Between the monitor's change of files and ours, the older one has only its second name.
  if (held !== null && held.inode !== current?.inode) rotated.push(keepName(path));
  return current === null ? rotated : [...rotated, path];
}

function keepName(path: string): string {
  return `${path}.keep`;
}
