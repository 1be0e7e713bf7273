import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useWorld } from './use-world.ts';
import { eventually, type World } from './world.ts';

// Compose specification, depends_on: what a dependency makes is there when the dependent starts. Here the dependency goes on only once its dependents are made.
let world: World;
useWorld((made) => void (world = made));

async function rows(cwd: string): Promise<string[]> {
  const lines = (await world.run(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line): { Service: string; State: string } => JSON.parse(line)).map((row) => `${row.Service} ${row.State}`).sort();
}

const compose = `
name: gated
services:
  seed:
    image: busybox
    entrypoint: [sh, -c]
    command: ["while [ ! -e /host/go ]; do sleep 0.02; done; mkdir /data/inner; touch /data/inner/seeded; echo made > /host/out"]
    volumes: ["data:/data", "./host:/host"]
  subpath: {image: busybox, command: [ls, /sub], depends_on: &after {seed: {condition: service_completed_successfully}}, volumes: [{type: volume, source: data, target: /sub, volume: {subpath: inner}}]}
  content: {image: busybox, command: [ls, /etc/again], depends_on: *after, volumes: ["data:/etc/again"]}
  bound: {image: busybox, command: [cat, /in], depends_on: *after, volumes: ["./host/out:/in"]}
volumes: {data: {}}
`;

test('containers that wait are made, but look at no volume and no path of the host before they start', async () => {
  const cwd = world.project({ 'compose.yaml': compose });
  mkdirSync(join(cwd, 'host'));
  const up = world.run(['compose', 'up', '-d'], { cwd, timeoutMs: 60_000 });
  await eventually(() => rows(cwd), (now) => ['bound created', 'content created', 'seed running', 'subpath created'].every((one) => now.includes(one)), 20_000);
  expect(existsSync(join(cwd, 'host/out'))).toBe(false);
  writeFileSync(join(cwd, 'host/go'), '');
  const ran = await up;
  expect({ code: ran.code, stderr: ran.stderr }).toMatchObject({ code: 0 });
  const logs = async (): Promise<string[]> => (await world.ok(['compose', 'logs', '--no-color'], { cwd })).stdout.trim().split('\n').map((line) => line.replace(/\s+/g, ' ')).sort();
  expect(await eventually(logs, (lines) => lines.length >= 3)).toEqual(['bound-1 | made', 'content-1 | inner', 'subpath-1 | seeded']);
  expect(statSync(join(cwd, 'host/out')).isFile()).toBe(true);
  await world.ok(['compose', 'down', '-v'], { cwd });
});

test('what fails at the start is told by `up`, and the next `up` tries again', async () => {
  const cwd = world.project({ 'compose.yaml': `
name: missing
services:
  seed: {image: busybox, command: [sleep, infinity], stop_signal: KILL, volumes: ["data:/data"]}
  late: {image: busybox, command: [sleep, infinity], stop_signal: KILL, depends_on: [seed], volumes: [{type: volume, source: data, target: /sub, volume: {subpath: inner}}]}
volumes: {data: {}}
` });
  const failed = await world.run(['compose', 'up', '-d'], { cwd });
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('ENGINE_MOUNT_SOURCE');
  expect((await world.run(['compose', 'up', '-d'], { cwd })).stderr).toContain('ENGINE_MOUNT_SOURCE');
  await world.ok(['compose', 'exec', '-T', 'seed', 'mkdir', '/data/inner'], { cwd });
  await world.ok(['compose', 'up', '-d'], { cwd });
  expect(await rows(cwd)).toEqual(['late running', 'seed running']);
  await world.ok(['compose', 'down', '-v'], { cwd });
  rmSync(cwd, { recursive: true });
});
