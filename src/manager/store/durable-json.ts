import { AppError } from '../../base/app-error.ts';
import type { Disk } from '../../os/disk.ts';

/** Writes a small file so that after a crash either the old or the new one is there, whole. */
export function writeJson(disk: Disk, dir: string, name: string, value: unknown): void {
  const part = `${dir}/${name}.part`;
  if (disk.exists(part)) disk.unlink(part);
  const file = disk.open(part, 'create');
  try {
    file.write(0, [new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)]);
    file.sync();
  } finally {
    file.close();
  }
  disk.rename(part, `${dir}/${name}`);
  disk.syncDir(dir);
}

/** `undefined` where there is no such file. Errors: MANAGER_STORE_DAMAGED. */
export function readJson(disk: Disk, dir: string, name: string): unknown {
  const path = `${dir}/${name}`;
  if (!disk.exists(path)) return undefined;
  const file = disk.open(path, 'read');
  try {
    return JSON.parse(new TextDecoder().decode(file.read(0, file.sizeBytes())));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AppError({ code: 'MANAGER_STORE_DAMAGED', message: `${path} is not readable: ${error.message}`, hint: 'restore a backup, or let this member join again: flotilla store recover --rejoin', cause: error });
  } finally {
    file.close();
  }
}
