import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useWorld } from './use-world.ts';
import { eventually, type World } from './world.ts';

// What has ended runs again by `up`, `start` and `restart`, and by nothing else. Source: Docker Compose 2.40, side by side.
let world: World;
useWorld((made) => void (world = made));

const file = (web: string = ''): string => `
services:
  migrate: {image: busybox, volumes: [".:/x"], command: [sh, -c, "echo migrate >>/x/runs; sleep 0.3; test ! -e /x/fails"]}
  report: {image: busybox, volumes: [".:/x"], command: [sh, -c, "echo report >>/x/runs; exit 3"]}
  side: {image: busybox, stop_signal: KILL, command: [sleep, "1000"]}
  web: {image: busybox, stop_signal: KILL, volumes: [".:/x"], command: [sh, -c, "echo web >>/x/runs; exec sleep 1000"], restart: always, depends_on: {migrate: {condition: service_completed_successfully}}${web}}
`;
type Row = { readonly ID: string; readonly Service: string; readonly State: string; readonly ExitCode: number };

async function rows(cwd: string): Promise<Row[]> {
  return (await world.ok(['compose', 'ps', '-a', '--no-trunc', '--format', 'json'], { cwd })).stdout.split('\n').filter((line) => line !== '').map((line): Row => JSON.parse(line));
}
async function ids(cwd: string): Promise<Record<string, string>> {
  return Object.fromEntries((await rows(cwd)).map((row) => [row.Service, row.ID]));
}
function runs(cwd: string): string[] {
  const path = join(cwd, 'runs');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter((line) => line !== '') : [];
}
/** What has run since the last call. */
function fresh(cwd: string): string[] {
  const found = runs(cwd);
  writeFileSync(join(cwd, 'runs'), '');
  return found;
}

test('up again runs what has ended, in the same containers, awaits it, and leaves its neighbours alone', async () => {
  const cwd = world.project({ 'compose.yaml': file() });
  await world.ok(['compose', 'up', '-d'], { cwd });
  const before = await ids(cwd);
  expect(fresh(cwd).sort()).toEqual(['migrate', 'report', 'web']);
  const again = await world.ok(['compose', 'up', '-d'], { cwd });
  expect(again.stderr).toMatch(/side-1 +Running/);
  expect(fresh(cwd).sort()).toEqual(['migrate', 'report']);
  expect((await rows(cwd)).find((row) => row.Service === 'migrate')).toMatchObject({ State: 'exited', ExitCode: 0 });
  expect(await ids(cwd)).toEqual(before);
  await world.ok(['compose', 'up', '-d', '--no-deps', 'web'], { cwd });
  await world.ok(['compose', 'up', '-d', '--no-start'], { cwd });
  expect(fresh(cwd)).toEqual([]);
  await world.ok(['compose', 'up', '-d', 'web'], { cwd });
  expect(fresh(cwd)).toEqual(['migrate']);
  await world.ok(['compose', 'start', 'web'], { cwd });
  expect(fresh(cwd)).toEqual(['migrate']);
  expect(await ids(cwd)).toEqual(before);
  await world.ok(['compose', 'down', '-t', '0'], { cwd });
});

test('what changes is replaced after the new run of its migration; a run that fails holds it back, and the command fails', async () => {
  const cwd = world.project({ 'compose.yaml': file() });
  await world.ok(['compose', 'up', '-d', 'web', 'side'], { cwd });
  const before = await ids(cwd);
  fresh(cwd);
  writeFileSync(join(cwd, 'compose.yaml'), file(', environment: {A: "1"}'));
  await world.ok(['compose', 'up', '-d', 'web', 'side'], { cwd });
  expect(fresh(cwd)).toEqual(['migrate', 'web']);
  const after = await ids(cwd);
  expect(after['web']).not.toBe(before['web']);
  expect({ ...after, web: '' }).toEqual({ ...before, web: '' });
  writeFileSync(join(cwd, 'fails'), '');
  const unchanged = await world.run(['compose', 'up', '-d', 'web'], { cwd });
  expect(unchanged.stderr).toContain('service "migrate" didn\'t complete successfully: exit 1');
  expect(unchanged.code).toBe(1);
  writeFileSync(join(cwd, 'compose.yaml'), file(', environment: {A: "2"}'));
  expect((await world.run(['compose', 'up', '-d', 'web'], { cwd })).code).toBe(1);
  expect(fresh(cwd)).toEqual(['migrate', 'migrate']);
  expect((await rows(cwd)).find((row) => row.Service === 'web' && row.State === 'running')?.ID).toBe(after['web']);
  await world.ok(['compose', 'down', '-t', '0'], { cwd });
});

test('neither a new daemon nor a reboot runs again what has ended', async () => {
  const cwd = world.project({ 'compose.yaml': file() });
  await world.ok(['compose', 'up', '-d'], { cwd });
  await eventually(async () => (await rows(cwd)).filter((row) => row.State === 'exited').length, (count) => count === 2, 20_000);
  fresh(cwd);
  await world.killDaemon();
  expect((await rows(cwd)).map((row) => `${row.Service} ${row.State}`).sort()).toEqual(['migrate exited', 'report exited', 'side running', 'web running']);
  await world.reboot();
  await eventually(async () => (await rows(cwd)).map((row) => `${row.Service} ${row.State}`).sort().join(), (text) => text === 'migrate exited,report exited,side exited,web running', 20_000);
  expect(fresh(cwd)).toEqual(['web']);
  await world.ok(['compose', 'up', '-d'], { cwd });
  expect(fresh(cwd).sort()).toEqual(['migrate', 'report']);
  await world.ok(['compose', 'down', '-t', '0'], { cwd });
});
