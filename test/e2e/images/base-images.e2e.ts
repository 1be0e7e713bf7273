import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import { openEngine } from '../../../src/engine/open-engine.ts';
import type { ContainerSpec } from '../../../src/model/container-spec.ts';
import { settledLeaks, takeTraces } from '../leak-check.ts';
import type { Traces } from '../leak-check.ts';
import { dropRoots, newId, newRoots, realClock, realRandom, specOf, stderrLog } from '../engine/setup.ts';
import type { TestRoots } from '../engine/setup.ts';

// The examples' base images, made if they are not there, pulled from their registry and run by the engine.
const namespace = `fl-img-${randomBytes(3).toString('hex')}`;
let roots: TestRoots;
let engine: Engine;
let before: Traces;

beforeAll(async () => {
  const out = execFileSync(process.execPath, [join(import.meta.dirname, '../../../examples/images/build.ts')], { encoding: 'utf8' });
  const mirror = out.trim().split('\n').at(-1) ?? '';
  execFileSync('ip', ['netns', 'add', namespace]);
  execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  roots = newRoots();
  engine = await openEngine({ ...roots, runtime: 'auto', registries: { mirrors: { 'docker.io': [mirror] }, insecure: [] }, credentials: async () => null, clock: realClock, random: realRandom, log: stderrLog });
  await run('busybox', { command: ['true'] });
  await engine.containers.remove(engine.containers.list()[0]?.id ?? '', { force: true, volumes: true });
  before = takeTraces([roots.dataRoot, roots.cgroupParent]);
}, 300_000);

afterEach(async () => {
  for (const one of engine.containers.list()) await engine.containers.remove(one.id, { force: true, volumes: true });
  expect(await settledLeaks(before, [roots.dataRoot, roots.cgroupParent])).toEqual([]);
});

afterAll(async () => {
  await engine.close();
  dropRoots(roots);
  execFileSync('ip', ['netns', 'del', namespace]);
});

/** Pulls and starts; the network is one of the test's own, with nothing but loopback. */
async function run(image: string, more: Partial<ContainerSpec>): Promise<string> {
  await engine.images.pull({ reference: image });
  const id = newId();
  const base = specOf();
  await engine.containers.create(id, { ...base, image, command: null, namespaces: { ...base.namespaces, network: { kind: 'path', path: `/run/netns/${namespace}` } }, ...more });
  await engine.containers.start(id);
  return id;
}

async function output(id: string): Promise<string> {
  const lines: string[] = [];
  for await (const line of engine.containers.logs(id, { follow: true, tailLines: null, sinceMs: null, untilMs: null })) lines.push(line.text);
  return lines.join('\n');
}

async function exec(id: string, argv: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const session = await engine.containers.exec(id, { argv, environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false });
  const parts: string[] = [];
  session.onOutput((_, chunk) => void parts.push(Buffer.from(chunk).toString()));
  return { code: await session.exitCode, text: parts.join('').trim() };
}

/** Runs the command until it succeeds with this text. */
async function until(id: string, argv: readonly string[], wanted: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  let last = { code: -1, text: '' };
  while (performance.now() < deadline) {
    last = await exec(id, argv);
    if (last.code === 0 && last.text.includes(wanted)) return;
    await realClock.sleep(100);
  }
  throw new Error(`${argv.join(' ')} still gives ${last.code}: ${last.text}\n${engine.containers.get(id)?.state ?? 'gone'}`);
}

test('busybox and debian run their shells', async () => {
  expect(await output(await run('busybox', { command: ['sh', '-c', 'id -u; echo $PATH; ls /bin/wget /bin/nslookup /bin/httpd'] }))).toBe('0\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n/bin/httpd\n/bin/nslookup\n/bin/wget');
  expect(await output(await run('debian:stable-slim', { command: ['bash', '-c', '. /etc/os-release; echo $ID; stat -c %a /tmp; readlink -f /var/run'] }))).toMatch(/^(debian|ubuntu)\n1777\n\/run$/);
});

test('node runs a script, and what is a command is run as one', async () => {
  expect(await output(await run('node:24-slim', { command: ['-p', '1 + 1'] }))).toBe('2');
  expect(await output(await run('node:24-slim', { command: ['id', '-un'], user: 'node' }))).toBe('node');
});

test('redis serves as its own user and keeps its data in /data', async () => {
  const id = await run('redis', {});
  await until(id, ['redis-cli', 'ping'], 'PONG');
  expect((await exec(id, ['redis-cli', 'config', 'get', 'protected-mode'])).text).toContain('no');
  expect((await exec(id, ['sh', '-c', 'redis-cli set a b && redis-cli save && stat -c %U /data/dump.rdb'])).text).toBe('OK\nOK\nredis');
  expect((await exec(id, ['stat', '-c', '%U', '/proc/1'])).text).toBe('redis');
}, 90_000);

test('nginx serves its page, templates get the environment, and SIGQUIT ends it', async () => {
  const id = await run('nginx', { environment: { WHO: 'flotilla' }, files: [{ target: '/etc/nginx/templates/who.conf.template', content: Buffer.from('server { listen 8080; location / { return 200 "$uri by ${WHO}"; } }\n'), uid: 0, gid: 0, mode: 0o644, isSecret: false, readOnly: true }] });
  await until(id, ['curl', '-sf', 'http://127.0.0.1/'], 'Welcome to nginx!');
  expect((await exec(id, ['curl', '-s', 'http://127.0.0.1:8080/x'])).text).toBe('/x by flotilla');
  expect((await engine.containers.stop(id, {})).exitCode).toBe(0);
}, 90_000);

test('postgres makes its database from the environment, a secret and first scripts, and keeps it over a restart', async () => {
  const file = (target: string, text: string, isSecret: boolean): ContainerSpec['files'][number] => ({ target, content: Buffer.from(text), uid: 999, gid: 999, mode: 0o444, isSecret, readOnly: true });
  const id = await run('postgres:15', {
    environment: { POSTGRES_PASSWORD_FILE: '/run/secrets/pg', POSTGRES_USER: 'app', POSTGRES_DB: 'appdb' },
    files: [file('/run/secrets/pg', 'geheim\n', true), file('/docker-entrypoint-initdb.d/1.sql', 'create table t(a int); insert into t values (42);', false)],
  });
  await until(id, ['pg_isready', '-h', '127.0.0.1', '-U', 'app'], 'accepting connections');
  const query = ['sh', '-c', 'PGPASSWORD=geheim psql -h 127.0.0.1 -U app -d appdb -Atc "select a from t"'];
  await until(id, query, '42');
  expect((await engine.containers.stop(id, {})).exitCode).toBe(0);
  await engine.containers.start(id);
  await until(id, query, '42');
}, 180_000);

test('an image in use is not removed; when its container is gone it is', async () => {
  const id = await run('busybox', { command: ['sleep', '1000'] });
  await expect(engine.images.remove('busybox', { force: false })).rejects.toMatchObject({ code: 'ENGINE_IMAGE_IN_USE' });
  await engine.containers.remove(id, { force: true, volumes: true });
  expect((await engine.images.remove('busybox', { force: false })).untagged).toContain('busybox:latest');
  expect(await engine.images.get('busybox')).toBe(null);
});
