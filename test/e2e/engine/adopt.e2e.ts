import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settledLeaks, takeTraces } from '../leak-check.ts';
import { dropRoots, newId, newRoots, openTestEngine } from './setup.ts';

test('a killed daemon stops no container; the next one has them all: running, ended meanwhile, waiting', async () => {
  const roots = newRoots();
  const scope = [roots.dataRoot, roots.cgroupParent];
  const before = takeTraces(scope);
  const [running = '', ending = '', waiting = ''] = [newId(), newId(), newId()];
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'adopt-child.ts'), roots.dataRoot, roots.runRoot, roots.cgroupParent, running, ending, waiting], { encoding: 'utf8', timeout: 60_000 });
  expect(child.signal, child.stderr).toBe('SIGKILL');
  const deadline = performance.now() + 20_000;
  while (!existsSync(join(roots.runRoot, 'exits', ending)) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  const state: unknown = JSON.parse(readFileSync(join(roots.dataRoot, 'containers', running, 'state.json'), 'utf8'));
  const startedMs = Number(readFileSync(join(roots.runRoot, 'bundles', running, 'started'), 'utf8'));

  const engine = await openTestEngine(roots);
  const info = engine.containers.get(running);
  expect(info).toMatchObject({ state: 'running', health: 'healthy', startedMs });
  expect(state).toMatchObject({ run: { pid: info?.pid } });
  expect(engine.containers.get(ending)).toMatchObject({ state: 'exited', exitCode: 9 });
  const lines: string[] = [];
  for await (const line of engine.containers.logs(ending, { follow: true, tailLines: null, sinceMs: null, untilMs: null })) lines.push(line.text);
  expect(lines).toEqual(['before', 'after']);
  expect(engine.containers.get(waiting)?.state).toBe('created');
  expect((await engine.containers.start(waiting)).state).toBe('running');

  // The probe goes on after the change of daemons.
  const known = engine.containers.get(running)?.healthLog.length ?? 0;
  while ((engine.containers.get(running)?.healthLog.length ?? 0) <= known && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(engine.containers.get(running)?.healthLog.length).toBeGreaterThan(known);

  for (const id of [running, ending, waiting]) await engine.containers.remove(id, { force: true, volumes: true });
  engine.containers.close();
  expect((await settledLeaks(before, scope)).filter((one) => !/cgroups: \S*\/flotilla-e2e-\w+$|descriptors/.test(one))).toEqual([]);
  dropRoots(roots);
});

test('after a reboot containers that ran are exited, and start again', async () => {
  const roots = newRoots();
  const id = newId();
  spawnSync(process.execPath, [join(import.meta.dirname, 'adopt-child.ts'), roots.dataRoot, roots.runRoot, roots.cgroupParent, id], { encoding: 'utf8', timeout: 60_000 });
  // Another boot: its id differs, and nothing of the old one runs.
  const pid = Number(readFileSync(join(roots.runRoot, 'bundles', id, 'conmon.pid'), 'utf8'));
  process.kill(Number(readFileSync(join(roots.runRoot, 'bundles', id, 'pid'), 'utf8')), 'SIGKILL');
  const deadline = performance.now() + 10_000;
  while (existsSync(`/proc/${pid}`) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  const { rmSync, writeFileSync } = await import('node:fs');
  rmSync(join(roots.runRoot, 'exits', id), { force: true });
  writeFileSync(join(roots.runRoot, 'boot'), 'another-boot');
  const path = join(roots.dataRoot, 'containers', id, 'state.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"another-boot"'));

  const engine = await openTestEngine(roots);
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exitCode: 255, pid: null });
  expect((await engine.containers.start(id)).state).toBe('running');
  await engine.containers.remove(id, { force: true, volumes: true });
  engine.containers.close();
  dropRoots(roots);
});
