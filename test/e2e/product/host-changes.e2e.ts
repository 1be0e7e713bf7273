import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeWorld, type World } from './world.ts';

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
