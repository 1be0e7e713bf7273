import { execFile } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';

/** Tells whoever started the daemon that it answers: a line on a descriptor, or systemd's notification. */
export function tellReady(fd: number | null, notifySocket: string | undefined): void {
  if (fd !== null) {
    try {
      writeSync(fd, 'ready\n');
      closeSync(fd);
    } catch {
      // The starter has gone; there is nobody to tell.
    }
  }
  // NOTE: the notification is a datagram on a UNIX socket, which Node has no call for; it happens once in the daemon's life.
  if (notifySocket !== undefined) execFile('systemd-notify', ['--ready', `--pid=${process.pid}`], () => undefined);
}
