import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { endDaemonIn, eventually, home, makeWorld, type Ran, type World } from './world.ts';

// Bad input (issue 2): each error has a code, its place, the reason and the remedy; nothing has changed, nothing is left over.
let world: World;
let held: Server;
const firstPort = await freePorts(3);
const [heldPort, rivalPort, freePort] = [firstPort, firstPort + 1, firstPort + 2];

beforeAll(async () => {
  world = await makeWorld();
  held = createServer();
  await new Promise<void>((resolve) => held.listen(heldPort, '0.0.0.0', resolve));
  const rival = world.project({ 'compose.yaml': `name: rival\nservices: {one: {image: busybox, command: [sleep, infinity], stop_signal: KILL, container_name: the-one, ports: ["${rivalPort}:80"]}}` });
  await world.ok(['compose', 'up', '-d'], { cwd: rival });
}, 60_000);
afterAll(async () => {
  held.close();
  expect(await world.close()).toEqual([]);
}, 60_000);

/** All that an `up` could leave: projects, containers, volumes, and what the kernel and the processes show. */
async function stock(): Promise<unknown> {
  const volumes = join(world.dir, 'root', 'engine', 'volumes');
  const containers = join(world.dir, 'root', 'engine', 'containers');
  return {
    projects: JSON.parse((await world.ok(['compose', 'ls', '-a', '--format', 'json'])).stdout),
    containers: (await world.ok(['ps', '-a', '-q', '--no-trunc'])).stdout,
    directories: readdirSync(containers).sort(),
    volumes: existsSync(volumes) ? readdirSync(volumes).sort() : [],
    kernel: world.traces().filter((line) => !line.startsWith('descriptors')),
  };
}

type Case = {
  readonly name: string;
  readonly yaml: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Line and column of each error in compose.yaml, with its code; the rest of the line says why. */
  readonly at: readonly string[];
  readonly says: readonly (string | RegExp)[];
  readonly hint: RegExp | null;
};

const cases: readonly Case[] = [
  { name: 'an unknown key, with the one that was meant', yaml: 'services:\n  web:\n    imgae: busybox\n', at: ['3:5: error SPEC_UNKNOWN_KEY'], says: ['imgae'], hint: /Did you mean .image/ },
  { name: 'two errors in one file, both told', yaml: 'services:\n  web:\n    image: busybox\n    ports: {a: b}\n    restart: 7\n', at: ['4:12: error SPEC_', '5:14: error SPEC_'], says: ['ports', 'restart'], hint: null },
  { name: 'a value of the wrong type', yaml: 'services:\n  web:\n    image: busybox\n    privileged: [1]\n', at: ['4:17: error SPEC_'], says: ['privileged'], hint: null },
  { name: 'YAML that is none', yaml: 'services:\n  web: {image: busybox\n  db: {image: busybox}\n', at: [': error SPEC_'], says: [], hint: null },
  { name: 'a cycle of dependencies', yaml: 'services:\n  a:\n    image: busybox\n    depends_on: [b]\n  b:\n    image: busybox\n    depends_on: [a]\n', at: [': error '], says: [/cycle/i, 'a', 'b'], hint: null },
  { name: 'a dependency that is no service', yaml: 'services:\n  a:\n    image: busybox\n    depends_on: [bb]\n', at: [': error SPEC_'], says: ['bb'], hint: null },
  { name: 'a network that is not declared', yaml: 'services:\n  a:\n    image: busybox\n    networks: [nowhere]\n', at: [': error SPEC_UNDEFINED'], says: ['nowhere'], hint: null },
  { name: 'an env file that is missing', yaml: 'services:\n  a:\n    image: busybox\n    env_file: [none.env]\n', at: [': error SPEC_'], says: ['none.env'], hint: null },
  { name: 'the file of a secret that is missing', yaml: 'services:\n  a:\n    image: busybox\n    secrets: [key]\nsecrets:\n  key:\n    file: ./none.txt\n', at: ['7:5: error CLI_FILE_UNREADABLE'], says: ['none.txt'], hint: /make the file/ },
  { name: 'mounts on paths that are not absolute', yaml: 'services:\n  a:\n    image: busybox\n    volumes:\n      - data:rel/path\n    tmpfs: [run]\nvolumes:\n  data: {}\n', at: ['5:9: error CLUSTER_KEY_REFUSED', '6:13: error CLUSTER_KEY_REFUSED'], says: ['"rel/path"', 'begins with /'], hint: /write it as \/var/ },
  { name: 'names that would write lines into /etc/hosts and resolv.conf', yaml: 'services:\n  a:\n    image: busybox\n    hostname: "a\\n6.6.6.6 bank"\n    extra_hosts: ["a=10.0.0.1\\n6.6.6.6 bank"]\n    dns_search: ["x\\nnameserver 6.6.6.6"]\n', at: ['4:5: error CLUSTER_KEY_REFUSED', '5:19: error CLUSTER_KEY_REFUSED', '6:18: error CLUSTER_KEY_REFUSED'], says: ['"a\\n6.6.6.6 bank"'], hint: /letters, digits/ },
  { name: 'keys that are not honoured, each at its place', yaml: 'services:\n  a:\n    image: busybox\n    blkio_config:\n      weight: 300\n  b:\n    image: busybox\n    runtime: other\n', at: ['4:5: error CLUSTER_KEY_REFUSED', '8:5: error CLUSTER_KEY_REFUSED'], says: ['blkio_config', 'runtime', 'CLUSTER_DEPLOYMENT_REFUSED', 'nothing was changed'], hint: /remove the key/ },
  { name: 'one key that is not honoured, in a service with a dot in its name', yaml: 'services:\n  a.b:\n    image: busybox\n    blkio_config:\n      weight: 300\n', at: ['4:5: error CLUSTER_KEY_REFUSED'], says: ['blkio_config'], hint: /remove the key/ },
  { name: 'an image that no registry has, beside one that is there', yaml: 'services:\n  good:\n    image: busybox\n  bad:\n    image: flotilla-no-such-image:9\n', at: ['5:5: error ENGINE_PULL_NOT_FOUND'], says: ['flotilla-no-such-image:9'], hint: /\S/ },
  { name: 'an image of another digest', yaml: `services:\n  a:\n    image: busybox@sha256:${'ab'.repeat(32)}\n`, at: ['3:5: error ENGINE_'], says: ['abababab'], hint: /\S/ },
  { name: 'a name that is no image', yaml: 'services:\n  a:\n    image: "Busy Box"\n', at: ['3:5: error'], says: ['Busy Box'], hint: null },
  { name: 'a port that a program of the host has', yaml: `services:\n  a:\n    image: busybox\n    ports:\n      - "${freePort}:1"\n      - "${heldPort}:80"\n`, at: ['6:9: error NET_PORT_IN_USE'], says: [String(heldPort)], hint: /\S/ },
  { name: 'a port that two services publish', yaml: `services:\n  a:\n    image: busybox\n    ports: ["${freePort}:80"]\n  b:\n    image: busybox\n    ports:\n      - "127.0.0.1:${freePort}:80"\n`, at: ['8:9: error CLUSTER_PORT_IN_USE'], says: [`services a and b both publish port ${freePort}/tcp`], hint: /\S/ },
  { name: 'a port that another application has', yaml: `services:\n  a:\n    image: busybox\n    ports: ["${rivalPort}:80"]\n`, at: ['4:13: error'], says: [String(rivalPort), /IN_USE/], hint: /\S/ },
  { name: 'a container_name that another application has', yaml: 'services:\n  a:\n    image: busybox\n    container_name: the-one\n', at: ['4:5: error CLUSTER_NAME_IN_USE'], says: ['the-one', 'rival'], hint: /another container_name/ },
  { name: 'a bind of a folder that is not there and not to be made', yaml: 'services:\n  a:\n    image: busybox\n    volumes:\n      - {type: bind, source: ./none, target: /x, bind: {create_host_path: false}}\n', at: ['5:9: error ENGINE_MOUNT_SOURCE'], says: ['none'], hint: /mkdir -p/ },
  { name: 'a device that the host has not', yaml: 'services:\n  a:\n    image: busybox\n    devices: ["/dev/none:/dev/x"]\n', at: ['4:15: error ENGINE_DEVICE_UNKNOWN'], says: ['/dev/none'], hint: /\/dev/ },
  { name: 'an external network that is not there', yaml: 'services:\n  a:\n    image: busybox\n    networks: [out]\nnetworks:\n  out:\n    external: true\n', at: [': error CLUSTER_NETWORK_NOT_FOUND'], says: ['out'], hint: /\S/ },
  { name: 'an external volume that is not there', yaml: 'services:\n  a:\n    image: busybox\n    volumes: ["data:/x"]\nvolumes:\n  data:\n    external: true\n', at: [': error CLUSTER_VOLUME_NOT_FOUND'], says: ['data'], hint: /\S/ },
  { name: 'the namespace of a service that is not there', yaml: 'services:\n  a:\n    image: busybox\n    network_mode: service:nobody\n', at: [': error '], says: ['nobody'], hint: null },
  { name: 'an address outside of its network', yaml: 'services:\n  a:\n    image: busybox\n    networks: {n: {ipv4_address: 10.9.9.9}}\nnetworks:\n  n:\n    ipam: {config: [{subnet: 10.251.0.0/24}]}\n', at: [': error CLUSTER_ADDRESS_INVALID'], says: ['10.9.9.9'], hint: /\S/ },
  { name: 'a container_name for several containers', yaml: 'services:\n  a:\n    image: busybox\n    container_name: only\n    deploy: {replicas: 2}\n', at: [': error '], says: ['only'], hint: null },
];

function framed(ran: Ran, yaml: string): void {
  const lines = yaml.split('\n');
  for (const [, row, column] of ran.stderr.matchAll(/compose\.yaml:(\d+):(\d+): error/g)) {
    // The line is shown, and what is under the column is shown by a caret.
    expect(ran.stderr).toContain(`> ${row} | ${lines[Number(row) - 1] ?? ''}`.trimEnd());
    expect(Number(column)).toBeGreaterThan(0);
  }
}

describe('`up` refuses, and changes nothing', () => {
  test.for(cases.map((one) => [one.name, one] as const))('%s', { timeout: 30_000 }, async ([, one]) => {
    const cwd = world.project({ 'compose.yaml': one.yaml, ...one.files });
    const before = await stock();
    const ran = await world.run(['compose', 'up', '-d'], { cwd });
    expect(ran.code, ran.stderr).toBe(1);
    expect(ran.stdout).toBe('');
    for (const at of one.at) expect(ran.stderr).toContain(at.startsWith(':') ? at : `compose.yaml:${at}`);
    expect(ran.stderr).toMatch(/compose\.yaml:\d+:\d+: error/);
    framed(ran, one.yaml);
    for (const text of one.says) expect(ran.stderr).toMatch(text);
    if (one.hint !== null) expect(ran.stderr.split('\n').filter((line) => line.includes('hint:')).join('\n')).toMatch(one.hint);
    expect(ran.stderr).not.toMatch(/BASE_INTERNAL|\bat .*\.js:\d+/);
    await eventually(stock, (now) => isDeepStrictEqual(now, before), 5000);
  });

  test('a change that is refused leaves the application as it runs', async () => {
    const cwd = world.project({ 'compose.yaml': 'services: {a: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
    await world.ok(['compose', 'up', '-d'], { cwd });
    const before = await stock();
    writeFileSync(join(cwd, 'compose.yaml'), 'services:\n  a:\n    image: busybox\n    command: [sleep, "9"]\n  b:\n    image: flotilla-no-such-image\n');
    expect((await world.run(['compose', 'up', '-d'], { cwd })).code).toBe(1);
    expect(await stock()).toEqual(before);
    await world.ok(['compose', 'down', '-t', '0', '--remove-orphans'], { cwd });
  });
});

describe('a container that can not start', () => {
  test.for([
    ['a command that is not in the image', '[/no/such]', 'ENGINE_COMMAND_NOT_FOUND'],
    ['a command that is no program', '[/etc]', 'ENGINE_COMMAND_NOT_FOUND'],
  ] as const)('%s is told with its place; `down` takes all of it away', { timeout: 30_000 }, async ([, command, code]) => {
    const before = await stock();
    const cwd = world.project({ 'compose.yaml': `services:\n  a:\n    image: busybox\n    command: ${command}\n` });
    const ran = await world.run(['compose', 'up', '-d'], { cwd });
    expect(ran.code, ran.stderr).toBe(1);
    expect(ran.stderr).toMatch(new RegExp(`compose\\.yaml:4:5: error ${code}`));
    expect(ran.stderr).toContain('hint:');
    await world.ok(['compose', 'down'], { cwd });
    await eventually(stock, (now) => isDeepStrictEqual(now, before), 5000);
  });
});

describe('what is around the daemon', () => {
  test('a registry that is down is named, with the line of the image', async () => {
    const other = await makeWorldWithConfig({ registries: { mirrors: { 'docker.io': ['http://127.0.0.1:1'] } } });
    const ran = await other(['compose', 'up', '-d'], 'services:\n  a:\n    image: 127.0.0.1:1/some/image\n');
    expect(ran.code, ran.stderr).toBe(1);
    expect(ran.stderr).toMatch(/compose\.yaml:3:5: error ENGINE_REGISTRY_DOWN/);
    expect(ran.stderr).toContain('127.0.0.1:1');
    expect(ran.stderr).toContain('hint:');
  }, 30_000);

  test('a configuration with errors keeps the daemon from starting; all of them are told', async () => {
    const other = await makeWorldWithConfig({ registreis: {}, logLevel: 'loud' });
    const ran = await other(['compose', 'up', '-d'], 'services: {a: {image: busybox}}');
    expect(ran.code, ran.stderr).toBe(4);
    expect(ran.stderr).toContain('DAEMON_BAD_CONFIG');
    expect(ran.stderr).toContain('registreis');
    expect(ran.stderr).toContain('logLevel');
  }, 30_000);

  test('who may not open the socket is told so, and how to; without root no daemon is started', async () => {
    const cwd = world.project({ 'compose.yaml': 'services: {a: {image: busybox}}' });
    for (const dir of [world.dir, join(world.dir, 'projects'), cwd]) chmodSync(dir, 0o755);
    const denied = asNobody(['compose', 'ps'], cwd, { FLOTILLA_RUN: join(world.dir, 'run') });
    expect(denied.code, denied.stderr).toBe(4);
    expect(denied.stderr).toContain('WIRE_DENIED');
    expect(denied.stderr).toContain('hint:');
    const doctor = asNobody(['doctor'], cwd, { FLOTILLA_RUN: join(world.dir, 'run'), FLOTILLA_ROOT: join(world.dir, 'root') });
    expect(doctor.stdout, doctor.stderr).toContain('✔ conmon: ');
    expect(doctor.stdout).toMatch(/! daemon: .* is for root and the group flotilla\n {4}mend it: /);
    const none = asNobody(['compose', 'up', '-d'], cwd, { FLOTILLA_RUN: join(world.dir, 'no-run'), FLOTILLA_ROOT: join(world.dir, 'no-root') });
    expect(none.code, none.stderr).toBe(4);
    expect(none.stderr).toMatch(/root/);
    expect(none.stderr).toContain('hint:');
    expect(none.stderr).not.toMatch(/BASE_INTERNAL|\bat .*\.js:\d+/);
  }, 30_000);
});

type Result = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a command against a daemon of its own that is asked only for this, and ends it. */
async function makeWorldWithConfig(config: unknown): Promise<(args: readonly string[], yaml: string) => Promise<Result>> {
  const folder = world.project({ 'config.json': JSON.stringify(config) });
  return async (args, yaml) => {
    writeFileSync(join(folder, 'compose.yaml'), yaml);
    const ran = spawnSync(join(home, 'bin', 'flotilla'), args, {
      cwd: folder, encoding: 'utf8', timeout: 25_000,
      env: { ...process.env, FLOTILLA_CONFIG: join(folder, 'config.json'), FLOTILLA_ROOT: join(folder, 'root'), FLOTILLA_RUN: join(folder, 'run'), NO_COLOR: '1' },
    });
    expect(await endDaemonIn(folder)).toEqual([]);
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
  };
}

/** NOTE: it may read everything, so that it reaches the command also in a home that is closed to others; to open a socket takes more. */
function asNobody(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Result {
  const ran = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search', join(home, 'bin', 'flotilla'), ...args], { cwd, encoding: 'utf8', timeout: 20_000, env: { PATH: process.env['PATH'], NO_COLOR: '1', HOME: '/nonexistent', ...env } });
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}
