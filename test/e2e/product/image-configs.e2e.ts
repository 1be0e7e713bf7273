import { describe, expect, test } from 'vitest';
import type { OwnImages } from './own-images.ts';
import { useOwnImages, useWorld } from './use-world.ts';
import { eventually, type World } from './world.ts';

// Whoever makes an image writes its configuration. Run for real: what can't be is refused by its code, and nothing is left of it (issue 2, bad input; SECURITY I5, E9).
let world: World;
let images: OwnImages;
useWorld((made) => void (world = made));
useOwnImages((made) => void (images = made));

type Case = {
  readonly name: string;
  readonly config: unknown;
  /** In the place of the image's command. */
  readonly command?: string;
  readonly service?: string;
} & ({ readonly says: string | RegExp } | { readonly code: string });

const show = 'command: ["sh", "-c", "pwd; id -u"]';
const many = (count: number, make: (index: number) => string): string[] => Array.from({ length: count }, (_, index) => make(index));
const cases: readonly Case[] = [
  { name: 'an entrypoint relative to the root', config: { Entrypoint: ['bin/busybox'], Cmd: ['echo', 'ran'] }, says: 'ran' },
  { name: 'an entrypoint relative to the working directory', config: { Entrypoint: ['./busybox'], Cmd: ['echo', 'ran'], WorkingDir: '/bin' }, says: 'ran' },
  { name: 'an entrypoint that climbs', config: { Entrypoint: ['../../../../bin/busybox'], Cmd: ['echo', 'ran'] }, says: 'ran' },
  { name: 'an entrypoint and a command that are texts', config: { Entrypoint: '/bin/busybox', Cmd: 'pwd' }, says: '/' },
  { name: 'an entrypoint that is not there', config: { Entrypoint: ['opt/none'] }, code: 'ENGINE_COMMAND_NOT_FOUND' },
  { name: 'an entrypoint that is a folder', config: { Entrypoint: ['/etc'] }, code: 'ENGINE_COMMAND_NOT_FOUND' },
  { name: 'an empty word as the command', config: { Cmd: [''] }, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'a NUL in the command', config: { Cmd: ['sh', 'a\0b'] }, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'a command that is no list of texts', config: { Cmd: [1, null, {}] }, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'no configuration at all', config: null, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'no configuration at all, and a command of the file', config: null, service: show, says: '/\n0' },
  { name: 'a configuration that is a list', config: [1], service: show, says: '/\n0' },
  { name: 'a variable without a value, without a name, and a good one', config: { Env: ['NONE', '=x', 'GOOD=yes', 'A=1', 'A=2', 7], Cmd: ['sh', '-c', 'echo ${NONE-unset} $GOOD $A; env | grep -c "^="'] }, says: 'unset yes 2\n0' },
  { name: 'a NUL in a variable', config: { Env: ['A=b\0c=d'], Cmd: ['env'] }, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'a line break and an escape in a variable', config: { Env: ['A=b\nC=\u001b[31m'], Cmd: ['sh', '-c', 'echo "$A" | wc -l'] }, says: '2' },
  { name: 'a variable longer than the kernel takes', config: { Env: [`A=${'x'.repeat(200_000)}`], Cmd: ['true'] }, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'more variables than a configuration may hold', config: { Env: many(60_000, (index) => `V${index}=${'x'.repeat(90)}`), Cmd: ['true'] }, code: 'ENGINE_IMAGE_INVALID' },
  { name: 'ten thousand variables', config: { Env: many(10_000, (index) => `V${index}=${index}`), Cmd: ['sh', '-c', 'echo $V9999'] }, says: '9999' },
  { name: 'a user that is not there', config: { User: 'nobody-here' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'a user with two colons', config: { User: '0:0:0' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'a user below nothing', config: { User: '-1' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'a user that would wrap round to root', config: { User: '4294967296' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'the user that means nobody changes', config: { User: '4294967295' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'a group with a list', config: { User: '0:0,evil' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'a user with a line break', config: { User: 'app\nroot:x:0' }, service: show, code: 'ENGINE_USER_UNKNOWN' },
  { name: 'a user of the image', config: { User: 'app' }, service: show, says: '/\n1000' },
  { name: 'a working directory that climbs', config: { WorkingDir: '../..' }, service: show, says: '/\n0' },
  { name: 'a working directory that is relative and missing', config: { WorkingDir: 'made/here' }, service: show, says: '/made/here\n0' },
  { name: 'a working directory below /proc', config: { WorkingDir: '/proc/self/fd/8' }, service: show, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'a working directory that is a file', config: { WorkingDir: '/etc/passwd' }, service: show, code: 'ENGINE_MOUNT_TARGET' },
  { name: 'a working directory with a NUL', config: { WorkingDir: '/a\0b' }, service: show, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'a working directory with a name that no file system has', config: { WorkingDir: `/${'x'.repeat(300)}` }, service: show, code: 'ENGINE_MOUNT_TARGET' },
  { name: 'a volume that climbs', config: { Volumes: { '/../../data': {} } }, service: 'command: ["sh", "-c", "cat /data/file.txt; grep -c \\" /data \\" /proc/mounts"]', says: 'from the image\n1' },
  { name: 'a volume that is relative', config: { Volumes: { 'rel/here': {} } }, service: 'command: ["sh", "-c", "grep -c \\" /rel/here \\" /proc/mounts"]', says: '1' },
  { name: 'a volume on /proc', config: { Volumes: { '/proc': {} } }, service: show, code: 'ENGINE_MOUNT_TARGET' },
  { name: 'a volume below /proc, by a way round', config: { Volumes: { '/etc/../proc/sys': {} } }, service: show, code: 'ENGINE_MOUNT_TARGET' },
  { name: 'a volume on the root', config: { Volumes: { '/..': {} } }, service: show, code: 'ENGINE_MOUNT_TARGET' },
  { name: 'a volume on a file', config: { Volumes: { '/etc/passwd': {} } }, service: show, code: 'ENGINE_MOUNT_TARGET' },
  { name: 'a volume with a NUL', config: { Volumes: { '/a\0b': {} } }, service: show, code: 'ENGINE_CONTAINER_SPEC' },
  { name: 'the same volume in two spellings', config: { Volumes: { '/data': {}, '/data/': {}, '//data': {} } }, service: show, says: '/\n0' },
  { name: 'volumes that are no map', config: { Volumes: ['/data'] }, service: show, says: '/\n0' },
  { name: 'a health check that is no command', config: { Healthcheck: { Test: ['BOGUS', 'x'] } }, service: show, says: '/\n0' },
  { name: 'ports that are none', config: { ExposedPorts: { 'x/tcp': {}, '999999/udp': {}, '80': {}, '/': {} } }, service: show, says: '/\n0' },
  { name: 'labels that claim to be of another application', config: { Labels: { 'com.docker.compose.project': 'other', 'io.flotilla.task': 'x', 'com.docker.compose.service': '\u001b[2J' } }, service: show, says: '/\n0' },
];

test.for(cases)('$name', async (one) => {
  const reference = images.make(`case-${cases.indexOf(one)}`, { config: one.config });
  const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${reference}"${one.service === undefined ? '' : `, ${one.service}`}}}` });
  const up = await world.run(['compose', 'up', '-d'], { cwd, timeoutMs: 30_000 });
  if ('code' in one) {
    expect(up.stderr).toContain(`error ${one.code}: `);
    expect(up.stderr).not.toContain('INTERNAL');
    expect(up.code).toBe(1);
  } else {
    expect(up.code, up.stderr).toBe(0);
    const wanted = one.says;
    const text = await eventually(async () => (await world.ok(['compose', 'logs', '--no-log-prefix'], { cwd })).stdout.trimEnd(), (now) => (typeof wanted === 'string' ? now === wanted : wanted.test(now)));
    expect(text).toMatch(wanted);
    expect(up.stderr).not.toContain('INTERNAL');
  }
  await world.ok(['compose', 'down', '-v', '-t', '0'], { cwd });
  expect((await world.ok(['ps', '-aq'])).stdout).toBe('');
});

describe('a configuration that a container lives with', () => {
  test('or doesn\'t: with more variables than the kernel takes its program fails, and that is told', async () => {
    const reference = images.make('much', { config: { Env: many(25_000, (index) => `V${index}=${'x'.repeat(130)}`), Cmd: ['true'] } });
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${reference}"}}` });
    await world.run(['compose', 'up', '-d'], { cwd });
    const row = async (): Promise<{ State: string; ExitCode: number }> => JSON.parse((await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout);
    expect((await eventually(row, (now) => now.State !== 'running')).ExitCode).not.toBe(0);
    await world.ok(['compose', 'down'], { cwd });
  });

  const loop = ['sh', '-c', 'trap "echo told; exit 0" TERM; echo ready; while :; do sleep 0.02; done'];
  test.for(['SIGNOTHING', '9999', '-1', '0', 'SIGKILL; rm', '\u001b'])('it is stopped as usual when its image asks for the signal %j', async (signal) => {
    const reference = images.make('stops', { tag: `s${Buffer.from(signal).toString('hex')}`, config: { Cmd: loop, StopSignal: signal } });
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${reference}"}}` });
    await world.ok(['compose', 'up', '-d'], { cwd });
    const logs = async (): Promise<string> => (await world.ok(['compose', 'logs', '--no-log-prefix'], { cwd })).stdout;
    await eventually(logs, (text) => text.includes('ready'));
    await world.ok(['compose', 'stop'], { cwd });
    expect(await logs()).toBe('ready\ntold\n');
    await world.ok(['compose', 'down'], { cwd });
  });

  test.for([
    ['an interval beyond all time', { Test: ['CMD-SHELL', 'echo x >> /tmp/probes'], Interval: 1e30, Timeout: 1e30, StartPeriod: 1e30, Retries: 1e18 }],
    ['an interval of nothing', { Test: ['CMD-SHELL', 'echo x >> /tmp/probes'], Interval: 1, Timeout: 1, Retries: 1 }],
    ['times below nothing', { Test: ['CMD-SHELL', 'echo x >> /tmp/probes'], Interval: -5e9, Timeout: -1, StartPeriod: -1, StartInterval: -1, Retries: -3 }],
  ] as const)('a health check with %s does not keep the machine busy', async ([, check]) => {
    const reference = images.make('probes', { tag: String(check.Interval).replace(/\W/g, 'x'), config: { Cmd: ['sh', '-c', 'sleep 1; cat /tmp/probes 2>/dev/null | wc -l; exec sleep 1000'], StopSignal: 'KILL', Healthcheck: check } });
    const cwd = world.project({ 'compose.yaml': `services: {one: {image: "${reference}"}}` });
    await world.ok(['compose', 'up', '-d'], { cwd });
    const count = await eventually(async () => (await world.ok(['compose', 'logs', '--no-log-prefix'], { cwd })).stdout.trim(), (text) => text !== '');
    expect(Number(count)).toBeLessThan(5);
    await world.ok(['compose', 'down'], { cwd });
  });
});
