import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { failpointNames } from '../../../src/engine/container/failpoint.ts';
import { settledLeaks, takeTraces } from '../leak-check.ts';
import { dropRoots, newRoots, openTestEngine } from './setup.ts';

/** Reached more than once in a life: also die at the second time. */
const twice = ['launch:begin', 'launch:rootfs', 'launch:mounts', 'launch:config', 'launch:spawned', 'launch:created', 'launch:recorded', 'start:requested', 'start:released', 'start:recorded', 'exit:seen', 'exit:recorded', 'exit:cleaned'];

describe('a daemon killed at any step leaves a container whole or gone', () => {
  const cases = [...failpointNames.map((name) => ({ name, nth: 1 })), ...twice.map((name) => ({ name, nth: 2 }))];
  test.for(cases)('$name, time $nth', async ({ name, nth }) => {
    const roots = newRoots();
    const scope = [roots.dataRoot, roots.cgroupParent];
    // The parent group, the run root and the descriptors of a first open stay; what is measured is what containers leave.
    (await openTestEngine(roots)).containers.close();
    const before = takeTraces(scope);
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'failpoint-child.ts'), roots.dataRoot, roots.runRoot, roots.cgroupParent, name, String(nth)], { encoding: 'utf8', timeout: 60_000 });
    expect(child.signal, `the child got past ${name}: ${child.stderr}`).toBe('SIGKILL');

    const engine = await openTestEngine(roots);
    for (const one of engine.containers.list()) {
      expect(engine.containers.spec(one.id)?.files).toHaveLength(1);
      expect(['created', 'running', 'exited']).toContain(one.state);
      expect((await engine.containers.start(one.id)).state).toBe('running');
      const session = await engine.containers.exec(one.id, { argv: ['cat', '/run/secrets/key'], environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false });
      let text = '';
      session.onOutput((_, chunk) => (text += Buffer.from(chunk).toString()));
      expect(await session.exitCode).toBe(0);
      expect(text).toBe('secret');
      await engine.containers.remove(one.id, { force: true, volumes: true });
    }
    expect(await engine.volumes.list()).toEqual([]);
    for (const dir of ['containers', 'rootfs', 'run/bundles', 'run/exits']) expect(existsSync(join(roots.dataRoot, dir)) ? readdirSync(join(roots.dataRoot, dir)) : [], dir).toEqual([]);
    engine.containers.close();
    expect((await settledLeaks(before, scope)).filter((one) => !/cgroups: \S*\/flotilla-e2e-\w+$/.test(one))).toEqual([]);
    dropRoots(roots);
  });
});

test('a container whose spec did not get to the disk in time leaves no volume behind', async () => {
  const roots = newRoots();
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'failpoint-child.ts'), roots.dataRoot, roots.runRoot, roots.cgroupParent, 'launch:begin'], { encoding: 'utf8', timeout: 60_000 });
  expect(child.signal, child.stderr).toBe('SIGKILL');
  const [id = ''] = readdirSync(join(roots.dataRoot, 'containers'));
  rmSync(join(roots.dataRoot, 'containers', id, 'spec.json'), { force: true });
  expect(readdirSync(join(roots.dataRoot, 'volumes'))).toHaveLength(2);
  const engine = await openTestEngine(roots);
  expect(await engine.volumes.list()).toEqual([]);
  expect(readdirSync(join(roots.dataRoot, 'containers'))).toEqual([]);
  engine.containers.close();
  dropRoots(roots);
});
