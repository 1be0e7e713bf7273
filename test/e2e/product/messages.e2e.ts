import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeWorld, type World } from './world.ts';

// `--progress json` is for programs: every line is one object, the last of them too, whatever went wrong (UX design).
let world: World;
let cwd: string;
beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'compose.yaml': 'services: {one: {image: busybox, command: [no-such-program]}}' });
}, 60_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

type Line = { readonly error?: boolean; readonly warning?: boolean; readonly code?: string; readonly message?: string; readonly line?: number; readonly id?: string };
function objects(text: string): Line[] {
  return text.split('\n').filter((line) => line !== '').map((line): Line => JSON.parse(line));
}

describe('--progress json', () => {
  test.for([
    ['a container that can not start', 'services: {one: {image: busybox, command: [no-such-program]}}', ['up', '-d'], 'ENGINE_COMMAND_NOT_FOUND', 1],
    ['a file with errors', 'services:\n  one:\n    image: busybox\n    privileged: [1]\n    prot: 1\n', ['up', '-d'], 'CLI_INVALID_PROJECT', 1],
    ['keys that are refused', 'services:\n  one:\n    image: busybox\n    runtime: other\n', ['up', '-d'], 'CLUSTER_KEY_REFUSED', 1],
    ['a flag that is none', 'services: {one: {image: busybox}}', ['up', '--nonsense'], 'CLI_USAGE', 3],
    ['a flag that is not here yet', 'services: {one: {image: busybox}}', ['--dry-run', 'up'], 'CLI_NOT_YET', 1],
    ['a service that is none', 'services: {one: {image: busybox}}', ['logs', 'two'], 'CLI_NO_SUCH_SERVICE', 1],
  ] as const)('%s: every line is an object, the last one says the error', async ([, yaml, args, code, exitCode]) => {
    writeFileSync(join(cwd, 'compose.yaml'), yaml);
    const ran = await world.run(['compose', '--progress', 'json', ...args], { cwd });
    expect(ran.code).toBe(exitCode);
    expect(ran.stdout).toBe('');
    const lines = objects(ran.stderr);
    expect(lines.at(-1)).toMatchObject({ error: true, code });
    expect(lines.at(-1)?.message).not.toBe('');
  });
  test('by the environment too; findings have their place', async () => {
    writeFileSync(join(cwd, 'compose.yaml'), 'services:\n  one:\n    image: busybox\n    privileged: [1]\n    runtime: x\n');
    const lines = objects((await world.run(['compose', 'up', '-d'], { cwd, env: { COMPOSE_PROGRESS: 'json' } })).stderr);
    expect(lines.filter((one) => one.error === true && one.line !== undefined)).toMatchObject([{ line: 4, column: 17 }]);
  });
});

test('a container that could not be made is told as Created, not as Dead', async () => {
  writeFileSync(join(cwd, 'compose.yaml'), 'services: {one: {image: busybox, command: [no-such-program]}}');
  expect((await world.run(['compose', 'up', '-d'], { cwd })).code).toBe(1);
  const [row] = (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.trim().split('\n').map((line): { State: string; Status: string; Image: string } => JSON.parse(line));
  expect(row).toMatchObject({ State: 'created', Status: 'Created', Image: 'busybox' });
  expect((await world.ok(['compose', 'ps'], { cwd })).stdout).not.toContain('one-1');
});
