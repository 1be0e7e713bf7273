import { spawnSync, type ChildProcess } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { eventually, home, makeWorld, type Ran, type World } from './world.ts';

// The commands as people and scripts use them: output, exit codes, signals (UX design; Docker Compose's behaviour).
let world: World;
let cwd: string;
const port = await freePorts(1);

const compose = `
name: shop
services:
  web: {image: busybox, command: [sh, -c, "echo web up; echo to-err >&2; sleep 1000"], stop_signal: KILL, ports: ["${port}:80"], depends_on: [store]}
  store: {image: busybox, command: [sleep, infinity], stop_signal: KILL, volumes: ["data:/data"]}
volumes: {data: {}}
`;

beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'compose.yaml': compose });
  await world.ok(['compose', 'up', '-d'], { cwd });
}, 60_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

const run = (...args: string[]): Promise<Ran> => world.run(['compose', ...args], { cwd });
const ok = (...args: string[]): Promise<Ran> => world.ok(['compose', ...args], { cwd });
type Row = { readonly Service: string; readonly Name: string; readonly State: string; readonly ID: string; readonly ExitCode: number };
async function rows(folder: string = cwd): Promise<Row[]> {
  return (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd: folder })).stdout.trim().split('\n').filter((line) => line !== '').map((line): Row => JSON.parse(line));
}

describe('ps, ls, images, inspect', () => {
  test('compose ps: the columns of Compose, and every field of its JSON', async () => {
    const [head = '', ...lines] = (await ok('ps')).stdout.trimEnd().split('\n');
    expect(head.split(/\s{2,}/)).toEqual(['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'CREATED', 'STATUS', 'PORTS']);
    expect(lines).toHaveLength(2);
    expect(lines.find((line) => line.startsWith('shop-web-1'))).toMatch(new RegExp(`busybox\\s+"sh -c 'echo web up;…"\\s+web\\s+.* ago\\s+Up .*\\s+0\\.0\\.0\\.0:${port}->80/tcp, \\[::\\]:${port}->80/tcp$`));
    const [one] = await rows();
    expect(Object.keys(one ?? {}).sort()).toEqual(['Command', 'CreatedAt', 'ExitCode', 'Health', 'ID', 'Image', 'Labels', 'LocalVolumes', 'Mounts', 'Name', 'Names', 'Networks', 'Ports', 'Project', 'Publishers', 'RunningFor', 'Service', 'Size', 'State', 'Status']);
  });
  test('compose ps -q, --services, --status, --filter, a service, an unknown one', async () => {
    expect((await ok('ps', '-q')).stdout).toMatch(/^([0-9a-f]{64}\n){2}$/);
    expect((await ok('ps', '--services')).stdout.split('\n').sort()).toEqual(['', 'store', 'web']);
    expect((await ok('ps', '-q', '--status', 'exited')).stdout).toBe('');
    expect((await ok('ps', '-q', '--filter', 'status=running', 'web')).stdout.trim().split('\n')).toHaveLength(1);
    const unknown = await run('ps', 'wbe');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/CLI_NO_SUCH_SERVICE[\s\S]*did you mean `web`/);
  });
  test('ls, version, config', async () => {
    expect((await ok('ls')).stdout).toMatch(/^NAME\s+STATUS\s+CONFIG FILES\nshop\s+running\(2\)\s+\S+compose\.yaml\n$/);
    expect(JSON.parse((await ok('ls', '--format', 'json')).stdout)).toMatchObject([{ Name: 'shop', Status: 'running(2)' }]);
    expect((await ok('version', '--short')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await ok('config', '--services')).stdout.split('\n').sort()).toEqual(['', 'store', 'web']);
    expect((await run('config', '-o', '/nowhere/out.yaml')).stderr).toMatch(/^error CLI_FILE_UNWRITABLE: \/nowhere\/out\.yaml can't be written/);
    for (const args of [['version', '-f', 'loud'], ['ps', '-n', 'many']]) expect((await world.run(args)).code, args.join(' ')).toBe(3);
  });
  test('images, ps, inspect, info, version at the top', async () => {
    expect((await world.ok(['images'])).stdout).toMatch(/^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE\nbusybox\s+latest\s+[0-9a-f]{12}\s/);
    expect((await world.ok(['ps', '--format', 'json'])).stdout.trim().split('\n').map((line) => JSON.parse(line).Names).sort()).toEqual(['shop-store-1', 'shop-web-1']);
    expect(JSON.parse((await world.ok(['inspect', 'shop-web-1'])).stdout)).toHaveLength(1);
    const none = await world.run(['inspect', 'shop-web-1', 'nobody']);
    expect(none.code).toBe(1);
    expect(JSON.parse(none.stdout)).toHaveLength(1);
    expect(none.stderr).toContain('CLI_NO_SUCH_OBJECT');
    expect((await world.ok(['version'])).stdout).toMatch(/^Flotilla version/);
    expect((await world.run(['nonsense'])).code).toBe(3);
    expect((await run('up', '--nonsense')).code).toBe(3);
    expect((await run('watch')).stderr).toContain('CLI_NOT_YET');
  });
});

describe('exec', () => {
  test.for([[0, ['true']], [7, ['sh', '-c', 'exit 7']], [127, ['no-such-program']], [126, ['/etc']], [137, ['sh', '-c', 'kill -9 $$']]] as const)('ends with %i as its command does', async ([code, command]) => {
    const ran = await run('exec', '-T', 'web', ...command);
    expect(ran.code).toBe(code);
    if (code === 126 || code === 127) expect(ran.stderr).toMatch(/^error ENGINE_COMMAND_NOT_FOUND: container shop-web-1: /);
    else expect(ran.stderr).toBe('');
  });
  test('in the background it does not wait, unless there is nothing to run', async () => {
    const began = await world.run(['compose', 'exec', '-d', 'web', 'sh', '-c', 'sleep 0.3; echo there > /tmp/background; sleep 30'], { cwd });
    expect(began).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(began.wallMs).toBeLessThan(20_000);
    await eventually(() => run('exec', '-T', 'web', 'cat', '/tmp/background'), (ran) => ran.stdout === 'there\n');
    for (const args of [['compose', 'exec', '-d', 'web'], ['exec', '-d', 'shop-web-1']]) {
      const failed = await world.run([...args, 'no-such-program'], { cwd });
      expect([failed.code, failed.stderr]).toEqual([127, expect.stringContaining('ENGINE_COMMAND_NOT_FOUND')]);
    }
  }, 30_000);
  test('input by a pipe, both outputs apart, environment, user, folder', async () => {
    const piped = await world.run(['compose', 'exec', '-T', 'web', 'sh', '-c', 'cat; echo err >&2'], { cwd, input: 'from the pipe' });
    expect(piped).toMatchObject({ code: 0, stdout: 'from the pipe', stderr: 'err\n' });
    expect((await ok('exec', '-T', '-e', 'A=1', '-u', '65534:12', '-w', '/tmp', 'web', 'sh', '-c', 'echo $A; id -u; id -g; pwd')).stdout).toBe('1\n65534\n12\n/tmp\n');
    expect((await world.run(['exec', 'shop-web-1', 'echo', 'hello'])).stdout).toBe('hello\n');
    expect((await run('exec', 'store2', 'true')).stderr).toContain('CLI_NO_SUCH_SERVICE');
  });
  test('a megabyte passes both ways without loss', async () => {
    const input = 'x'.repeat(1024 * 1024);
    expect((await world.run(['compose', 'exec', '-T', 'web', 'cat'], { cwd, input })).stdout).toBe(input);
  });
  test('on a terminal the command has one, of its size', () => {
    const script = spawnSync('script', ['-qec', `stty rows 33 cols 101; ${join(home, 'bin', 'flotilla')} compose exec web sh -c 'tty; sleep 0.3; stty size; exit 5'`, '/dev/null'], { cwd, encoding: 'utf8', timeout: 15_000, env: environment(), stdio: ['pipe', 'pipe', 'pipe'] });
    expect(script.stdout).toMatch(/\/dev\/(pts\/\d+|console)[\r\n\0^@]+33 101/);
    expect(script.status).toBe(5);
  });
});

/** What `world.run` gives a command, for those that need a terminal. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, FLOTILLA_ROOT: join(world.dir, 'root'), FLOTILLA_RUN: join(world.dir, 'run'), FLOTILLA_CONFIG: join(world.dir, 'config.json'), HOME: world.dir, NO_COLOR: '1' };
}

describe('logs', () => {
  test('prefixes in one width, both outputs, --no-log-prefix, -n, -t', async () => {
    const ran = await eventually(() => run('logs', 'web'), (one) => one.stdout.includes('web up'));
    expect(ran.stdout).toContain('web-1  | web up\n');
    expect(ran.stderr + ran.stdout).toContain('to-err');
    expect((await ok('logs', '--no-log-prefix', 'web')).stdout).toMatch(/^web up\n/);
    expect((await ok('logs', '-n', '0', 'web')).stdout).toBe('');
    expect((await ok('logs', '-t', '--no-log-prefix', 'web')).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z web up/);
    expect((await ok('logs', '--since', '1000', '--until', '1001', 'web')).stdout).toBe('');
    expect((await world.ok(['logs', 'shop-web-1'])).stdout).toContain('web up');
  });
  test('-f ends when the container ends, and with one Ctrl-C before', async () => {
    const folder = world.project({ 'compose.yaml': 'services: {one: {image: busybox, command: [sh, -c, "for i in 1 2 3; do echo tick $$i; sleep 0.2; done"]}}' });
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    const ended = await world.ok(['compose', 'logs', '-f', '--no-log-prefix'], { cwd: folder, timeoutMs: 10_000 });
    expect(ended.stdout).toBe('tick 1\ntick 2\ntick 3\n');
    const following = world.start(['compose', 'logs', '-f', 'web'], { cwd });
    await output(following, 'web up');
    following.kill('SIGINT');
    expect(await exitOf(following)).toBe(130);
    await world.ok(['compose', 'down'], { cwd: folder });
  }, 30_000);
  test('into a pipe that closes early the command ends quietly', () => {
    const piped = spawnSync('bash', ['-c', `set -o pipefail; ${join(home, 'bin', 'flotilla')} compose exec -T web yes | head -1`], { cwd, encoding: 'utf8', timeout: 10_000, env: environment() });
    expect(piped.stdout.split('\n')).toHaveLength(2);
    expect(piped.stderr).not.toContain('error');
  });
});

describe('stop, start, restart, scale, recreate', () => {
  test('stop and start keep the container; restart gives it a new process', async () => {
    const before = await rows();
    await ok('stop', 'web');
    expect((await rows()).find((row) => row.Service === 'web')).toMatchObject({ State: 'exited', ExitCode: 137 });
    expect((await ok('ps', '--services')).stdout).toBe('store\n');
    await ok('start', 'web');
    await ok('restart', '-t', '0');
    expect((await rows()).map((row) => [row.ID, row.State]).sort()).toEqual(before.map((row) => [row.ID, 'running']).sort());
  }, 30_000);
  test('--scale, then back by another up; --no-recreate, --force-recreate, --no-deps, --no-start, --remove-orphans', async () => {
    const text = (more: string): string => `services: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL${more}}, two: {image: busybox, command: [sleep, infinity], stop_signal: KILL, depends_on: [one]}}`;
    const folder = world.project({ 'compose.yaml': text('') });
    const up = (...args: string[]): Promise<Ran> => world.ok(['compose', 'up', '-d', ...args], { cwd: folder });
    await up('--no-deps', 'two');
    expect((await rows(folder)).map((row) => row.Service)).toEqual(['two']);
    await up('--scale', 'one=3');
    expect((await rows(folder)).filter((row) => row.Service === 'one')).toHaveLength(3);
    await up();
    const first = await rows(folder);
    expect(first).toHaveLength(2);
    await up('--force-recreate', 'one');
    const second = await rows(folder);
    expect(second.find((row) => row.Service === 'one')?.ID).not.toBe(first.find((row) => row.Service === 'one')?.ID);
    expect(second.find((row) => row.Service === 'two')?.ID).toBe(first.find((row) => row.Service === 'two')?.ID);
    await world.run(['compose', '-f', '-', '-p', 'p-none', 'config', '-q'], { cwd: folder, input: text('') });
    const changed = ['compose', '-p', first[0]?.Name.split('-')[0] ?? '', '-f', '-', 'up', '-d'];
    await world.ok([...changed, '--no-recreate'], { cwd: folder, input: text(', environment: {A: b}') });
    expect((await rows(folder)).map((row) => row.ID).sort()).toEqual(second.map((row) => row.ID).sort());
    const orphans = await world.ok(changed, { cwd: folder, input: 'services: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
    expect(orphans.stderr).toContain('--remove-orphans');
    await world.ok([...changed, '--remove-orphans'], { cwd: folder, input: 'services: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
    expect((await rows(folder)).map((row) => row.Service)).toEqual(['one']);
    await world.ok(['compose', 'down'], { cwd: folder });
    await world.ok(['compose', 'up', '--no-start'], { cwd: folder });
    expect((await rows(folder)).map((row) => row.State)).toEqual(['created', 'created']);
    await world.ok(['compose', 'down'], { cwd: folder });
  }, 60_000);
  test('down of a service; down -v; down of nothing', async () => {
    const folder = world.project({ 'compose.yaml': 'services: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL, volumes: ["vol:/v"]}, two: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}\nvolumes: {vol: {}}' });
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    await world.ok(['compose', 'down', 'two'], { cwd: folder });
    expect((await rows(folder)).map((row) => row.Service)).toEqual(['one']);
    const kept = await world.ok(['compose', 'down'], { cwd: folder });
    expect(kept.stderr).not.toContain('Volume');
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    const gone = await world.ok(['compose', 'down', '-v'], { cwd: folder });
    expect(gone.stderr).toMatch(/Volume \S+_vol Removed/);
    expect((await world.run(['compose', 'down'], { cwd: folder })).code).toBe(0);
  }, 30_000);
});

describe('up, attached', () => {
  const patient = 'services: {one: {image: busybox, command: [sh, -c, "trap \'echo last words; exit 0\' TERM; echo ready; while :; do sleep 0.05; done"]}}';
  test('Ctrl-C stops, and the last words are still shown', async () => {
    const folder = world.project({ 'compose.yaml': patient });
    const up = world.start(['compose', 'up'], { cwd: folder });
    await output(up, 'ready');
    // Before all is started the command would be interrupted in its work, and end with 130.
    await eventually(() => rows(folder), (now) => now.some((row) => row.State === 'running'));
    await rows(folder);
    const rest = output(up, 'last words');
    up.kill('SIGINT');
    await rest;
    expect(await exitOf(up)).toBe(0);
    expect((await rows(folder)).map((row) => row.State)).toEqual(['exited']);
    await world.ok(['compose', 'down'], { cwd: folder });
  }, 30_000);
  test('a second Ctrl-C kills', async () => {
    const folder = world.project({ 'compose.yaml': 'services: {one: {image: busybox, stop_grace_period: 60s, command: [sh, -c, "trap \'echo deaf\' TERM; echo ready; while :; do sleep 0.05; done"]}}' });
    const up = world.start(['compose', 'up'], { cwd: folder });
    await output(up, 'ready');
    const heard = output(up, 'deaf');
    up.kill('SIGINT');
    await heard;
    up.kill('SIGINT');
    await exitOf(up);
    expect((await rows(folder)).map((row) => `${row.State} ${row.ExitCode}`)).toEqual(['exited 137']);
    await world.ok(['compose', 'down'], { cwd: folder });
  }, 30_000);
  test('it ends with the last container; --exit-code-from and --abort-on-container-exit', async () => {
    const folder = world.project({ 'compose.yaml': 'services: {job: {image: busybox, command: [sh, -c, "sleep 0.3; exit 4"]}, side: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
    const from = await world.run(['compose', 'up', '--exit-code-from', 'job'], { cwd: folder, timeoutMs: 20_000 });
    expect(from.code, from.stderr).toBe(4);
    expect((await rows(folder)).map((row) => row.State)).toEqual(['exited', 'exited']);
    expect((await world.run(['compose', 'up', '--abort-on-container-exit'], { cwd: folder, timeoutMs: 20_000 })).code).toBe(4);
    await world.ok(['compose', 'down'], { cwd: folder });
  }, 60_000);
  test('--wait: healthy answers 0, unhealthy 1, and too late 1', async () => {
    const text = (check: string): string => `services: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL, healthcheck: {test: ${check}, interval: 50ms, retries: 2}}}`;
    for (const [check, code, more] of [['"true"', 0, []], ['"false"', 1, []], ['"sleep 100"', 1, ['--wait-timeout', '1']]] as const) {
      const folder = world.project({ 'compose.yaml': text(check) });
      expect((await world.run(['compose', 'up', '--wait', ...more], { cwd: folder })).code, check).toBe(code);
      await world.ok(['compose', 'down'], { cwd: folder });
    }
  }, 60_000);
});

describe('images', () => {
  test('an image that is here for another platform than the service names is not taken for it', async () => {
    const folder = world.project({ 'compose.yaml': 'name: foreign\nservices: {one: {image: busybox, platform: linux/s390x, command: [uname, -m]}}' });
    const refused = await world.run(['compose', 'up', '-d'], { cwd: folder });
    expect(refused.stderr).toContain('ENGINE_IMAGE_PLATFORM');
    expect(refused.code).toBe(1);
    const never = await world.run(['compose', 'up', '-d', '--pull', 'never'], { cwd: folder });
    expect(never.stderr).toContain('DAEMON_IMAGE_NOT_FOUND');
    expect(await rows(folder)).toEqual([]);
  }, 30_000);
  test('a container that does not run publishes nothing', async () => {
    const folder = world.project({ 'compose.yaml': `name: quiet\nservices: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL, ports: ["127.0.0.1::80"]}}` });
    const ports = async (): Promise<unknown> => JSON.parse((await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd: folder })).stdout).Ports;
    await world.ok(['compose', 'create'], { cwd: folder });
    expect(await ports()).toBe('');
    await world.ok(['compose', 'start'], { cwd: folder });
    expect(await ports()).toMatch(/^127\.0\.0\.1:\d+->80\/tcp$/);
    await world.ok(['compose', 'stop'], { cwd: folder });
    expect(await ports()).toBe('');
    await world.ok(['compose', 'down'], { cwd: folder });
  }, 30_000);
  test('pull, rmi, rm', async () => {
    expect((await ok('pull', '-q')).stdout).toBe('');
    await world.ok(['pull', 'debian']);
    expect((await world.ok(['rmi', 'debian'])).stdout).toMatch(/^Untagged: debian/);
    const used = await world.run(['rmi', 'busybox']);
    expect(used.code).toBe(1);
    expect(used.stderr).toContain('ENGINE_IMAGE_IN_USE');
    expect((await world.run(['rmi', 'no-such-image'])).stderr).toMatch(/ENGINE_IMAGE_MISSING.*\n {2}hint: flotilla images/);
    expect((await world.run(['rm', 'shop-web-1'])).stderr).toMatch(/RUNNING[\s\S]*hint:/);
  }, 30_000);
  test('config pins images to what their registry has now, and writes the pins down as a file of their own', async () => {
    const folder = world.project({ 'compose.yaml': 'name: pins\nservices:\n  one: {image: busybox, command: [sleep, infinity]}\n  two: {image: "docker.io/library/busybox:latest"}\n', 'bad.yaml': 'services:\n  one:\n    image: busybox\n  two:\n    image: no/such\n' });
    const config = (...args: readonly string[]): Promise<Ran> => world.run(['compose', ...args], { cwd: folder });
    const pin = /docker\.io\/library\/busybox:latest@sha256:[0-9a-f]{64}/;
    const lock = (await config('config', '--lock-image-digests')).stdout;
    const image = pin.exec(lock)?.[0] ?? '';
    expect(lock).toBe(`services:\n  one:\n    image: ${image}\n  two:\n    image: ${image}\n`);
    expect(JSON.parse((await config('config', '--resolve-image-digests', '--format', 'json')).stdout).services.one).toMatchObject({ image, command: ['sleep', 'infinity'] });
    expect((await config('config', '--lock-image-digests', '--images')).stdout).toBe(`${image}\n`.repeat(2));
    writeFileSync(join(folder, 'lock.yaml'), lock);
    expect(await config('-f', 'compose.yaml', '-f', 'lock.yaml', 'pull', '-q')).toMatchObject({ code: 0 });
    // What is pinned already asks nobody.
    expect((await config('-f', 'compose.yaml', '-f', 'lock.yaml', 'config', '--lock-image-digests')).stdout).toBe(lock.replaceAll(':latest@', '@'));
    expect(await config('-f', 'bad.yaml', 'config', '--resolve-image-digests')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('bad.yaml:5:5: error ENGINE_PULL_NOT_FOUND') });
    expect(await config('config', '--resolve-image-digests', '--no-interpolate')).toMatchObject({ code: 3, stderr: expect.stringContaining('CLI_USAGE') });
  }, 30_000);
  test('rm -f of a container that its service wants says that there will be another; of a stopped one it is the end', async () => {
    const folder = world.project({ 'compose.yaml': 'name: wanted\nservices: {one: {image: busybox, command: [sleep, infinity], volumes: [/data]}}' });
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    const volumes = JSON.parse((await world.ok(['inspect', 'wanted-one-1'])).stdout)[0].Mounts.map((one: { readonly volumeName: string }) => one.volumeName);
    expect(readdirSync(join(world.dir, 'root/engine/volumes'))).toContain(volumes[0]);
    const removed = await world.ok(['rm', '-fv', 'wanted-one-1']);
    expect(removed.stdout).toBe('wanted-one-1\n');
    expect(removed.stderr).toContain('service one of application wanted is to have it, and gets a new one');
    expect(removed.stderr).toContain('flotilla compose -p wanted stop one');
    // Killed, as with Docker: `sleep` as the first process hears no SIGTERM, and would take ten seconds.
    expect(removed.wallMs).toBeLessThan(8_000);
    await world.ok(['compose', 'stop', '-t', '0', 'one'], { cwd: folder });
    expect(await world.ok(['rm', 'wanted-one-1'])).toMatchObject({ stdout: 'wanted-one-1\n', stderr: '' });
    expect((await world.run(['inspect', 'wanted-one-1'])).code).toBe(1);
    expect(readdirSync(join(world.dir, 'root/engine/volumes'))).not.toContain(volumes[0]);
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    await world.ok(['compose', 'down', '-v', '-t', '0'], { cwd: folder });
  }, 30_000);
});

function output(child: ChildProcess, wanted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const timer = setTimeout(() => reject(new Error(`"${wanted}" did not come: ${seen}`)), 15_000);
    const read = (chunk: Buffer): void => {
      seen += chunk.toString();
      if (!seen.includes(wanted)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
  });
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    if (child.exitCode !== null) return resolve(child.exitCode);
    const timer = setTimeout(() => reject(new Error('it did not end')), 20_000);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}
