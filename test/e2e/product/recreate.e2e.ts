import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { OwnImages } from './own-images.ts';
import { useOwnImages, useWorld } from './use-world.ts';
import type { Ran, World } from './world.ts';

// When containers are made anew and images fetched or removed (docker compose up, pull, down --rmi).
let world: World;
let images: OwnImages;
useWorld((made) => void (world = made));
useOwnImages((made) => void (images = made));

const sleeps = 'command: [sleep, infinity], stop_signal: KILL';
type Row = { readonly Service: string; readonly ID: string; readonly State: string };
async function ids(cwd: string): Promise<Readonly<Record<string, string>>> {
  const lines = (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.split('\n').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line): Row => JSON.parse(line)).map((row) => [row.Service, row.ID]));
}
function changed(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  return Object.keys(after).filter((name) => after[name] !== before[name]).sort();
}
const up = (cwd: string, ...args: string[]): Promise<Ran> => world.ok(['compose', 'up', '-d', ...args], { cwd });
const down = (cwd: string, ...args: string[]): Promise<Ran> => world.ok(['compose', 'down', '-t', '0', ...args], { cwd });
const imageList = async (): Promise<string> => (await world.ok(['images'])).stdout;

describe('which containers up makes anew', () => {
  const text = (more: string = ''): string => `
services:
  web: {image: busybox, ${sleeps}, depends_on: [api]}
  api: {image: busybox, ${sleeps}, depends_on: [db]}
  db: {image: busybox, ${sleeps}${more}}
  alone: {image: busybox, ${sleeps}}
`;
  test.for([
    ['nothing has changed', '', [], []],
    ['--force-recreate', '', ['--force-recreate'], ['alone', 'api', 'db', 'web']],
    ['--force-recreate of one service, whose dependencies stay', '', ['--force-recreate', 'api'], ['api']],
    ['--force-recreate with --always-recreate-deps', '', ['--force-recreate', '--always-recreate-deps', 'api'], ['api', 'db']],
    ['--always-recreate-deps of a service that did not change', '', ['--always-recreate-deps', 'api'], ['db']],
    ['a change', ', environment: {A: b}', [], ['db']],
    ['a change, and --no-recreate', ', environment: {A: b}', ['--no-recreate'], []],
    ['a change of a dependency of what is named', ', environment: {A: b}', ['web'], ['db']],
    ['a change of a dependency of what is named, and --no-deps', ', environment: {A: b}', ['--no-deps', 'web'], []],
  ] as const)('%s', async ([, more, args, wanted]) => {
    const cwd = world.project({ 'compose.yaml': text() });
    await up(cwd);
    const before = await ids(cwd);
    writeFileSync(join(cwd, 'compose.yaml'), text(more));
    await up(cwd, ...args);
    const after = await ids(cwd);
    expect(changed(before, after)).toEqual(wanted);
    expect(Object.keys(after).sort()).toEqual(['alone', 'api', 'db', 'web']);
    await down(cwd);
  });
});

describe('an image that moved: the same tag, another digest', () => {
  const version = (text: string): unknown => ({ Cmd: ['sh', '-c', `echo version ${text}; exec sleep 1000`], StopSignal: 'KILL' });
  const says = async (cwd: string): Promise<string> => (await world.ok(['compose', 'logs', '--no-log-prefix'], { cwd })).stdout.trim();

  test('stays until it is pulled; then the next up makes the container anew, and only once', async () => {
    const image = images.make('moves', { config: version('1') });
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${image}"}}` });
    await up(cwd);
    const first = await ids(cwd);
    images.make('moves', { config: version('2') });
    await up(cwd);
    expect(await ids(cwd)).toEqual(first);
    await world.ok(['compose', 'pull'], { cwd });
    expect(await ids(cwd)).toEqual(first);
    await up(cwd);
    const second = await ids(cwd);
    expect(changed(first, second)).toEqual(['one']);
    expect(await says(cwd)).toBe('version 2');
    await up(cwd);
    expect(await ids(cwd)).toEqual(second);
    await down(cwd);
  });
  test('--pull always asks the registry, and makes anew only what moved; --pull never makes do with what is there', async () => {
    const image = images.make('asked', { config: version('1') });
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${image}"}}` });
    const nothing = await world.run(['compose', 'up', '-d', '--pull', 'never'], { cwd });
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toMatch(/ENGINE_IMAGE_MISSING|CLUSTER_|no such image|never/);
    await up(cwd, '--pull', 'always');
    const first = await ids(cwd);
    const before = images.registry.requests.length;
    await up(cwd, '--pull', 'always');
    expect(images.registry.requests.length).toBeGreaterThan(before);
    expect(await ids(cwd)).toEqual(first);
    images.make('asked', { config: version('2') });
    await up(cwd, '--pull', 'never');
    expect(await ids(cwd)).toEqual(first);
    await up(cwd, '--pull', 'always');
    expect(changed(first, await ids(cwd))).toEqual(['one']);
    expect(await says(cwd)).toBe('version 2');
    await down(cwd);
  });
  test('by its digest it never moves', async () => {
    const tagged = images.make('pinned', { config: version('1') });
    const pinned = tagged.replace(/:latest$/, `@${images.made(tagged).manifestDigest}`);
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${pinned}"}}` });
    await up(cwd);
    const first = await ids(cwd);
    images.make('pinned', { config: version('2') });
    await up(cwd, '--pull', 'always');
    expect(await ids(cwd)).toEqual(first);
    await down(cwd);
  });
});

describe('down --rmi', () => {
  test('all takes the images of the services, not those that another application uses', async () => {
    const [own, shared] = [images.make('own', { config: { Cmd: ['sleep', '1000'], StopSignal: 'KILL' } }), images.make('shared', { config: { Cmd: ['sleep', '1000'], StopSignal: 'KILL', Labels: { a: 'b' } } })];
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${own}"}, two: {image: "${shared}"}}` });
    const other = world.project({ 'compose.yaml': `services: {one: {image: "${shared}"}}` });
    await up(cwd);
    await up(other);
    const ran = await down(cwd, '--rmi', 'all');
    expect(ran.stderr).toMatch(/Image \S+\/own:latest Removed/);
    expect(await imageList()).not.toContain('/own ');
    expect(await imageList()).toContain('/shared ');
    await down(other, '--rmi', 'all');
    expect(await imageList()).not.toContain('/shared ');
  });
  test('local takes only images without a name of their own in the file, so those that were named stay', async () => {
    const named = images.make('named', { config: { Cmd: ['sleep', '1000'], StopSignal: 'KILL' } });
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${named}"}}` });
    await up(cwd);
    await down(cwd, '--rmi', 'local');
    expect(await imageList()).toContain('/named ');
    await down(cwd, '--rmi', 'all');
    const bad = await world.run(['compose', 'down', '--rmi', 'some'], { cwd });
    expect([bad.code, bad.stderr.includes('CLI_USAGE')]).toEqual([3, true]);
  });
});
