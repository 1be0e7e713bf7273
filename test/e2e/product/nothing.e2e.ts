import { expect, test } from 'vitest';
import { useWorld } from './use-world.ts';
import type { World } from './world.ts';

// Commands that find nothing to act on. Source: Docker Compose 2.40, side by side.
let world: World;
useWorld((made) => void (world = made));

test.for([['services: {}'], ['services: {a: {image: busybox, profiles: [x]}}']] as const)('up of %j: no service is selected', async ([text]) => {
  const cwd = world.project({ 'compose.yaml': text });
  for (const args of [['up', '-d'], ['up']]) {
    const ran = await world.run(['compose', ...args], { cwd, timeoutMs: 20_000 });
    expect(ran.stderr).toContain('no service selected');
    expect(ran.stderr).toContain('CLI_NO_SERVICE_SELECTED');
    expect(ran.code).toBe(1);
  }
});

test('what is not deployed can be stopped, restarted and taken down, and can not be started', async () => {
  const cwd = world.project({ 'compose.yaml': 'name: nothing\nservices: {a: {image: busybox}}' });
  for (const args of [['stop'], ['restart'], ['stop', 'a'], ['restart', 'a']]) expect((await world.ok(['compose', ...args], { cwd })).stderr).toBe('');
  for (const args of [['down'], ['down', '-v'], ['down', 'a'], ['-p', 'nothing', 'down']]) expect((await world.ok(['compose', ...args], { cwd })).stderr).toContain('No resource found to remove for project "nothing"');
  for (const args of [['stop', 'b'], ['restart', 'b'], ['down', 'b'], ['start']]) expect((await world.run(['compose', ...args], { cwd })).code, args.join(' ')).toBe(1);
});

test('ps: the fields of Compose, and every filter counts', async () => {
  const cwd = world.project({ 'compose.yaml': 'services: {job: {image: busybox, command: [echo, done]}, web: {image: busybox, command: [sleep, "1000"], stop_signal: KILL, depends_on: {job: {condition: service_completed_successfully}}}}' });
  await world.ok(['compose', 'up', '-d'], { cwd });
  const ps = async (...args: string[]): Promise<{ readonly ID: string; readonly Service: string; readonly CreatedAt: string }[]> => (await world.ok(['compose', 'ps', '--format', 'json', ...args], { cwd })).stdout.trim().split('\n').map((line) => JSON.parse(line));
  const [short] = await ps();
  const [full] = await ps('--no-trunc');
  expect(short?.ID).toMatch(/^[0-9a-f]{12}$/);
  expect(full?.ID).toMatch(new RegExp(`^${short?.ID ?? ''}[0-9a-f]{52}$`));
  expect(short?.CreatedAt).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$/);
  expect((await ps('--filter', 'status=exited', '--filter', 'status=running')).map((row) => row.Service).sort()).toEqual(['job', 'web']);
  expect((await ps('--filter', 'status=exited')).map((row) => row.Service)).toEqual(['job']);
  expect((await world.run(['compose', 'ps', '--filter', 'name=x', '--filter', 'status=running'], { cwd })).code).toBe(3);
  await world.ok(['compose', 'down'], { cwd });
});
