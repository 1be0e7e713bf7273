import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failpointNames } from '../../../src/engine/container/failpoint.ts';
import { freePorts } from '../free-ports.ts';
import { makeWorld, type World } from './world.ts';

// The daemon dies by SIGKILL at every step of `up` and `down` (issue 2, faults): the next command settles what was half done.
let world: World;
let cwd: string;
let upMs = 0;
let downMs = 0;
const port = await freePorts(1);

const compose = `
services:
  web:
    image: busybox
    command: [sleep, infinity]
    ports: ["${port}:80"]
    networks: [front]
    depends_on: {api: {condition: service_healthy}, job: {condition: service_completed_successfully}}
    stop_signal: SIGKILL
  api:
    image: busybox
    init: true
    command: [sh, -c, "cat /run/secrets/token /settings > /tmp/ready; exec sleep infinity"]
    secrets: [token]
    configs: [{source: settings, target: /settings}]
    networks: [front, back]
    depends_on: [db]
    healthcheck: {test: [CMD, grep, -q, hidden, /tmp/ready], interval: 1s, start_period: 10s, start_interval: 50ms}
    stop_signal: SIGKILL
  db:
    image: busybox
    command: [sleep, infinity]
    volumes: [data:/data, /scratch]
    networks: [back]
    stop_signal: SIGKILL
  job:
    image: busybox
    command: [sh, -c, "echo done >> /data/jobs"]
    volumes: [data:/data]
    networks: [back]
    depends_on: [db]
networks: {front: {}, back: {internal: true}}
volumes: {data: {}}
secrets: {token: {file: ./token.txt}}
configs: {settings: {content: "colour: blue"}}
`;

beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'compose.yaml': compose, 'token.txt': 'hidden\n' });
  upMs = (await world.ok(['compose', 'up', '-d', '--wait'], { cwd })).wallMs;
  downMs = (await world.ok(['compose', 'down', '-v'], { cwd })).wallMs;
  expect(await remains()).toEqual([]);
}, 60_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

/** A command whose daemon may die under it: it ends by itself, soon, and says so by an error with a code. */
async function interrupted(args: readonly string[], meanwhile: () => Promise<void>): Promise<void> {
  const [ran] = await Promise.all([world.run(args, { cwd, timeoutMs: 20_000 }), meanwhile()]);
  if (ran.code !== 0) {
    expect(ran.code, ran.stderr).toBeLessThan(5);
    expect(ran.stderr, `${args.join(' ')} ended with ${ran.code}`).toMatch(/WIRE_LOST|WIRE_NO_DAEMON|CLI_DAEMON_NOT_STARTED|OS_DAEMON_START/);
  }
}

async function settlesUp(): Promise<void> {
  const ran = await world.run(['compose', 'up', '-d', '--wait'], { cwd, timeoutMs: 30_000 });
  expect(ran.code, ran.stderr).toBe(0);
  const rows = (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.trim().split('\n').map((line): { Service: string; State: string; Health: string; ExitCode: number } => JSON.parse(line));
  expect(rows.map((row) => `${row.Service} ${row.State} ${row.Health} ${row.ExitCode}`).sort()).toEqual(['api running healthy 0', 'db running  0', 'job exited  0', 'web running  0']);
}

async function settlesDown(): Promise<void> {
  const ran = await world.run(['compose', 'down', '-v'], { cwd, timeoutMs: 30_000 });
  expect(ran.code, ran.stderr).toBe(0);
  expect(await remains()).toEqual([]);
}

/** In the kernel, among the processes, and on the disk. */
async function remains(): Promise<string[]> {
  const { dir } = world;
  const engine = join(dir, 'root', 'engine');
  const files = ['containers', 'volumes', 'snapshots/active'].flatMap((folder) => names(join(engine, folder)).map((name) => `${folder}/${name}`));
  const run = names(join(dir, 'run', 'engine')).flatMap((boot) => ['bundles', 'secrets', 'files', 'exits', 'runtime'].flatMap((folder) => names(join(dir, 'run', 'engine', boot, folder)).map((name) => `run ${folder}/${name}`)));
  return [...(await world.leftovers()), ...files, ...run];
}

function names(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

async function withFailpoint(name: string, act: () => Promise<void>): Promise<void> {
  await world.killDaemon();
  world.setEnv('FLOTILLA_FAILPOINT', name);
  try {
    await act();
  } finally {
    await world.killDaemon();
    world.setEnv('FLOTILLA_FAILPOINT', undefined);
  }
}

const nothing = async (): Promise<void> => undefined;

describe('the daemon is killed at a step of the engine', () => {
  test.for([...failpointNames])('%s: the next `up` and `down` settle it', { timeout: 60_000 }, async (name) => {
    const isOfUp = /^(?:create|launch|start|exit)/.test(name);
    if (isOfUp) await withFailpoint(name, () => interrupted(['compose', 'up', '-d'], nothing));
    // A restart of the world in between: `up` or, every other time, `down` is what settles it.
    if (!isOfUp || failpointNames.indexOf(name) % 2 === 0) await settlesUp();
    if (!isOfUp) await withFailpoint(name, () => interrupted(['compose', 'down', '-v'], nothing));
    await settlesDown();
  });
});

describe('the daemon is killed at any moment', () => {
  test.for(Array.from({ length: 24 }, (_, index) => index))('round %d', { timeout: 60_000 }, async (round) => {
    const part = dice(round);
    await interrupted(['compose', 'up', '-d'], () => killAfter(part * upMs));
    if (round % 3 !== 0) await settlesUp();
    if (round % 2 === 0) await interrupted(['compose', 'down', '-v'], () => killAfter(dice(round + 1000) * downMs));
    await settlesDown();
  });
});

async function killAfter(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  await world.killDaemon();
}

/** The same number in [0, 1) for the same seed. */
function dice(seed: number): number {
  let x = (seed + 1) * 0x9e3779b1;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
