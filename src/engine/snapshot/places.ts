import { join } from 'node:path';
import { makeDirExact, ownerAndMode, setOwnerAndMode, writeFresh } from '../../os/quick-files.ts';

/** What every container has mounted or filled by the engine and the runtime. */
const dirs = ['', 'dev', 'etc', 'proc', 'sys'];
const files = ['etc/hosts', 'etc/hostname', 'etc/resolv.conf'];

/**
 * Makes a layer of nothing but the places that something is mounted on in every container. Below an image's layers it gives what the image
 * lacks, and what the image has hides it: so no container needs to have them made in a layer of its own.
 * It needs no trip to the disk: whoever mounts it has called this in the same boot.
 */
export function makePlaces(layer: string): void {
  for (const name of dirs) makeDirExact(join(layer, name), 0o755);
  for (const name of files) {
    const path = join(layer, name);
    if (ownerAndMode(path) === null) writeFresh(path, '');
    // NOTE: not cut by the umask.
    setOwnerAndMode(path, ownerAndMode(path) ?? { uid: 0, gid: 0 }, 0o644);
  }
}
