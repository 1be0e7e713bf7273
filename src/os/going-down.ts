import { execFile } from 'node:child_process';

const answerMsMax = 5000;

/** Whether systemd is taking the machine down. False without systemd: then nobody can tell. */
export function isMachineGoingDown(): Promise<boolean> {
  return new Promise((resolve) => {
    // NOTE: it ends with 1 in every state but one, so only its word counts.
    execFile('systemctl', ['is-system-running'], { timeout: answerMsMax }, (_, answer) => resolve(answer.trim() === 'stopping'));
  });
}
