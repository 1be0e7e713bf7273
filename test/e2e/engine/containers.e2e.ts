import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerEvent, LogLine } from '../../../src/model/container.ts';
import type { ContainerSpec } from '../../../src/model/container-spec.ts';
import type { ExecOptions } from '../../../src/engine/engine.ts';
import { settledLeaks, takeTraces } from '../leak-check.ts';
import type { Traces } from '../leak-check.ts';
import { dropRoots, newId, newRoots, openTestEngine, specOf } from './setup.ts';
import type { TestRoots } from './setup.ts';

type Opened = Awaited<ReturnType<typeof openTestEngine>>;

let roots: TestRoots;
let engine: Opened;
let before: Traces;
const events: ContainerEvent[] = [];

beforeAll(async () => {
  roots = newRoots();
  engine = await openTestEngine(roots);
  engine.containers.onEvent((event) => events.push(event));
  // The first container makes what stays for all: the parent group, the compiled filter.
  await runOnce({ command: ['true'] });
  before = takeTraces([roots.dataRoot, roots.cgroupParent]);
});

afterEach(async () => {
  for (const one of engine.containers.list()) await engine.containers.remove(one.id, { force: true, volumes: true });
  events.length = 0;
  expect(await settledLeaks(before, [roots.dataRoot, roots.cgroupParent])).toEqual([]);
});

afterAll(() => {
  engine.containers.close();
  dropRoots(roots);
});

const allLogs = { follow: true, tailLines: null, sinceMs: null, untilMs: null } as const;

async function started(more: Partial<ContainerSpec>): Promise<string> {
  const id = newId();
  await engine.containers.create(id, specOf(more));
  await engine.containers.start(id);
  return id;
}

async function lines(id: string, options: Parameters<Opened['containers']['logs']>[1] = allLogs): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const line of engine.containers.logs(id, options)) found.push(line);
  return found;
}

/** The program's own lines: the monitor cuts one where its buffer ends, and says so. */
function joined(found: readonly LogLine[]): string[] {
  const whole: string[] = [];
  let part = '';
  for (const line of found) {
    part += line.text;
    if (line.isPartial) continue;
    whole.push(part);
    part = '';
  }
  return part === '' ? whole : [...whole, part];
}

async function runOnce(more: Partial<ContainerSpec>): Promise<{ readonly out: string; readonly exitCode: number | null }> {
  const id = await started(more);
  const out = joined(await lines(id)).join('\n');
  await ended(id);
  const exitCode = engine.containers.get(id)?.exitCode ?? null;
  await engine.containers.remove(id, { force: true, volumes: true });
  return { out, exitCode };
}

async function ended(id: string): Promise<void> {
  await until(() => engine.containers.get(id)?.state === 'exited');
}

async function until(isTrue: () => boolean, deadlineMs: number = 20_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error('the state did not come in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function exec(id: string, argv: readonly string[], more: Partial<ExecOptions> = {}): Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number }> {
  const session = await engine.containers.exec(id, { argv, environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false, ...more });
  const text = { stdout: '', stderr: '' };
  session.onOutput((stream, chunk) => (text[stream] += Buffer.from(chunk).toString()));
  const code = await session.exitCode;
  return { ...text, code };
}

describe('a container', () => {
  test('is created, started, ends with its code, and its output is kept', async () => {
    events.length = 0;
    const id = await started({ command: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
    const found = await lines(id);
    await ended(id);
    expect(found.map((line) => [line.stream, line.text]).sort()).toEqual([['stderr', 'err'], ['stdout', 'out']]);
    expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exitCode: 3, oomKilled: false, pid: null });
    expect(events.map((event) => event.kind)).toEqual(['created', 'started', 'exited']);
  });

  test('starts again after it ended', async () => {
    const id = await started({ command: ['sh', '-c', 'echo again; exit 1'] });
    await ended(id);
    await engine.containers.start(id);
    await until(() => events.filter((event) => event.kind === 'exited').length === 2);
    expect((await lines(id)).map((line) => line.text)).toEqual(['again', 'again']);
  });

  test('gets its stop signal, then SIGKILL after its grace', async () => {
    const polite = await started({ command: ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.05; done'] });
    await until(() => (readFileSync(`/proc/${engine.containers.get(polite)?.pid}/status`, 'utf8').match(/SigCgt:\s*\S*[4-7c-f]\S{3}$/m) ?? []).length > 0);
    expect(await engine.containers.stop(polite, { graceMs: 5000 })).toMatchObject({ state: 'exited', exitCode: 7 });
    const deaf = await started({ command: ['sleep', '1000'] });
    expect(await engine.containers.stop(deaf, { graceMs: 50 })).toMatchObject({ exitCode: 137 });
  });

  test('that does not exist in the image is refused by name, and leaves nothing', async () => {
    const id = newId();
    await expect(engine.containers.create(id, specOf({ command: ['no-such-program'] }))).rejects.toMatchObject({ code: 'ENGINE_COMMAND_NOT_FOUND' });
    expect(engine.containers.get(id)).toBeNull();
    expect(existsSync(join(roots.dataRoot, 'containers', id))).toBe(false);
  });

  test('is told when it was killed for memory', async () => {
    const none = specOf().resources;
    const id = await started({ command: ['sh', '-c', 'x=a; while :; do x=$x$x; done'], resources: { ...none, memoryBytes: 16 * 1024 * 1024, memorySwapBytes: 16 * 1024 * 1024 } });
    await ended(id);
    expect(engine.containers.get(id)).toMatchObject({ exitCode: 137, oomKilled: true });
  });

  test('runs as the user of its spec, with the groups of its image, in its directory, which is made', async () => {
    const { out } = await runOnce({ command: ['sh', '-c', 'id -u; id -g; id -G; pwd; echo $HOME $HOSTNAME; hostname'], user: 'app', groupAdd: ['extra', '77'], workingDir: '/srv/new', hostname: 'web' });
    expect(out.split('\n')).toEqual(['1000', '1001', '1001 77 2000', '/srv/new', '/home/app web', 'web']);
  });

  test('sees injected files, whose content can be rewritten while it runs; a secret is not on the disk', async () => {
    const content = (text: string): Uint8Array => Buffer.from(text);
    const id = await started({
      files: [
        { target: '/etc/hosts', content: content('one\n'), uid: 0, gid: 0, mode: 0o644, isSecret: false, readOnly: false },
        { target: '/run/secrets/key', content: content('canary-5f1c'), uid: 1000, gid: 1001, mode: 0o400, isSecret: true, readOnly: true },
      ],
    });
    expect((await exec(id, ['sh', '-c', 'cat /etc/hosts /run/secrets/key; stat -c " %u %g %a" /run/secrets/key'])).stdout).toBe('one\ncanary-5f1c 1000 1001 400\n');
    await engine.containers.rewriteFile(id, '/etc/hosts', content('two\n'));
    expect((await exec(id, ['cat', '/etc/hosts'])).stdout).toBe('two\n');
    expect((await exec(id, ['sh', '-c', 'echo x > /run/secrets/key'])).code).not.toBe(0);
    expect(execFileSync('sh', ['-c', `grep -rlx canary-5f1c ${roots.dataRoot}/containers ${roots.dataRoot}/rootfs/*/upper || true`], { encoding: 'utf8' })).toBe('');
    expect(execFileSync('stat', ['-f', '-c', '%T', join(roots.runRoot, 'secrets')], { encoding: 'utf8' })).toBe('tmpfs\n');
  });
});

describe('exec', () => {
  test('of what can not be run is an exit code and an error with a code, without a word of the runtime', async () => {
    const id = await started({});
    await exec(id, ['sh', '-c', 'printf "#!/no/shell\\n" > /tmp/script; chmod +x /tmp/script; printf "\\0\\0" > /tmp/data; chmod +x /tmp/data']);
    const rows: readonly (readonly [Partial<ExecOptions> & { readonly argv: readonly string[] }, number, string])[] = [
      [{ argv: ['no-such-program'] }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
      [{ argv: ['/no/such/program'] }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
      [{ argv: ['/tmp/script'] }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
      [{ argv: ['/etc/passwd'] }, 126, 'ENGINE_COMMAND_NOT_FOUND'],
      [{ argv: ['/etc'] }, 126, 'ENGINE_COMMAND_NOT_FOUND'],
      [{ argv: ['/tmp/data'] }, 126, 'ENGINE_COMMAND_NOT_FOUND'],
      [{ argv: ['ls'], workingDir: '/no/such/folder' }, 127, 'ENGINE_CONTAINER_SPEC'],
      [{ argv: ['no-such-program'], tty: true }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ];
    for (const [options, code, error] of rows) {
      const session = await engine.containers.exec(id, { environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false, ...options });
      let text = '';
      session.onOutput((_, chunk) => (text += Buffer.from(chunk).toString()));
      expect([options.argv, await session.exitCode, session.failure()?.code, text]).toEqual([options.argv, code, error, '']);
    }
    // A program may say and answer the same: that is its own matter.
    const own = await engine.containers.exec(id, { argv: ['sh', '-c', 'echo "exec: no such file or directory" >&2; exit 127'], environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false });
    let text = '';
    own.onOutput((_, chunk) => (text += Buffer.from(chunk).toString()));
    expect([await own.exitCode, own.failure(), text]).toEqual([127, null, 'exec: no such file or directory\n']);
  });

  test('a program\'s own words are not held back, whatever they sound like', async () => {
    const id = await started({});
    for (const words of ['error: exec: file not found', 'exec sh: no such file or directory', 'plain']) {
      const abort = new AbortController();
      const session = await engine.containers.exec(id, { argv: ['sh', '-c', `echo "${words}" >&2; sleep 60`], environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false, signal: abort.signal });
      const first = await new Promise<string>((resolve) => session.onOutput((_, chunk) => resolve(Buffer.from(chunk).toString())));
      expect(first).toBe(`${words}\n`);
      abort.abort();
      await session.exitCode;
    }
  }, 20_000);

  test('gives output and codes', async () => {
    const id = await started({});
    expect(await exec(id, ['sh', '-c', 'echo a; echo b >&2; exit 5'])).toEqual({ stdout: 'a\n', stderr: 'b\n', code: 5 });
    expect((await exec(id, ['sh', '-c', 'exit 255'])).code).toBe(255);
  });

  test('takes input, a user, a directory and variables', async () => {
    const id = await started({});
    const session = await engine.containers.exec(id, { argv: ['sh', '-c', 'cat; id -u; pwd; echo $X'], environment: { X: 'y' }, user: 'app', workingDir: '/tmp', tty: false, stdin: true, privileged: false });
    let text = '';
    session.onOutput((_, chunk) => (text += Buffer.from(chunk).toString()));
    session.write(Buffer.from('input\n'));
    session.endInput();
    expect(await session.exitCode).toBe(0);
    expect(text).toBe('input\n1000\n/tmp\ny\n');
  });

  test('on a terminal echoes, and knows its size and when it changes', async () => {
    const id = await started({});
    const session = await engine.containers.exec(id, { argv: ['sh'], environment: {}, user: null, workingDir: null, tty: true, stdin: true, privileged: false });
    let text = '';
    session.onOutput((_, chunk) => (text += Buffer.from(chunk).toString()));
    await until(() => text.includes('#'));
    session.resize(91, 37);
    session.write(Buffer.from('sleep 0.2; stty size; tty; exit 4\n'));
    expect(await session.exitCode).toBe(4);
    expect(text).toContain('37 91');
    expect(text).toContain('/dev/pts/');
  });

  test('refuses users that are none', async () => {
    const id = await started({});
    for (const user of ['0:0,evil', '4294967296', '4294967295', '-1', '0:4294967296', 'ghost', 'app:ghost', '0x0', ' 0', '0:0:0', 'root\n', ':', '1e3']) {
      await expect(exec(id, ['id'], { user }), user).rejects.toMatchObject({ code: 'ENGINE_USER_UNKNOWN' });
    }
  });

  test('ends with its container and when it is aborted', async () => {
    const id = await started({});
    const abort = new AbortController();
    const session = await engine.containers.exec(id, { argv: ['sleep', '100'], environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false, signal: abort.signal });
    await until(() => spawnSync('pgrep', ['-f', '^sleep 100$']).status === 0);
    abort.abort();
    expect(await session.exitCode).toBe(137);
    await expect(exec(newId(), ['true'])).rejects.toMatchObject({ code: 'ENGINE_CONTAINER_UNKNOWN' });
  });
});

describe('volumes', () => {
  test('are filled from the image once, with owners, and outlive their containers', async () => {
    const mounts = [{ kind: 'volume' as const, volumeName: 'filled', target: '/data', readOnly: false, noCopy: false, subpath: null }];
    const { out } = await runOnce({ mounts, command: ['sh', '-c', 'cat /data/link; stat -c "%u %g %a" /data /data/file.txt; echo more > /data/file.txt'] });
    expect(out.split('\n')).toEqual(['from the image', '1000 1001 755', '1000 1001 640']);
    expect((await runOnce({ mounts, command: ['cat', '/data/file.txt'] })).out).toBe('more');
    await engine.volumes.remove('filled');
    expect(await engine.volumes.get('filled')).toBeNull();
  });

  test('are not filled with nocopy, are refused to be removed while in use, and anonymous ones go with the container', async () => {
    const id = await started({
      mounts: [
        { kind: 'volume', volumeName: 'bare', target: '/data', readOnly: false, noCopy: true, subpath: null },
        { kind: 'volume', volumeName: '', target: '/other', readOnly: false, noCopy: false, subpath: null },
      ],
    });
    expect((await exec(id, ['ls', '/data'])).stdout).toBe('');
    await expect(engine.volumes.remove('bare')).rejects.toMatchObject({ code: 'ENGINE_VOLUME_IN_USE' });
    expect(await engine.volumes.list()).toHaveLength(2);
    await engine.containers.remove(id, { force: true, volumes: true });
    expect((await engine.volumes.list()).map((one) => one.name)).toEqual(['bare']);
    await engine.volumes.remove('bare');
  });

  test('of the driver options tmpfs and bind are mounted while they are used', async () => {
    const source = join(roots.dataRoot, 'shared');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'here'), 'yes');
    await engine.volumes.create({ name: 'memory', labels: {}, driver: 'local', options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' } });
    await engine.volumes.create({ name: 'bound', labels: {}, driver: 'local', options: { type: 'none', device: source, o: 'bind,ro' } });
    const { out } = await runOnce({
      command: ['sh', '-c', 'stat -f -c %T /memory; cat /bound/here; touch /bound/x 2>/dev/null || echo ro'],
      mounts: [
        { kind: 'volume', volumeName: 'memory', target: '/memory', readOnly: false, noCopy: false, subpath: null },
        { kind: 'volume', volumeName: 'bound', target: '/bound', readOnly: false, noCopy: false, subpath: null },
      ],
    });
    expect(out).toBe('tmpfs\nyesro');
    await engine.volumes.remove('memory');
    await engine.volumes.remove('bound');
    await expect(engine.volumes.create({ name: 'x', labels: {}, driver: 'local', options: { colour: 'red' } })).rejects.toMatchObject({ code: 'ENGINE_VOLUME_DRIVER' });
    await expect(engine.volumes.create({ name: '../x', labels: {}, driver: 'local', options: {} })).rejects.toMatchObject({ code: 'ENGINE_VOLUME_NAME' });
  });

  test.for(['/proc/sys/kernel/core_pattern', '/proc/../proc/version', '/'])('nothing is put on %s, by a file or a volume', async (target) => {
    const file = { target, content: new TextEncoder().encode('x'), uid: 0, gid: 0, mode: 0o444, isSecret: false, readOnly: true };
    await expect(engine.containers.create(newId(), specOf({ files: [file] }))).rejects.toMatchObject({ code: 'ENGINE_MOUNT_TARGET' });
    const mount = { kind: 'volume' as const, volumeName: 'onproc', target, readOnly: false, noCopy: false, subpath: null };
    await expect(engine.containers.create(newId(), specOf({ mounts: [mount] }))).rejects.toMatchObject({ code: 'ENGINE_MOUNT_TARGET' });
  });

  test('and binds: a subpath, a read-only file, a missing source', async () => {
    const file = join(roots.dataRoot, 'one.txt');
    writeFileSync(file, 'bound file');
    const bind = { kind: 'bind' as const, source: file, target: '/etc/one.txt', readOnly: true, propagation: 'rprivate', createHostPath: false, isRecursive: true };
    expect((await runOnce({ mounts: [bind], command: ['sh', '-c', 'cat /etc/one.txt; echo x > /etc/one.txt'] }))).toMatchObject({ exitCode: 1 });
    await expect(started({ mounts: [{ ...bind, source: join(roots.dataRoot, 'nope') }] })).rejects.toMatchObject({ code: 'ENGINE_MOUNT_SOURCE' });
    expect(statSync(file).size).toBe(10);
  });
});

describe('a read-only bind', () => {
  const below = (name: string): string => join(roots.dataRoot, name);
  const bind = (submounts?: 'writable' | 'read-only'): ContainerSpec['mounts'][number] => ({ kind: 'bind', source: below('tree'), target: '/tree', readOnly: true, propagation: 'rprivate', createHostPath: false, isRecursive: true, ...(submounts === undefined ? {} : { submounts }) });

  // As Docker since version 25.
  test.for([[undefined, 1], ['read-only', 1], ['writable', 0]] as const)('of a tree with a mount below it, asked for %s, ends a write down there with %d', async ([submounts, code]) => {
    mkdirSync(below('tree/sub'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', below('tree/sub')]);
    try {
      expect((await runOnce({ mounts: [bind(submounts)], command: ['sh', '-c', 'grep -q " /tree/sub " /proc/mounts && touch /tree/top 2>/dev/null && exit 9; touch /tree/sub/x'] })).exitCode).toBe(code);
    } finally {
      execFileSync('umount', [below('tree/sub')]);
    }
  });
});

describe('logs', () => {
  test('are read from their end, within a time, and followed to the end of the container', async () => {
    const id = await started({ command: ['sh', '-c', 'for i in $(seq 1 2000); do echo line $i; done; sleep 0.3; echo last'] });
    const followed = await lines(id);
    expect(joined(followed)).toHaveLength(2001);
    expect(followed.at(-1)?.text).toBe('last');
    expect(joined(await lines(id, { ...allLogs, follow: false, tailLines: 3 }))).toEqual(['line 1999', 'line 2000', 'last']);
    expect((await lines(id, { ...allLogs, follow: false, sinceMs: followed.at(-1)?.timeMs ?? 0 })).map((line) => line.text)).toEqual(['last']);
    expect(await lines(id, { ...allLogs, follow: false, untilMs: (followed[0]?.timeMs ?? 0) - 1 })).toEqual([]);
  });

  test('rotate: what is kept is bounded, read across the files, and no line is read twice', async () => {
    const id = await started({ command: ['sh', '-c', 'for i in $(seq 1 3000); do echo $i 0123456789012345678901234567890123456789; done; sleep 1.3; echo end'], logging: { driver: 'local', maxSizeBytes: 100_000, maxFiles: 3 } });
    const followed = await lines(id);
    expect(followed.at(-1)?.text).toBe('end');
    const numbers = joined(followed).slice(0, -1).map((line) => Number(line.split(' ')[0]));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const total = execFileSync('du', ['-sb', join(roots.dataRoot, 'containers', id, 'logs')], { encoding: 'utf8' });
    expect(Number(total.split('\t')[0])).toBeLessThan(3 * 110_000 + 10_000);
  });

  test('a line longer than the monitor takes at once comes in parts that say so', async () => {
    const id = await started({ command: ['sh', '-c', 'head -c 40000 /dev/zero | tr "\\0" x; echo; echo next'] });
    const found = await lines(id);
    expect(found.filter((line) => !line.isPartial).length).toBe(2);
    expect(found.slice(0, -1).map((line) => line.text).join('')).toBe('x'.repeat(40_000));
    expect(await lines(id, { ...allLogs, follow: false, tailLines: 1 })).toMatchObject([{ text: 'next' }]);
  });
});

describe('health', () => {
  test('goes from starting to healthy to unhealthy, as its probe says', async () => {
    const check = { test: { kind: 'shell' as const, line: 'test -e /tmp/ok' }, intervalMs: 60, timeoutMs: 5000, startPeriodMs: null, startIntervalMs: null, retries: 2 };
    const id = await started({ healthcheck: check });
    expect(engine.containers.get(id)?.health).toBe('starting');
    await until(() => engine.containers.get(id)?.health === 'unhealthy');
    await exec(id, ['touch', '/tmp/ok']);
    await until(() => engine.containers.get(id)?.health === 'healthy');
    expect(engine.containers.get(id)?.healthLog.at(-1)).toMatchObject({ exitCode: 0 });
    expect(events.filter((event) => event.kind === 'health').map((event) => event.health)).toEqual(['unhealthy', 'healthy']);
  });
});
