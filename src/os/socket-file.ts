import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Listens on a UNIX socket that only root, and the group `flotilla` where there is one, can open. A socket that a dead daemon left
 * is replaced: the locks of the directories have already shown that no other lives.
 */
export async function listenOnSocket(path: string, listen: (path: string) => Promise<void>): Promise<{ readonly release: () => void }> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    await listen(path);
  } finally {
    process.umask(before);
  }
  const group = groupId('flotilla');
  if (group !== null) {
    chownSync(path, 0, group);
    chmodSync(path, 0o660);
  }
  return {
    release: () => {
      if (existsSync(path)) rmSync(path, { force: true });
    },
  };
}

function groupId(name: string): number | null {
  const line = readFileSync('/etc/group', 'utf8').split('\n').find((one) => one.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2] ?? Number.NaN);
  return Number.isInteger(id) ? id : null;
}
