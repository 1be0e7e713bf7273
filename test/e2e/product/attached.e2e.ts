import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { useWorld } from './use-world.ts';
import { eventually, type Ran, type World } from './world.ts';

// `up` without -d (UX design; Docker Compose's behaviour): whose output is shown, what ends it, and with which code.
let world: World;
useWorld((made) => void (world = made));

const says = (text: string, then: string = 'exec sleep 1000'): string => `{image: busybox, stop_signal: KILL, command: [sh, -c, "echo ${text}; ${then}"]}`;

/** The output of `up` on its standard output and the rest, while it runs. */
function attach(args: readonly string[], cwd: string): { readonly child: ChildProcess; readonly out: () => string; readonly err: () => string; readonly ended: Promise<number | null> } {
  const child = world.start(['compose', 'up', ...args], { cwd });
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => void (err += chunk.toString()));
  return { child, out: () => out, err: () => err, ended: new Promise((resolve) => child.once('close', (code) => resolve(code))) };
}
async function down(cwd: string): Promise<void> {
  await world.ok(['compose', 'down', '-v', '-t', '0'], { cwd });
}
async function states(cwd: string): Promise<string[]> {
  const lines = (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line): { Service: string; State: string; ExitCode: number } => JSON.parse(line)).map((row) => `${row.Service} ${row.State} ${row.ExitCode}`).sort();
}

describe('whose output is shown', () => {
  const files = { 'compose.yaml': `services: {one: ${says('from one')}, two: ${says('from two')}, three: ${says('from three').replace('image', 'depends_on: [two], image')}, mute: ${says('from mute').replace('image', 'attach: false, image')}}` };
  test.for([
    [[], ['one', 'two', 'three']],
    [['--attach', 'one'], ['one']],
    [['--attach', 'one', '--attach', 'mute'], ['one', 'mute']],
    [['--no-attach', 'one', '--no-attach', 'two'], ['three']],
    [['three'], ['three']],
    [['--attach-dependencies', 'three'], ['two', 'three']],
  ] as const)('up %j shows %j', async ([args, shown]) => {
    const cwd = world.project(files);
    const up = attach(args, cwd);
    await eventually(() => up.out(), (text) => shown.every((name) => text.includes(`from ${name}`)), 20_000);
    await eventually(async () => (await states(cwd)).filter((one) => one.includes('running')).length, (count) => count === (args.includes('three' as never) ? 2 : 4), 20_000);
    await states(cwd);
    up.child.kill('SIGINT');
    expect(await up.ended).toBe(0);
    expect(up.out().split('\n').flatMap((line) => /from (\w+)/.exec(line)?.[1] ?? []).sort()).toEqual([...shown].sort());
    await down(cwd);
  });
  test('--no-log-prefix shows the bare lines, --timestamps their times', async () => {
    const cwd = world.project({ 'compose.yaml': `services: {one: ${says('bare', 'exit 0')}}` });
    expect((await world.ok(['compose', 'up', '--no-log-prefix'], { cwd })).stdout).toMatch(/^bare\n/);
    await down(cwd);
    expect((await world.ok(['compose', 'up', '--timestamps', '--no-color'], { cwd })).stdout).toMatch(/^one-1 {2}\| \d{4}-\d\d-\d\dT[\d:.]+Z bare\n/);
    await down(cwd);
  });
  test('a service that is none is refused before anything is made, wherever it is named', async () => {
    const cwd = world.project({ 'compose.yaml': `services: {one: ${says('x')}}` });
    for (const flag of ['--attach', '--no-attach', '--exit-code-from']) {
      const ran = await world.run(['compose', 'up', flag, 'nobody'], { cwd, timeoutMs: 20_000 });
      expect(ran.stderr, flag).toContain('CLI_NO_SUCH_SERVICE');
      expect(ran.code, flag).toBe(1);
    }
    expect(await states(cwd)).toEqual([]);
  });
});

describe('what ends it, and its exit code', () => {
  const run = async (services: string, args: readonly string[]): Promise<Ran & { readonly left: string[] }> => {
    const cwd = world.project({ 'compose.yaml': `services: ${services}` });
    const ran = await world.run(['compose', 'up', ...args], { cwd, timeoutMs: 30_000 });
    const left = await states(cwd);
    await down(cwd);
    return { ...ran, left };
  };
  test('--abort-on-container-exit: the code is that of the first to end, not of those it takes along', async () => {
    const ran = await run(`{job: ${says('done', 'sleep 0.5; exit 0')}, side: ${says('side')}}`, ['--abort-on-container-exit']);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('Aborting on container exit...');
    expect(ran.left).toEqual(['job exited 0', 'side exited 137']);
  });
  test('--abort-on-container-failure waits for a failure', async () => {
    const ran = await run(`{fine: ${says('fine', 'exit 0')}, job: ${says('bad', 'sleep 1; exit 6')}, side: ${says('side')}}`, ['--abort-on-container-failure']);
    expect(ran.code, ran.stderr).toBe(6);
    expect(ran.left).toEqual(['fine exited 0', 'job exited 6', 'side exited 137']);
  });
  test('--exit-code-from: its code counts, also when another one ends first, and when another one is attached to', async () => {
    const services = `{job: ${says('job', 'sleep 0.5; exit 4')}, side: ${says('side')}}`;
    expect((await run(services, ['--exit-code-from', 'job'])).code).toBe(4);
    expect((await run(services, ['--exit-code-from', 'side'])).code).toBe(137);
    expect((await run(services, ['--exit-code-from', 'job', '--attach', 'side'])).code).toBe(4);
  });
  test('a container that is started again does not count as ended', async () => {
    const cwd = world.project({ 'compose.yaml': 'services: {one: {image: busybox, restart: "on-failure:2", command: [sh, -c, "echo try; exit 3"]}}' });
    const ran = await world.run(['compose', 'up', '--abort-on-container-exit'], { cwd, timeoutMs: 30_000 });
    expect(ran.stdout.match(/try/g)).toHaveLength(3);
    expect(ran.code).toBe(3);
    await down(cwd);
  });
  test('what has ended before runs again, and the code is that of the new run', async () => {
    const cwd = world.project({ 'compose.yaml': 'services: {test: {image: busybox, volumes: [".:/x"], command: [sh, -c, "echo ran; exit $$(cat /x/code)"]}, side: {image: busybox, command: [sleep, "1000"], stop_signal: KILL}}', code: '0' });
    const up = (): Promise<Ran> => world.run(['compose', 'up', '--exit-code-from', 'test'], { cwd, timeoutMs: 20_000 });
    for (const code of [0, 5, 7, 0]) {
      writeFileSync(join(cwd, 'code'), String(code));
      const ran = await up();
      expect(ran.stdout.match(/ran/g), ran.stderr).toHaveLength(1);
      expect(ran.code, ran.stderr).toBe(code);
    }
    writeFileSync(join(cwd, 'code'), '4');
    const ran = await world.run(['compose', 'up', '--abort-on-container-exit', 'test'], { cwd, timeoutMs: 20_000 });
    expect(ran.stdout).toContain('ran');
    expect(ran.code, ran.stderr).toBe(4);
    await down(cwd);
  });
  test('of jobs alone, up follows the new run to its end', async () => {
    const cwd = world.project({ 'compose.yaml': `services: {job: ${says('done', 'exit 0')}}` });
    for (let run = 0; run < 3; run += 1) expect((await world.ok(['compose', 'up'], { cwd, timeoutMs: 20_000 })).stdout.match(/done/g)).toHaveLength(1);
    await down(cwd);
  });
  test('where all is scaled to nothing it ends at once', async () => {
    const cwd = world.project({ 'compose.yaml': `services: {job: ${says('done', 'exit 0')}}` });
    expect((await world.ok(['compose', 'up', '--scale', 'job=0'], { cwd, timeoutMs: 20_000 })).stdout).toBe('');
    await down(cwd);
  });
  test('--detach is not for those who wait', async () => {
    for (const flag of ['--abort-on-container-exit', '--abort-on-container-failure', '--exit-code-from=one', '--attach=one', '--attach-dependencies']) {
      expect((await run(`{one: ${says('x')}}`, ['-d', flag])).code, flag).toBe(3);
    }
    for (const flags of [['--abort-on-container-exit', '--abort-on-container-failure'], ['--always-recreate-deps', '--no-recreate'], ['--force-recreate', '--no-recreate'], ['--wait', '--attach=one']]) {
      const ran = await run(`{one: ${says('x')}}`, flags);
      expect([ran.code, ran.left], flags.join(' ')).toEqual([3, []]);
    }
  });
});

describe('Ctrl-C', () => {
  const slow = 'services: {web: {image: busybox, stop_grace_period: 60s, depends_on: [db], command: [sh, -c, "trap \'echo web deaf\' TERM; echo web ready; while :; do sleep 0.05; done"]}, db: {image: busybox, command: [sh, -c, "trap \'echo db gone; exit 0\' TERM; echo db ready; while :; do sleep 0.05; done"]}}';
  test('once: dependents first, with their time; twice: at once', async () => {
    const cwd = world.project({ 'compose.yaml': slow });
    const up = attach([], cwd);
    await eventually(() => up.out() + up.err(), (text) => ['web ready', 'db ready', 'web-1 Started', 'db-1 Started'].every((one) => text.includes(one)), 20_000);
    await states(cwd);
    up.child.kill('SIGINT');
    await eventually(() => up.out(), (text) => text.includes('web deaf'));
    expect(up.err()).toContain('Gracefully Stopping... press Ctrl+C again to force');
    expect(up.out()).not.toContain('db gone');
    up.child.kill('SIGINT');
    expect(await up.ended).toBe(0);
    expect(await states(cwd)).toEqual([expect.stringMatching(/^db exited (0|137)$/), 'web exited 137']);
    await down(cwd);
  });
  test('SIGTERM stops as well', async () => {
    const cwd = world.project({ 'compose.yaml': 'services: {one: {image: busybox, command: [sh, -c, "trap \'echo last words; exit 0\' TERM; echo ready; while :; do sleep 0.05; done"]}}' });
    const up = attach([], cwd);
    await eventually(() => up.out() + up.err(), (text) => text.includes('ready') && text.includes('one-1 Started'), 20_000);
    await states(cwd);
    up.child.kill('SIGTERM');
    expect(await up.ended).toBe(0);
    expect(up.out()).toContain('last words');
    await down(cwd);
  });
  test('while a dependency is waited for: what runs is stopped, and the command was interrupted', async () => {
    const cwd = world.project({ 'compose.yaml': `services: {db: ${says('db up').replace('image', 'healthcheck: {test: "false", interval: 60s}, image')}, web: ${says('never').replace('image', 'depends_on: {db: {condition: service_healthy}}, image')}}` });
    const up = attach([], cwd);
    await eventually(() => up.out(), (text) => text.includes('db up'), 20_000);
    up.child.kill('SIGINT');
    expect(await up.ended).toBe(130);
    expect((await states(cwd)).filter((one) => one.includes('running'))).toEqual([]);
    await down(cwd);
  });
});
