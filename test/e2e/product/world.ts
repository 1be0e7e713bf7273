import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instanceOf } from '../../../src/daemon/identity.ts';
import { type KernelNames, kernelNames } from '../../../src/net/link-names.ts';
import { leaks, settledLeaks, takeTraces, type Traces } from '../leak-check.ts';

export const home: string = join(import.meta.dirname, '..', '..', '..');
const flotilla = join(home, 'bin', 'flotilla');

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string; readonly wallMs: number };

/** A Flotilla of its own: data, sockets, control groups and kernel names apart from every other on the machine. */
export type World = {
  readonly dir: string;
  /** Runs `flotilla …` in a directory. `input` goes to its standard input. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  /** As `run`, and fails the test with the output when the exit code is not 0. */
  readonly ok: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  readonly start: (args: readonly string[], options?: RunOptions) => ChildProcess;
  /** Writes a compose file and what it needs into a directory of its own; answers it. */
  readonly project: (files: Readonly<Record<string, string>>) => string;
  readonly daemonPid: () => Promise<number>;
  /** SIGKILL, and waits until it is gone. */
  readonly killDaemon: () => Promise<void>;
  /** As a power cut and a boot: every process of the containers, every mount and namespace is gone. */
  readonly reboot: () => Promise<void>;
  readonly setEnv: (name: string, value: string | undefined) => void;
  /** What is left of containers and networks that was not there when the world began. */
  readonly leftovers: () => Promise<string[]>;
  /** The same, at once: to compare two moments while applications run. */
  readonly traces: () => string[];
  readonly close: () => Promise<string[]>;
};

export type RunOptions = { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly input?: string; readonly timeoutMs?: number };

export async function makeWorld(): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-world-'));
  const rootDir = join(dir, 'root');
  const mirror = process.env['FLOTILLA_TEST_MIRROR'];
  if (mirror === undefined) throw new Error('FLOTILLA_TEST_MIRROR is not set: run the tests by `make e2e`');
  mkdirSync(join(dir, 'projects'));
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ registries: { mirrors: { 'docker.io': [mirror] } }, addressPools: [{ cidr: poolOf(dir), prefixLength: 24 }], logLevel: 'debug' }));
  const env: Record<string, string | undefined> = {
    ...process.env, FLOTILLA_ROOT: rootDir, FLOTILLA_RUN: join(dir, 'run'), FLOTILLA_SOCKET: undefined, FLOTILLA_CONFIG: join(dir, 'config.json'), HOME: dir, NO_COLOR: '1',
  };
  const instance = instanceOf(rootDir);
  const names = kernelNames(instance);
  const scope = [dir, instance, names.linkPrefix, names.table];
  let projects = 0;
  const start = (args: readonly string[], options: RunOptions = {}): ChildProcess =>
    spawn(flotilla, args, { cwd: options.cwd ?? dir, env: { ...env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const run = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const child = start(args, options);
      let [stdout, stderr] = ['', ''];
      child.stdout?.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(options.input ?? '');
      const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 128), stdout, stderr, wallMs: performance.now() - began });
      });
    });
  const ok = async (args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
    const ran = await run(args, options);
    if (ran.code !== 0) throw new Error(`flotilla ${args.join(' ')} ended with ${ran.code} after ${Math.round(ran.wallMs)} ms\n${ran.stdout}\n${ran.stderr}\n${daemonLog(rootDir)}`);
    return ran;
  };
  const daemonPid = async (): Promise<number> => Number(JSON.parse((await ok(['info', '--format', 'json'])).stdout).DaemonPid);
  const killDaemon = async (): Promise<void> => {
    const pid = pidOf(join(dir, 'run', 'daemon.pid'));
    if (pid !== null) await killAndWait(pid);
  };
  // What one application leaves for the next (the control group of all containers, the link of the gateways) is not a leak.
  mkdirSync(join(dir, 'warm'));
  writeFileSync(join(dir, 'warm', 'compose.yaml'), 'services: {one: {image: busybox, command: [sleep, "60"]}}');
  try {
    await ok(['compose', 'up', '-d'], { cwd: join(dir, 'warm') });
    await ok(['compose', 'down', '-t', '0'], { cwd: join(dir, 'warm') });
  } catch (error) {
    await killDaemon();
    await endOfBoot({ dir, instance, names });
    throw error;
  }
  const before: Traces = takeTraces(scope);
  const tableBefore = nftTable(names.table);
  const leftovers = async (): Promise<string[]> => {
    const left = await settledLeaks(before, scope);
    return [...left, ...nftTable(names.table).filter((line) => !tableBefore.includes(line)).map((line) => `nft: ${line}`)];
  };
  const world: World = {
    dir, run, ok, start, daemonPid, killDaemon,
    traces: () => leaks(before, takeTraces(scope)).concat(nftTable(names.table).filter((line) => !tableBefore.includes(line))).sort(),
    project: (files) => {
      projects += 1;
      const folder = join(dir, 'projects', `p${projects}`);
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(join(folder, name, '..'), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      return folder;
    },
    reboot: async () => {
      await killDaemon();
      await endOfBoot({ dir, instance, names });
      env['FLOTILLA_BOOT_ID'] = `boot-${performance.now()}`;
    },
    setEnv: (name, value) => void (env[name] = value),
    leftovers,
    close: async () => {
      for (const project of JSON.parse((await ok(['compose', 'ls', '--all', '--format', 'json'])).stdout)) await run(['compose', '-p', project.Name, 'down', '-v', '-t', '0', '--remove-orphans'], { cwd: '/' });
      const left = await leftovers();
      await killWithHelpers(pidOf(join(dir, 'run', 'daemon.pid')));
      await endOfBoot({ dir, instance, names });
      rmSync(dir, { recursive: true, force: true });
      return [...left, ...stays(scope)];
    },
  };
  return world;
}

/** Two worlds at one time must not both take the first free network. */
function poolOf(dir: string): string {
  const [byte = 0] = createHash('sha256').update(dir).digest();
  return `10.${64 + (byte % 128)}.0.0/16`;
}

/** For a daemon beside the world's, with its `root` and `run` in this directory: ends it, and all that it has left in the kernel. Answers what stays. */
export async function endDaemonIn(dir: string): Promise<string[]> {
  const instance = instanceOf(join(dir, 'root'));
  const names = kernelNames(instance);
  await endOfBoot({ dir, instance, names });
  return stays([dir, instance, names.linkPrefix, names.table]);
}

/** Ends what a power cut would: the processes of containers and their monitors, mounts, links, rules, control groups, and all of the run directory. */
async function endOfBoot(of: { readonly dir: string; readonly instance: string; readonly names: KernelNames }): Promise<void> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid && belongs(pid, of));
  await Promise.all(pids.map(killAndWait));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${of.dir}/`));
  for (const path of mounts.reverse()) quietly('umount', ['-l', path]);
  quietly('nft', ['delete', 'table', 'inet', of.names.table]);
  for (const link of readdirSync('/sys/class/net').filter((name) => name.startsWith(of.names.linkPrefix))) quietly('ip', ['link', 'delete', link]);
  for (const cgroup of takeTraces([`/flotilla-${of.instance}`]).cgroups.toReversed()) quietly('rmdir', [cgroup]);
  rmSync(join(of.dir, 'run'), { recursive: true, force: true });
}

/** What of a closed world is still on the machine, in the way of the worlds to come. */
function stays(scope: readonly string[]): string[] {
  const { mounts, namespaces, links, cgroups, nft, processes } = takeTraces(scope);
  return Object.entries({ mounts, namespaces, links, cgroups, nft, processes }).flatMap(([kind, names]) => names.map((name) => `after the end, ${kind}: ${name}`));
}

/** In a control group of ours, or named after our directories: a monitor, a runtime, a daemon. */
function belongs(pid: number, of: { readonly dir: string; readonly instance: string }): boolean {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8');
    } catch {
      return '';
    }
  };
  const command = read('cmdline');
  return read('cgroup').includes(`/flotilla-${of.instance}`) || (/conmon|crun|runc|daemon\.js/.test(command) && (command.includes(of.dir) || read('environ').includes(`FLOTILLA_ROOT=${of.dir}/`)));
}

function nftTable(table: string): string[] {
  try {
    return execFileSync('nft', ['-n', '-j', 'list', 'table', 'inet', table], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).replaceAll(/, "handle": \d+/g, '').replaceAll('}, {', '},\n{').split('\n');
  } catch {
    return [];
  }
}

function quietly(file: string, args: readonly string[]): void {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
  } catch {
    // It was not there.
  }
}

/** NOTE: an nft that the daemon has just begun makes its table all the same, after everything else is gone. */
async function killWithHelpers(daemonPid: number | null): Promise<void> {
  if (daemonPid === null) return;
  quietly('kill', ['-STOP', String(daemonPid)]);
  const helpers = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => parentOf(pid) === daemonPid);
  for (const pid of [daemonPid, ...helpers]) await killAndWait(pid);
}

function parentOf(pid: number): number | null {
  try {
    return Number(/^\d+ \(.*\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? -1);
  } catch {
    return null;
  }
}

async function killAndWait(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return;
  }
  for (let tries = 0; tries < 500 && isAlive(pid); tries += 1) await new Promise((resolve) => setTimeout(resolve, 10));
}

function isAlive(pid: number): boolean {
  try {
    // A zombie counts as gone: its parent is not ours.
    return !/^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function pidOf(file: string): number | null {
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
}

function daemonLog(rootDir: string): string {
  const file = join(rootDir, 'daemon.log');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-15).join('\n') : '';
}

/** Asks until the answer is wanted, or fails with the last one at the deadline. */
export async function eventually<T>(ask: () => Promise<T> | T, isWanted: (answer: T) => boolean, deadlineMs: number = 10_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`not as wanted after ${deadlineMs} ms: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
