import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isOnTmpfs } from '../../../src/os/quick-files.ts';
import { home, makeWorld, type World } from './world.ts';

// What the host gains while the daemon runs.
let world: World;
const link = `fvpn${process.pid}`.slice(0, 14);

beforeAll(async () => {
  world = await makeWorld();
}, 60_000);
afterAll(async () => {
  try {
    execFileSync('ip', ['link', 'del', link], { stdio: 'ignore' });
  } catch {
    // It was never made.
  }
  expect(await world.close()).toEqual([]);
}, 60_000);

async function subnetOf(cwd: string): Promise<string> {
  const { stdout } = await world.ok(['compose', 'exec', '-T', 'a', 'sh', '-c', 'ip -4 -o addr show eth0 || hostname -i'], { cwd });
  return /(\d+\.\d+\.\d+)\.\d+/.exec(stdout)?.[1] ?? stdout;
}

test('a new network keeps clear of a subnet that came with a VPN after the daemon was started', async () => {
  const cwd = world.project({ 'compose.yaml': 'services: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
  await world.ok(['compose', 'up', '-d'], { cwd });
  const before = await subnetOf(cwd);
  await world.ok(['compose', 'down'], { cwd });
  execFileSync('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}b`]);
  execFileSync('ip', ['addr', 'add', `${before}.201/25`, 'dev', link]);
  execFileSync('ip', ['link', 'set', link, 'up']);
  await world.ok(['compose', 'up', '-d'], { cwd });
  expect(await subnetOf(cwd)).not.toBe(before);
  await world.ok(['compose', 'down'], { cwd });
  execFileSync('ip', ['link', 'del', link]);
  await world.ok(['compose', 'up', '-d'], { cwd });
  expect(await subnetOf(cwd)).toBe(before);
  await world.ok(['compose', 'down'], { cwd });
});

test('doctor tells of a network that a VPN meets that came up later, and how it is mended', async () => {
  const cwd = world.project({ 'compose.yaml': 'name: early\nservices: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
  await world.ok(['compose', 'up', '-d'], { cwd });
  const subnet = await subnetOf(cwd);
  expect((await world.run(['doctor'])).stdout).toContain('✔ subnets: ');
  execFileSync('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}b`]);
  execFileSync('ip', ['addr', 'add', `${subnet}.201/25`, 'dev', link]);
  execFileSync('ip', ['link', 'set', link, 'up']);
  const told = await world.run(['doctor']);
  expect(told.stdout).toContain(`! subnets: network early_default (${subnet}.0/24) meets ${subnet}.128/25`);
  expect(told.stdout).toContain('mend it: make it anew, it gets a free one: flotilla compose -p early down, then up -d');
  await world.ok(['compose', 'down'], { cwd });
  await world.ok(['compose', 'up', '-d'], { cwd });
  expect((await world.run(['doctor'])).stdout).toContain('✔ subnets: ');
  await world.ok(['compose', 'down'], { cwd });
  execFileSync('ip', ['link', 'del', link]);
});

test('doctor tells of a run directory on a disk', async () => {
  const doctor = async (runDir: string): Promise<string> => (await world.run(['doctor'], { env: { FLOTILLA_RUN: runDir } })).stdout;
  expect(await doctor('/dev/shm/flotilla-none')).toContain('✔ run directory: /dev/shm/flotilla-none is on a tmpfs');
  // Where temporary files lie in memory, other places don't.
  const onDisk = ['/var/lib', '/var/tmp', home, '/'].find((dir) => !isOnTmpfs(dir));
  if (onDisk === undefined) throw new Error('nothing here is on a disk');
  expect(await doctor(join(onDisk, 'flotilla-none'))).toMatch(/! run directory: .*flotilla-none is on a disk; .*\n {4}mend it: let FLOTILLA_RUN name a directory on a tmpfs/);
});

test('doctor tells of a first process that buries nobody', async () => {
  expect((await world.run(['doctor'])).stdout).toContain('✔ ended processes are reaped: yes');
  // Node waits for its own children only.
  const first = `require('child_process').spawn(${JSON.stringify(`${home}/bin/flotilla`)}, ['doctor'], { stdio: 'inherit' }).on('exit', () => process.exit(0))`;
  const told = execFileSync('unshare', ['--pid', '--fork', '--mount-proc', process.execPath, '-e', first], { encoding: 'utf8' });
  expect(told).toMatch(/! ended processes are reaped: process 1 \(.+\) leaves them as zombies, and containers can't end\n {4}mend it: .*--init/);
});

test('a daemon with another data directory leaves a run directory alone that is in use', async () => {
  const cwd = world.project({ 'compose.yaml': 'services: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
  await world.ok(['compose', 'up', '-d'], { cwd });
  const before = await world.ok(['ps', '-q']);
  const other = await world.run(['daemon'], { env: { FLOTILLA_ROOT: join(world.dir, 'other-root') } });
  expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining(`OS_DATA_DIR_LOCKED: the run directory ${join(world.dir, 'run')} is in use by process ${await world.daemonPid()}`) });
  expect((await world.ok(['ps', '-q'])).stdout).toBe(before.stdout);
  expect((await world.ok(['compose', 'exec', '-T', 'a', 'echo', 'here'], { cwd })).stdout).toBe('here\n');
  await world.ok(['compose', 'down'], { cwd });
});

test('commands that find no daemon start one, however many they are at a time', async () => {
  await world.killDaemon();
  // `ls` asks two questions at a time.
  const ran = await Promise.all([world.run(['compose', 'ls', '-a']), world.run(['ps']), world.run(['compose', 'ls'])]);
  expect(ran.map((one) => one.stderr)).toEqual(['', '', '']);
  expect(ran.map((one) => one.code)).toEqual([0, 0, 0]);
});
