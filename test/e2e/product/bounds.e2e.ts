import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../../src/base/app-error.ts';
import { readBackup } from '../../../src/manager/store/ops/backup.ts';
import type { Deployment } from '../../../src/model/deployment.ts';
import { objectKinds } from '../../../src/model/objects.ts';
import { createApiClient } from '../../../src/wire/http-client.ts';
import { plainOptions } from '../../cluster/world.ts';
import { loadFiles } from '../../spec/load-files.ts';
import { useWorld } from './use-world.ts';
import { eventually, type World } from './world.ts';

// What a daemon costs stays bounded: under crash loops, under many commands at once, and where descriptors are few.
let world: World;
useWorld((made) => void (world = made), 120_000);

type Costs = { readonly residentMb: number; readonly descriptors: number; readonly storeObjects: number; readonly storeMb: number; readonly daemonLogMb: number; readonly containerMb: number };

async function costs(): Promise<Costs> {
  const pid = await world.daemonPid();
  const megabytes = (path: string): number => (existsSync(path) ? Number(execFileSync('du', ['-sk', path], { encoding: 'utf8' }).split('\t')[0]) / 1024 : 0);
  const { view } = await storeState();
  return {
    residentMb: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    storeObjects: objectKinds.reduce((sum, kind) => sum + view.tables[kind].size, 0),
    storeMb: megabytes(join(world.dir, 'root', 'store')),
    daemonLogMb: statSync(join(world.dir, 'root', 'daemon.log')).size / 1e6,
    containerMb: megabytes(join(world.dir, 'root', 'engine', 'containers')),
  };
}

/** What the store holds now, by a backup of it. */
async function storeState(): Promise<ReturnType<typeof readBackup>['state']> {
  const path = join(world.dir, `backup-${performance.now()}`);
  await api().call('POST', '/v1/store/backup', { path });
  try {
    return readBackup(path).state;
  } finally {
    rmSync(path);
  }
}

function api(): ReturnType<typeof createApiClient> {
  return createApiClient({ socketPath: join(world.dir, 'run', 'flotilla.sock') });
}

function deploymentOf(name: string, text: string): Deployment {
  const loaded = loadFiles({ 'compose.yaml': text }, { projectName: { name, isExplicit: true } });
  if (loaded.kind !== 'loaded') throw new Error(JSON.stringify(loaded));
  const { project } = loaded;
  return { project, workingDir: '/', configFiles: ['/compose.yaml'], serviceHashes: Object.fromEntries(Object.keys(project.services).map((one) => [one, one])), secretData: {}, configData: {}, disabledServices: [], options: plainOptions };
}

/** As the command does, without a process for each: answers null, or the code of what was refused. */
async function ask(project: string, verb: string, body: unknown): Promise<string | null> {
  try {
    for await (const _ of api().lines('POST', `/v1/projects/${project}/${verb}`, body)) void _;
    return null;
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
}

describe('a service that ends at once, again and again', () => {
  test('costs the same after 200 restarts as after the first ones', { timeout: 300_000 }, async () => {
    const cwd = world.project({
      'compose.yaml': 'services:\n  loop:\n    image: busybox\n    command: [sh, -c, "echo run >> /data/runs; echo it ends at once; exit 1"]\n    volumes: ["./data:/data"]\n    stop_signal: KILL\n    deploy: {restart_policy: {condition: any, delay: 1ms}}\n',
      'data/runs': '',
    });
    const runs = (): number => readFileSync(join(cwd, 'data', 'runs'), 'utf8').split('\n').length - 1;
    await world.ok(['compose', 'up', '-d'], { cwd });
    await eventually(runs, (count) => count >= 40, 120_000);
    const before = await costs();
    const first = runs();
    await eventually(runs, (count) => count >= first + 200, 250_000);
    const after = await costs();
    if (process.env['SHOW_COSTS'] !== undefined) process.stderr.write(`${JSON.stringify({ before, after })}\n`);
    const ps: unknown = JSON.parse((await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.trim().split('\n')[0] ?? '');
    expect(ps).toMatchObject({ Service: 'loop' });
    // A restart is a fact of the one task there is, not a task more.
    expect(after.storeObjects, JSON.stringify({ before, after })).toBe(before.storeObjects);
    expect(after.descriptors - before.descriptors, JSON.stringify({ before, after })).toBeLessThan(10);
    expect(after.residentMb - before.residentMb, JSON.stringify({ before, after })).toBeLessThan(30);
    expect(after.containerMb - before.containerMb, JSON.stringify({ before, after })).toBeLessThan(1);
    // The log of the store is cut behind its snapshots; 200 restarts are not yet one.
    expect(after.storeMb, JSON.stringify({ before, after })).toBeLessThan(40);
    expect((after.daemonLogMb - before.daemonLogMb) / 200, 'log of the daemon for each restart').toBeLessThan(0.005);
    await world.ok(['compose', 'down', '-t', '0'], { cwd });
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('fifty applications at once', () => {
  test('come up and go down, and nothing of them is left', { timeout: 300_000 }, async () => {
    const names = Array.from({ length: 50 }, (_, index) => `crowd${index}`);
    const before = await costs();
    const ups = await Promise.all(names.map((name) => ask(name, 'up', { deployment: deploymentOf(name, 'services: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}'), goal: 'started', timeoutMs: 240_000 })));
    expect(ups.filter((one) => one !== null)).toEqual([]);
    expect((await storeState()).view.tables.project.size).toBe(50);
    const downs = await Promise.all(names.map((name) => ask(name, 'down', { services: [], volumes: true, removeOrphans: true, graceMs: 0 })));
    expect(downs.filter((one) => one !== null)).toEqual([]);
    expect(await world.leftovers()).toEqual([]);
    const after = await costs();
    expect(after.storeObjects).toBe(before.storeObjects);
    expect(after.descriptors - before.descriptors).toBeLessThan(10);
  });
});

describe('where descriptors are few', () => {
  test('what can not be had is refused with a code, nothing leaks, and there is room again afterwards', { timeout: 240_000 }, async () => {
    const pid = String(await world.daemonPid());
    const before = await costs();
    // NOTE: the soft limit alone: who may not raise the hard one can give it back.
    const hard = /Max open files\s+\d+\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? '';
    const limit = before.descriptors + 200;
    execFileSync('prlimit', ['--pid', pid, `--nofile=${limit}:`]);
    const ports = deploymentOf('ports', 'services: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL, ports: ["23000-23199:1000-1199"]}}');
    const code = await ask('ports', 'up', { deployment: ports, goal: 'started', timeoutMs: 20_000 });
    expect(code).toBe('NET_NO_DESCRIPTOR');
    expect(await ask('ports', 'down', { services: [], volumes: true, removeOrphans: true, graceMs: 0 })).toBeNull();
    // Many at once, each with its own descriptors for a while: whatever is refused has a code.
    const names = Array.from({ length: 12 }, (_, index) => `few${index}`);
    const codes = await Promise.all(names.map((name) => ask(name, 'up', { deployment: deploymentOf(name, 'services: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}'), goal: 'started', timeoutMs: 60_000 })));
    for (const one of codes) if (one !== null) expect(one).not.toMatch(/BASE_INTERNAL|Error/);
    for (const name of names) expect(await ask(name, 'down', { services: [], volumes: true, removeOrphans: true, graceMs: 0 })).toBeNull();
    expect(Number(await world.daemonPid())).toBe(Number(pid));
    execFileSync('prlimit', ['--pid', pid, `--nofile=${hard}:`]);
    expect(await ask('ports', 'up', { deployment: ports, goal: 'started', timeoutMs: 60_000 })).toBeNull();
    expect(await ask('ports', 'down', { services: [], volumes: true, removeOrphans: true, graceMs: 0 })).toBeNull();
    expect(await world.leftovers()).toEqual([]);
    expect((await costs()).descriptors - before.descriptors).toBeLessThan(10);
  });
});
