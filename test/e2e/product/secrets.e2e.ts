import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useWorld } from './use-world.ts';
import { eventually, type World } from './world.ts';

// A run directory that is no tmpfs: what a secret holds still touches no disk, neither as it is nor in base64.
let world: World;
const tmpfsMagic = 0x01021994;
const canary = 'the-canary-is-yellow-and-sings';

useWorld((made) => void (world = made));

/** Files of the disk that hold the secret. A view without what is mounted on it shows what the disk has. */
function leaking(): string[] {
  const view = join(world.dir, 'view');
  mkdirSync(view, { recursive: true });
  execFileSync('mount', ['--bind', world.dir, view]);
  try {
    const forms = [canary, Buffer.from(`${canary}\n`).toString('base64').slice(0, 36)];
    return forms.flatMap((form) => {
      try {
        return execFileSync('grep', ['-rlaF', '--exclude-dir=projects', form, join(view, 'run'), join(view, 'root')], { encoding: 'utf8' }).trim().split('\n');
      } catch {
        return [];
      }
    });
  } finally {
    execFileSync('umount', [view]);
  }
}

test('secrets of a running application lie on no disk, survive the daemon, and leave nothing', async ({ skip }) => {
  if (statfsSync(world.dir).type === tmpfsMagic) skip('the folder for temporary files is in memory here');
  const cwd = world.project({
    'compose.yaml': 'services:\n  a:\n    image: busybox\n    command: [sh, -c, "wc -c /run/secrets/key; exec sleep infinity"]\n    secrets: [key]\n    stop_signal: KILL\nsecrets: {key: {file: key.txt}}\n',
    'key.txt': `${canary}\n`,
  });
  await world.ok(['compose', 'up', '-d'], { cwd });
  expect(leaking()).toEqual([]);
  expect(readFileSync(join(world.dir, 'root', 'daemon.log'), 'utf8')).toContain('AGENT_RUN_ON_DISK');
  await world.killDaemon();
  expect(leaking()).toEqual([]);
  // The next daemon has all of it from memory, and makes the container anew with its secret.
  await world.ok(['compose', 'up', '-d', '--force-recreate'], { cwd });
  await eventually(async () => (await world.ok(['compose', 'exec', '-T', 'a', 'cat', '/run/secrets/key'], { cwd })).stdout, (text) => text === `${canary}\n`);
  expect(readFileSync(join(world.dir, 'root', 'daemon.log'), 'utf8')).not.toContain('AGENT_SECRETS_NOT_KEPT');
  await world.ok(['compose', 'down'], { cwd });
  expect(leaking()).toEqual([]);
  expect(await world.leftovers()).toEqual([]);
});
