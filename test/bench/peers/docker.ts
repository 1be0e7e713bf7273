import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCpuGroup } from '../cpu-group.ts';
import { processMemory, timed } from '../harness.ts';
import { type Side, spend } from '../measured-side.ts';
import { home } from '../ours.ts';

const run = promisify(execFile);

/**
 * Docker Engine and Compose from the peers' root, with a daemon of this run's own: its network namespace, data, socket and
 * pid file are apart, so that neither the machine's network nor another run is touched. `PEERS` is the folder with `setup` and
 * `enter`; `PEERS_DIR` where they keep the root.
 */
export async function startDocker(options: { readonly image: { readonly name: string; readonly layer: Buffer } }): Promise<Side> {
  const { dir, name, share, enterArgv, env } = await preparePeers();
  const group = makeCpuGroup('docker');
  const daemon = spawn('unshare', ['-n', ...enterArgv, 'sh', '-c', `ip link set lo up; exec dockerd --log-level error --data-root /share/${name}/data --exec-root /run/${name} --pidfile /run/${name}.pid -H unix:///share/${name}/docker.sock`], {
    env, stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  daemon.stderr.on('data', (chunk: Buffer) => void (complaints = `${complaints}${chunk.toString()}`.slice(-4000)));
  const pid = daemon.pid ?? 0;
  group.add(pid);
  const enter = (cwd: string): string[] => [...inside(pid, cwd), 'env', `DOCKER_HOST=unix:///share/${name}/docker.sock`];
  const close = async (): Promise<void> => {
    await end(daemon);
    for (const mount of mountsBelow(share)) execFileSync('umount', ['-l', mount]);
    rmSync(share, { recursive: true, force: true });
    rmSync(join(dir, 'run', name), { recursive: true, force: true });
    group.remove();
  };
  try {
    await answers(enter('/'), daemon, () => complaints);
    await load(enter('/'), options.image);
    const { stdout } = await run('sh', ['-c', '"$@"', 'sh', ...enter('/'), 'docker', 'compose', 'version', '--short']);
    return {
      name: `Docker Compose ${stdout.trim()}`,
      folder: (folder) => join(share, folder),
      compose: (folder, args) => spend(group, [...enter(`/share/${name}/${folder}`), 'docker', 'compose', ...args], {}),
      residentBytes: () => pidsOf(name).reduce((sum, one) => sum + processMemory(one).rssBytes, 0),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The client alone, in the peers' root, for commands that need no daemon. `share` is where it sees files of ours; paths are below it. */
export async function dockerClient(): Promise<{ readonly share: string; readonly enter: (folder: string) => readonly string[]; readonly close: () => Promise<void> }> {
  const { name, share, enterArgv, env } = await preparePeers();
  const [file = '', ...args] = enterArgv;
  const holder = spawn(file, [...args, 'sh', '-c', 'echo in; exec sleep infinity'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    holder.once('close', () => reject(new Error("the peers' root can't be entered")));
  });
  return {
    share,
    enter: (folder) => inside(holder.pid ?? 0, `/share/${name}/${folder}`),
    close: async () => {
      await end(holder);
      rmSync(share, { recursive: true, force: true });
    },
  };
}

type Peers = { readonly dir: string; readonly name: string; readonly share: string; readonly enterArgv: readonly string[]; readonly env: NodeJS.ProcessEnv };

/** Sets the peers' root up if it is not there, and makes a folder of this run in it. */
async function preparePeers(): Promise<Peers> {
  const scripts = process.env['PEERS'] ?? join(home, '..', 'shared', 'peers');
  if (!existsSync(join(scripts, 'enter'))) throw new Error(`the peers' scripts are not in ${scripts}: PEERS=dir says where they are`);
  const dir = process.env['PEERS_DIR'] ?? join(process.env['HOME'] ?? '/root', '.cache', 'flotilla-peers');
  const env = { ...process.env, PEERS_DIR: dir };
  if (!existsSync(join(dir, 'sid', 'usr'))) await timed([join(scripts, 'setup')], { env: { PEERS_DIR: dir } });
  runs += 1;
  const name = `bench-${process.pid}-${runs}`;
  const share = join(dir, 'share', name);
  mkdirSync(share, { recursive: true });
  return { dir, name, share, enterArgv: [join(scripts, 'enter')], env };
}

let runs = 0;

/** Runs what follows in the root and mounts of a process: 1 ms, where entering anew would cost 20. */
function inside(pid: number, cwd: string): string[] {
  return ['nsenter', '-t', String(pid), '-m', `-r/proc/${pid}/root`, `-w/proc/${pid}/root${cwd}`, '--'];
}

/** dockerd and its containerd: what names this run's directories, shims apart. */
function pidsOf(name: string): number[] {
  return readdirSync('/proc').filter((one) => /^\d+$/.test(one)).map(Number).filter((pid) => /^(?:dockerd|containerd)\0/.test(commandOf(pid)) && commandOf(pid).includes(name));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/^[^\0]*\//, '');
  } catch {
    return '';
  }
}

async function answers(enter: readonly string[], daemon: ChildProcess, complaints: () => string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await timed([...enter, 'docker', 'version']);
      return;
    } catch (error) {
      if (daemon.exitCode !== null || performance.now() > deadline) throw new Error(`the peer's daemon does not answer: ${complaints()}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function load(enter: readonly string[], image: { readonly name: string; readonly layer: Buffer }): Promise<void> {
  const [file = '', ...args] = enter;
  await new Promise<void>((resolve, reject) => {
    const child = spawn(file, [...args, 'docker', 'import', '-', image.name], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`docker import ended with ${code}`))));
    child.stdin.end(image.layer);
  });
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return;
  const gone = new Promise((resolve) => daemon.once('close', resolve));
  daemon.kill('SIGTERM');
  await gone;
}

function mountsBelow(dir: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${dir}/`)).reverse();
}
