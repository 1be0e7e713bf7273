import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Check, clockCheck, diskCheck, existing } from './doctor-disk.ts';
import { isOnTmpfs } from './quick-files.ts';

/**
 * Looks at this machine, changes nothing. `path` is the PATH to search, `root` the data directory of the daemon, `runDir` where it keeps
 * what is to be gone after a reboot.
 */
export function examineMachine({ path, root, runDir }: { readonly path: string; readonly root: string; readonly runDir: string }): Check[] {
  const apt = (name: string): string => `sudo apt-get install -y ${name}`;
  const crun = versionOf('crun', path);
  const runc = versionOf('runc', path);
  return [
    check('Linux', process.platform === 'linux', process.platform, 'Flotilla runs containers on Linux; on another system use a virtual machine'),
    check('root', process.getuid?.() === 0, `uid ${process.getuid?.() ?? '?'}`, 'run the daemon as root: sudo flotilla daemon'),
    check('OCI runtime', crun !== null || runc !== null, [crun, runc].filter((one) => one !== null).join('; ') || 'neither crun nor runc', apt('crun')),
    check('conmon', versionOf('conmon', path) !== null, versionOf('conmon', path) ?? 'not found', apt('conmon')),
    check('nftables', versionOf('nft', path) !== null, versionOf('nft', path) ?? 'not found', apt('nftables')),
    overlayCheck(),
    check('cgroups', cgroupVersion() !== null, cgroupVersion() ?? 'no hierarchy is mounted', 'mount cgroup v2: sudo mount -t cgroup2 none /sys/fs/cgroup'),
    check('nf_tables', existsSync('/proc/net/netfilter') || existsSync('/proc/sys/net/netfilter'), 'netfilter in the kernel', 'sudo modprobe nf_tables'),
    forwardingCheck(),
    runDirCheck(runDir),
    reaperCheck(),
    { ...check('init for `init: true`', initProgram(path) !== null, initProgram(path) ?? 'not found', apt('tini')), isRequired: false },
    { ...check('memory', availableBytes() > 256e6, `${Math.round(availableBytes() / 1e6)} MB available`, 'stop what is not needed'), isRequired: false },
    diskCheck(root),
    clockCheck(),
  ];
}

/** A stock kernel has it as a module, which the first mount loads. */
function overlayCheck(): Check {
  const isLoaded = fileSystems().includes('overlay');
  const modules = `/lib/modules/${readText('/proc/sys/kernel/osrelease').trim()}`;
  const isModule = !isLoaded && readText(`${modules}/modules.dep`).includes('/overlay.ko');
  return check('overlayfs', isLoaded || isModule, isLoaded ? 'in the kernel' : isModule ? 'a module of the kernel' : `neither in /proc/filesystems nor in ${modules}`, 'sudo modprobe overlay');
}

/** On a disk it outlives a reboot with what belonged to the last one, and the daemon has to mount memory below it for containers and secrets. */
function runDirCheck(runDir: string): Check {
  const isOk = isOnTmpfs(existing(resolve(runDir)));
  return { ...check('run directory', isOk, `${runDir} is on ${isOk ? 'a tmpfs' : 'a disk; memory is mounted below it for containers and secrets, the rest outlives a reboot'}`, `let FLOTILLA_RUN name a directory on a tmpfs, or, before the daemon starts: sudo mkdir -p ${runDir} && sudo mount -t tmpfs -o mode=0711 flotilla ${runDir}`), isRequired: false };
}

/** Who is not root can't tell: everything below /proc/sys is read-only for them. */
function forwardingCheck(): Check {
  const name = 'IP forwarding can be set';
  if (process.getuid?.() !== 0) return { name, isOk: true, isRequired: false, found: 'only root can tell', fix: null };
  const isOk = isWritable('/proc/sys/net/ipv4/ip_forward');
  return check(name, isOk, isOk ? 'yes' : '/proc/sys is read-only here', 'run on a host, or in a container with --privileged');
}

/** Some only look now and then. */
const reapMsMax = 4_000;

/**
 * Whether a process whose parent has ended is buried. Where it isn't, as in a container without an init, one that a runtime leaves behind
 * stays a zombie, and its container can't end: stopping it takes its whole grace period, and the exit code is lost.
 */
function reaperCheck(): Check {
  const name = 'ended processes are reaped';
  // The shell ends at once, so that its child is an orphan when it ends in turn.
  const pid = Number(execFileSync('/bin/sh', ['-c', 'sleep 0.05 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8', timeout: 5_000 }));
  const tick = new Int32Array(new SharedArrayBuffer(4));
  const untilMs = performance.now() + reapMsMax;
  while (existsSync(`/proc/${pid}`) && performance.now() < untilMs) Atomics.wait(tick, 0, 0, 20);
  const isOk = !existsSync(`/proc/${pid}`);
  return { ...check(name, isOk, isOk ? 'yes' : `process 1 (${readText('/proc/1/comm').trim()}) leaves them as zombies, and containers can't end`, 'give this machine an init as its first process: docker run --init …, or boot with systemd'), isRequired: false };
}

function check(name: string, isOk: boolean, found: string, fix: string): Check {
  return { name, isOk, isRequired: true, found, fix: isOk ? null : fix };
}

function versionOf(program: string, path: string): string | null {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', env: { PATH: path }, stdio: ['ignore', 'pipe', 'ignore'], timeout: 5000 }).split('\n')[0] ?? program;
  } catch {
    return null;
  }
}

function initProgram(path: string): string | null {
  const names = ['docker-init', 'tini-static', 'tini', 'catatonit'];
  for (const name of names) {
    for (const dir of path.split(':')) {
      if (existsSync(`${dir}/${name}`)) return `${dir}/${name}`;
    }
  }
  return null;
}

function fileSystems(): string {
  return readText('/proc/filesystems');
}

function cgroupVersion(): string | null {
  const mounts = readText('/proc/self/mounts');
  if (/ \/sys\/fs\/cgroup cgroup2 /.test(mounts)) return 'version 2';
  return / cgroup /.test(mounts) ? 'version 1' : null;
}

function availableBytes(): number {
  const match = /MemAvailable:\s+(\d+) kB/.exec(readText('/proc/meminfo'));
  return Number(match?.[1] ?? 0) * 1024;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
