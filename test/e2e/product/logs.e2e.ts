import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, makeWorld, type Ran, type World } from './world.ts';

// The logs of several services (docker compose logs): all of them, the end of each, a stretch of time, and as they come.
let world: World;
let cwd: string;
const talks = (name: string): string => `{image: busybox, stop_signal: KILL, command: [sh, -c, "for i in 1 2 3 4 5; do echo ${name} $$i; done; echo ${name} err >&2; while [ ! -e /go/on ]; do sleep 0.05; done; for i in 6 7; do echo ${name} $$i; done; while [ ! -e /go/end ]; do sleep 0.05; done"], volumes: ["./go:/go:ro"]}`;
beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'go/.keep': '', 'compose.yaml': `services:\n  one: ${talks('one')}\n  longer-name: ${talks('two')}\n  twins: {image: busybox, command: [echo, twin], scale: 2}\n` });
  await world.ok(['compose', 'up', '-d'], { cwd });
  await eventually(() => world.ok(['compose', 'logs'], { cwd }), (ran) => (ran.stdout + ran.stderr).match(/err/g)?.length === 2 && ran.stdout.match(/twin\n/g)?.length === 2);
}, 60_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

const logs = (...args: string[]): Promise<Ran> => world.ok(['compose', 'logs', ...args], { cwd });
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

describe('what there is', () => {
  test('all services, each line behind its name in one width, the streams apart', async () => {
    const ran = await logs();
    expect(linesOf(ran.stdout).filter((line) => /one|two/.test(line))).toHaveLength(10);
    expect(ran.stdout).toContain('one-1          | one 1\n');
    expect(ran.stdout).toContain('longer-name-1  | two 5\n');
    expect(linesOf(ran.stderr).sort()).toEqual(['longer-name-1  | two err', 'one-1          | one err']);
    expect(linesOf((await logs('twins')).stdout).sort()).toEqual(['twins-1  | twin', 'twins-2  | twin']);
    expect(linesOf((await logs('--index', '2', 'twins')).stdout)).toEqual(['twins-2  | twin']);
  });
  test('--tail takes the end of each container', async () => {
    const ran = await logs('--tail', '2', 'one', 'longer-name');
    expect(linesOf(ran.stdout + ran.stderr).map((line) => line.replace(/^.*\| /, '')).sort()).toEqual(['one 5', 'one err', 'two 5', 'two err']);
    expect((await logs('-n', '0')).stdout).toBe('');
    expect(linesOf((await logs('--tail', 'all', 'one')).stdout)).toHaveLength(5);
    expect(linesOf((await logs('--tail', '1000000', 'one')).stdout)).toHaveLength(5);
  });
  test('-t shows when; --since and --until take a stretch, by moment, by unix time and by age', async () => {
    const stamped = linesOf((await logs('-t', '--no-log-prefix', 'one')).stdout);
    expect(stamped.every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z one \d$/.test(line))).toBe(true);
    const [third = ''] = stamped[2]?.split(' ') ?? [];
    const inclusive = linesOf((await logs('--no-log-prefix', '--since', third, 'one')).stdout);
    // A moment is a millisecond: lines that share it belong to it.
    expect(inclusive.slice(-3)).toEqual(['one 3', 'one 4', 'one 5']);
    const before = linesOf((await logs('--no-log-prefix', '--until', third, 'one')).stdout);
    expect(before.slice(0, 2)).toEqual(['one 1', 'one 2']);
    const second = (at: number): string => new Date(Math.floor(Date.parse(third) / 1000) * 1000 + at).toISOString();
    expect((await logs('--since', second(60_000), 'one')).stdout + (await logs('--until', second(-60_000), 'one')).stdout).toBe('');
    expect(linesOf((await logs('--since', '1h', 'one')).stdout)).toHaveLength(5);
    expect((await logs('--until', '1h', 'one')).stdout).toBe('');
    expect((await logs('--since', String(Math.floor(Date.now() / 1000) + 100), 'one')).stdout).toBe('');
    expect(linesOf((await logs('--since', '2020-01-01', '--until', '2100-01-01T00:00:00Z', 'one')).stdout)).toHaveLength(5);
    expect(linesOf((await logs('--since', '1h', '--tail', '1', '--no-log-prefix', 'longer-name')).stdout + (await logs('--since', '1h', '--tail', '1', '--no-log-prefix', 'longer-name')).stderr)).toEqual(['two err']);
  });
  test('what is no number and no time is refused', async () => {
    for (const args of [['--tail', 'some'], ['--tail', '-1'], ['--since', 'yesterday'], ['--until', '1x'], ['--index', '0x2', 'one']]) {
      const ran = await world.run(['compose', 'logs', ...args], { cwd });
      expect([ran.code, ran.stderr.includes('CLI_USAGE')], args.join(' ')).toEqual([3, true]);
    }
  });
});

test('-f of several services: what was there, what comes, and the end with the last container; with --tail and --since', async () => {
  const follow = (...args: string[]): { readonly out: () => string; readonly ended: Promise<number | null> } => {
    const child = world.start(['compose', 'logs', '-f', '--no-log-prefix', ...args], { cwd });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => void (out += chunk.toString()));
    return { out: () => out, ended: new Promise((resolve) => child.once('close', resolve)) };
  };
  const [all, tail, late] = [follow(), follow('--tail', '1', 'one'), follow('--since', '1h', 'longer-name')];
  await eventually(() => [all.out(), tail.out(), late.out()], ([a = '', b = '', c = '']) => a.includes('one 5') && a.includes('two 5') && b.includes('one err') && c.includes('two err'));
  writeFileSync(join(cwd, 'go/on'), '');
  await eventually(() => all.out() + tail.out() + late.out(), (now) => now.match(/one 7/g)?.length === 2 && now.match(/two 7/g)?.length === 2);
  writeFileSync(join(cwd, 'go/end'), '');
  expect(await Promise.all([all.ended, tail.ended, late.ended])).toEqual([0, 0, 0]);
  const of = (name: string, from: number, text: string): void => expect(linesOf(text).filter((line) => line.startsWith(name) && !line.endsWith('err'))).toEqual(Array.from({ length: 8 - from }, (_, index) => `${name} ${from + index}`));
  of('one', 1, all.out());
  of('two', 1, all.out());
  of('two', 1, late.out());
  expect(linesOf(tail.out())).toEqual(['one err', 'one 6', 'one 7']);
  expect(linesOf((await logs('-f', '--no-log-prefix', 'one')).stdout)).toHaveLength(7);
});
