import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeWorld, type Ran, type World } from './world.ts';

// A machine that goes down in order: systemd ends the service, and containers end with it; the next boot brings them back.
const compose = `
name: ending
services:
  db: {image: busybox, command: [sh, -c, "trap 'echo ended in order; exit 0' INT; echo up; while :; do sleep 0.1; done"], stop_signal: SIGINT, restart: always}
  deaf: {image: busybox, command: [sleep, infinity], stop_grace_period: 1s, depends_on: [db], restart: unless-stopped}
  once: {image: busybox, command: ["true"]}
`;
let world: World;
let cwd: string;
let stopping: string;

beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'compose.yaml': compose });
  const bin = join(world.dir, 'bin');
  stopping = join(world.dir, 'stopping');
  mkdirSync(bin);
  writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\n[ "$1" = is-system-running ] || exit 1\n[ -e ${stopping} ] && { echo stopping; exit 1; }\necho running\n`);
  chmodSync(join(bin, 'systemctl'), 0o755);
  world.setEnv('PATH', `${bin}:${process.env['PATH'] ?? ''}`);
  await world.killDaemon();
  await ok('up', '-d');
}, 60_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

const ok = (...args: string[]): Promise<Ran> => world.ok(['compose', ...args], { cwd });

async function pidOf(service: string): Promise<number> {
  const [one] = JSON.parse((await world.ok(['inspect', `ending-${service}-1`])).stdout);
  return one.State.Pid;
}

/** SIGTERM, as systemd sends it, until the daemon is gone. */
async function endDaemon(): Promise<void> {
  const pid = await world.daemonPid();
  process.kill(pid, 'SIGTERM');
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000, interval: 20 }).toBe(false);
}

describe('a daemon that is ended', () => {
  test('alone leaves its containers running', async () => {
    const pids = [await pidOf('db'), await pidOf('deaf')];
    await endDaemon();
    expect(pids.map((pid) => existsSync(`/proc/${pid}`))).toEqual([true, true]);
    expect([await pidOf('db'), await pidOf('deaf')]).toEqual(pids);
  }, 30_000);

  test('with its machine ends them, each by its own signal; the next boot has them all again', async () => {
    const before = [await pidOf('db'), await pidOf('deaf')];
    writeFileSync(stopping, '');
    await endDaemon();
    expect(before.map((pid) => existsSync(`/proc/${pid}`))).toEqual([false, false]);
    rmSync(stopping);
    await world.reboot();
    await world.ok(['info']);
    await expect.poll(async () => (await ok('ps', '--services', '--status', 'running')).stdout.split('\n').sort(), { timeout: 20_000 }).toEqual(['', 'db', 'deaf']);
    expect((await ok('logs', '--no-log-prefix', 'db')).stdout).toBe('up\nended in order\nup\n');
    expect((await ok('ps', '-a', '--services')).stdout.split('\n').sort()).toEqual(['', 'db', 'deaf', 'once']);
  }, 60_000);
});
