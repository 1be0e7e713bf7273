import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ContainerMount, ContainerSpec } from '../../../src/model/container-spec.ts';
import { settledLeaks, takeTraces } from '../leak-check.ts';
import type { Traces } from '../leak-check.ts';
import { dropRoots, newId, newRoots, openTestEngine, specOf } from './setup.ts';
import type { TestRoots } from './setup.ts';

// A container is created ahead of its gate. Here each is created before the one that makes what it needs has run.
type Opened = Awaited<ReturnType<typeof openTestEngine>>;
let roots: TestRoots;
let engine: Opened;
let before: Traces;

beforeAll(async () => {
  roots = newRoots();
  engine = await openTestEngine(roots);
  await runToEnd({ command: ['true'] });
  for (const one of engine.containers.list()) await engine.containers.remove(one.id, { force: true, volumes: true });
  before = takeTraces([roots.dataRoot, roots.cgroupParent]);
});
afterEach(async () => {
  for (const one of engine.containers.list()) await engine.containers.remove(one.id, { force: true, volumes: true });
  for (const one of await engine.volumes.list()) await engine.volumes.remove(one.name);
  expect(await settledLeaks(before, [roots.dataRoot, roots.cgroupParent])).toEqual([]);
});
afterAll(() => {
  engine.containers.close();
  dropRoots(roots);
});

const volume = (target: string, more: Partial<Extract<ContainerMount, { kind: 'volume' }>> = {}): ContainerMount => ({ kind: 'volume', volumeName: 'shared', target, readOnly: false, noCopy: false, subpath: null, ...more });
const bind = (source: string, target: string, createHostPath: boolean = true): ContainerMount => ({ kind: 'bind', source, target, readOnly: false, createHostPath, isRecursive: true, propagation: '' });

async function create(more: Partial<ContainerSpec>): Promise<string> {
  const id = newId();
  await engine.containers.create(id, specOf(more));
  return id;
}
async function startToEnd(id: string): Promise<{ readonly out: string; readonly exitCode: number | null }> {
  await engine.containers.start(id);
  let out = '';
  for await (const line of engine.containers.logs(id, { follow: true, tailLines: null, sinceMs: null, untilMs: null })) out += `${line.text}\n`;
  return { out: out.trimEnd(), exitCode: engine.containers.get(id)?.exitCode ?? null };
}
async function runToEnd(more: Partial<ContainerSpec>): Promise<void> {
  expect((await startToEnd(await create(more))).exitCode).toBe(0);
}

test('a subpath of a volume is looked for at the start, when what makes it has run', async () => {
  const late = await create({ mounts: [volume('/sub', { subpath: 'inner' })], command: ['cat', '/sub/seeded'] });
  await runToEnd({ mounts: [volume('/data')], command: ['sh', '-c', 'mkdir /data/inner && echo yes > /data/inner/seeded'] });
  expect(await startToEnd(late)).toEqual({ out: 'yes', exitCode: 0 });
});

test('a subpath that nobody made is refused at the start, every time; the container stays as it is and starts once it is there', async () => {
  const late = await create({ mounts: [volume('/sub', { subpath: 'inner' })], command: ['true'] });
  for (let time = 0; time < 2; time += 1) await expect(engine.containers.start(late)).rejects.toMatchObject({ code: 'ENGINE_MOUNT_SOURCE' });
  expect(engine.containers.get(late)).toMatchObject({ state: 'created', pid: null });
  await runToEnd({ mounts: [volume('/data')], command: ['mkdir', '/data/inner'] });
  expect((await startToEnd(late)).exitCode).toBe(0);
});

test('a subpath that turned into a way out of the volume leads nowhere', async () => {
  const secret = join(roots.dataRoot, 'secret');
  mkdirSync(secret, { recursive: true });
  writeFileSync(join(secret, 'key'), 'of the host');
  const late = await create({ mounts: [volume('/sub', { subpath: 'inner' })], command: ['cat', '/sub/key'] });
  await runToEnd({ mounts: [volume('/data')], command: ['ln', '-s', secret, '/data/inner'] });
  await expect(engine.containers.start(late)).rejects.toMatchObject({ code: 'ENGINE_MOUNT_SOURCE' });
});

test('what a dependency put into a volume is not joined by what the image has there', async () => {
  const late = await create({ mounts: [volume('/data')], command: ['ls', '/data'] });
  await runToEnd({ mounts: [volume('/seed')], command: ['touch', '/seed/mine'] });
  expect(await startToEnd(late)).toEqual({ out: 'mine', exitCode: 0 });
});

test('a volume that is empty still gets what the image has, though others have it: they see it, and what they did to the directory stays', async () => {
  const watcher = await create({ mounts: [volume('/seen')], command: ['sh', '-c', 'chown 7:8 /seen; while [ ! -e /seen/file.txt ]; do sleep 0.02; done; cat /seen/file.txt'] });
  await engine.containers.start(watcher);
  const { mountpoint } = (await engine.volumes.get('shared')) ?? { mountpoint: '' };
  await until(() => statSync(mountpoint).uid === 7);
  const late = await create({ mounts: [volume('/data')], command: ['ls', '/data'] });
  expect(await startToEnd(late)).toEqual({ out: 'file.txt\nlink\nsub', exitCode: 0 });
  expect(statSync(mountpoint).uid).toBe(7);
  expect(statSync(join(mountpoint, 'file.txt')).uid).toBe(1000);
  expect(await logsOf(watcher)).toBe('from the image');
});

test('only the first start fills a volume: what was emptied stays empty when the container starts again', async () => {
  const id = await create({ mounts: [volume('/data')], command: ['sh', '-c', 'ls /data | wc -l; rm -rf /data/*'] });
  expect((await startToEnd(id)).out).toBe('3');
  expect((await startToEnd(id)).out).toBe('3\n0');
});

test('a fill that a crash cut short is finished at the next open', async () => {
  await engine.volumes.create({ name: 'shared', driver: 'local', labels: {}, options: {} });
  const { mountpoint } = (await engine.volumes.get('shared')) ?? { mountpoint: '' };
  const fill = join(mountpoint, '..', '_data.fill');
  mkdirSync(fill);
  writeFileSync(join(mountpoint, 'moved'), 'first');
  writeFileSync(join(fill, 'rest'), 'second');
  engine.containers.close();
  engine = await openTestEngine(roots);
  expect([readFileSync(join(mountpoint, 'moved'), 'utf8'), readFileSync(join(mountpoint, 'rest'), 'utf8'), existsSync(fill)]).toEqual(['first', 'second', false]);
});

test('the path of a bind mount is made at the start only: what makes it a file comes first', async () => {
  const work = join(roots.dataRoot, 'work');
  mkdirSync(work, { recursive: true });
  const late = await create({ mounts: [bind(join(work, 'out'), '/in')], command: ['cat', '/in'] });
  expect(existsSync(join(work, 'out'))).toBe(false);
  await runToEnd({ mounts: [bind(work, '/shop')], command: ['sh', '-c', 'echo made > /shop/out'] });
  expect(await startToEnd(late)).toEqual({ out: 'made', exitCode: 0 });
});

test('a bound directory that was made anew meanwhile is the one that is mounted', async () => {
  const work = join(roots.dataRoot, 'again');
  mkdirSync(join(work, 'dir'), { recursive: true });
  const late = await create({ mounts: [bind(join(work, 'dir'), '/in', false)], command: ['ls', '/in'] });
  await runToEnd({ mounts: [bind(work, '/shop')], command: ['sh', '-c', 'rm -r /shop/dir; mkdir /shop/dir; touch /shop/dir/new'] });
  expect(await startToEnd(late)).toEqual({ out: 'new', exitCode: 0 });
});

test('a container that is to share processes may be created before the other runs, and joins the ones that run when it starts', async () => {
  const other = await create({ command: ['sleep', '1000'] });
  const late = await create({ namespaces: { ...specOf().namespaces, pid: { kind: 'container', containerId: other } }, command: ['sh', '-c', 'ps | grep -c "[s]leep 1000"'] });
  await engine.containers.start(other);
  expect(await startToEnd(late)).toEqual({ out: '1', exitCode: 0 });
});

test('what waits for nobody is ready before its start: its process stands', async () => {
  const id = await create({ mounts: [volume('/own', { volumeName: '' })] });
  expect(existsSync(join(roots.runRoot, 'bundles', id, 'pid'))).toBe(true);
});

test('a container that can be made but not launched leaves no volume behind, and says nothing of one in use', async () => {
  const id = newId();
  await expect(engine.containers.create(id, specOf({ mounts: [volume('/own', { volumeName: '' })], user: 'nobody-knows-me' }))).rejects.toMatchObject({ code: 'ENGINE_USER_UNKNOWN' });
  expect(await engine.volumes.list()).toEqual([]);
});

async function logsOf(id: string): Promise<string> {
  let out = '';
  for await (const line of engine.containers.logs(id, { follow: true, tailLines: null, sinceMs: null, untilMs: null })) out += line.text;
  return out;
}
async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
