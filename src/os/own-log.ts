import { copyFileSync, fstatSync, ftruncateSync, renameSync, rmSync, statSync } from 'node:fs';
import { writeNow } from './output-fd.ts';

/** The size is looked at once for so many bytes of our own: others may write to the descriptor, too (a crash of the runtime). */
const lookEveryBytes = 64 * 1024;

/**
 * Writes the log of this process to a descriptor, line by line and at once. What can't be written is dropped and counted: neither a
 * full disk nor a reader that has gone may end a daemon, and `lost` says so as soon as there is room again.
 * In: `file`, where the descriptor is a file of ours that was opened for appending, is kept below `bytesMax`: it is copied to
 * `FILE.1` and begun anew, so there are never more than two of that size. null: somebody else keeps the log.
 */
export function openOwnLog(options: { readonly fd: number; readonly file: string | null; readonly bytesMax: number; readonly lost: (lines: number) => string }): (line: string) => void {
  const { fd, file, bytesMax } = options;
  const encoder = new TextEncoder();
  let sinceLook = Number.POSITIVE_INFINITY;
  let lostLines = 0;
  const write = (text: string): boolean => {
    const bytes = encoder.encode(text);
    if (file !== null && (sinceLook += bytes.length) >= Math.min(lookEveryBytes, bytesMax / 8)) {
      sinceLook = 0;
      beginAnewIfFull({ fd, file, bytesMax });
    }
    let isFailed = false;
    const rest = writeNow(fd, bytes, () => (isFailed = true));
    return !isFailed && rest.length === 0;
  };
  return (line) => {
    if (lostLines > 0 && write(options.lost(lostLines))) lostLines = 0;
    if (lostLines > 0 || !write(line)) lostLines += 1;
  };
}

/** NOTE: copied and cut, not renamed: the descriptor is also the runtime's, which writes its last words there. */
function beginAnewIfFull(options: { readonly fd: number; readonly file: string; readonly bytesMax: number }): void {
  const { fd, file, bytesMax } = options;
  try {
    const now = fstatSync(fd);
    if (!now.isFile() || now.size < bytesMax) return;
    keepCopy(file, now.ino);
    ftruncateSync(fd, 0);
  } catch {
    // A log that can't be cut is written on: the next look tries again.
  }
}

/** The bound goes before the past: where there is no room for a copy, there is none. */
function keepCopy(file: string, inode: number): void {
  const part = `${file}.1.part`;
  try {
    if (statSync(file).ino !== inode) return;
    copyFileSync(file, part);
    renameSync(part, `${file}.1`);
  } catch {
    rmSync(part, { force: true });
  }
}
