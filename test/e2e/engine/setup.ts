import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.ts';
import type { Log } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import type { ContainerSpec } from '../../../src/model/container-spec.ts';
import type { ImageConfig, ImageInfo } from '../../../src/model/container.ts';
import { openContainerEngine } from '../../../src/engine/container/open-containers.ts';
import type { ContainerEngineOptions } from '../../../src/engine/container/open-containers.ts';
import type { RootfsSource } from '../../../src/engine/container/rootfs-source.ts';
import { openDiskKeeper } from '../../../src/os/disk-keeper.ts';
import { mount, unmountAll } from '../../../src/os/mount.ts';

export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) =>
    await new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason);
      }, { once: true });
    }),
  after: (ms, fn, isBackground) => {
    const timer = setTimeout(fn, ms);
    if (isBackground === true) timer.unref();
    return () => clearTimeout(timer);
  },
};

export const realRandom: Random = { float: () => Math.random(), bytes: (count) => new Uint8Array(randomBytes(count)) };

export const stderrLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (event, fields) => void process.stderr.write(`${event} ${JSON.stringify(fields)}\n`),
  error: (event, fields) => void process.stderr.write(`${event} ${JSON.stringify(fields)}\n`),
  child: () => stderrLog,
};

export const emptyImage: ImageConfig = { user: '', env: [], entrypoint: [], cmd: ['sh'], workingDir: '', labels: {}, exposedPorts: [], volumes: [], stopSignal: '', healthcheck: null };

/** A directory tree with a static busybox and what a test wants besides, as an "image" of plain files. Made once. */
export function busyboxTree(): string {
  const dir = join(tmpdir(), 'flotilla-e2e-busybox');
  const done = join(dir, '.done');
  if (existsSync(done)) return join(dir, 'root');
  rmSync(dir, { recursive: true, force: true });
  const root = join(dir, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const name of ['etc', 'tmp', 'root', 'home', 'dev', 'proc', 'sys', 'usr/bin', 'data/sub']) mkdirSync(join(root, name), { recursive: true });
  cpSync(busyboxProgram(dir), join(root, 'bin/busybox'));
  const applets = execFileSync(join(root, 'bin/busybox'), ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of applets) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nappgroup:x:1001:\nextra:x:2000:app\n');
  writeFileSync(join(root, 'data/file.txt'), 'from the image\n', { mode: 0o640 });
  symlinkSync('file.txt', join(root, 'data/link'));
  execFileSync('chown', ['-hR', '1000:1001', join(root, 'data')]);
  execFileSync('chmod', ['1777', join(root, 'tmp')]);
  writeFileSync(done, '');
  return root;
}

/** Debian's static busybox: installed, or taken out of its package. */
function busyboxProgram(dir: string): string {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    if (existsSync(path) && spawnSync('ldd', [path]).status !== 0) return path;
  }
  mkdirSync(join(dir, 'deb'), { recursive: true });
  execFileSync('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', 'busybox-static'], { cwd: join(dir, 'deb'), stdio: 'ignore' });
  const deb = readdirSync(join(dir, 'deb')).find((name) => name.endsWith('.deb')) ?? '';
  execFileSync('dpkg', ['-x', join(dir, 'deb', deb), join(dir, 'deb', 'x')]);
  // Debian 13 ships it under /usr.
  const found = ['bin/busybox', 'usr/bin/busybox'].map((name) => join(dir, 'deb/x', name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${deb} holds no busybox`);
  return found;
}

/** An overlay over a plain tree: what the snapshotter does, without images. */
export function treeRootfs(options: { readonly root: string; readonly lower: string; readonly image?: Partial<ImageConfig> }): RootfsSource {
  const dirOf = (id: string): string => join(options.root, 'rootfs', id);
  const image: ImageInfo = {
    id: 'sha256:e2e', tags: ['busybox:latest'], repoDigests: [], createdMs: 0, sizeBytes: 0, os: 'linux', architecture: 'amd64', config: { ...emptyImage, ...options.image },
  };
  return {
    image: async (reference) => (reference.startsWith('busybox') || reference === image.id ? image : null),
    mount: async (id) => {
      const merged = join(dirOf(id), 'merged');
      for (const name of ['upper', 'work', 'merged']) mkdirSync(join(dirOf(id), name), { recursive: true });
      if (!existsSync(join(merged, 'bin'))) mount({ source: 'overlay', target: merged, type: 'overlay', flags: 0, data: `lowerdir=${options.lower},upperdir=${dirOf(id)}/upper,workdir=${dirOf(id)}/work` });
      return merged;
    },
    remove: async (id) => {
      unmountAll(join(dirOf(id), 'merged'));
      rmSync(dirOf(id), { recursive: true, force: true });
    },
    list: async () => (existsSync(join(options.root, 'rootfs')) ? readdirSync(join(options.root, 'rootfs')) : []),
  };
}

export type TestRoots = { readonly dataRoot: string; readonly runRoot: string; readonly cgroupParent: string };

export function newRoots(): TestRoots {
  const dataRoot = mkdtempSync(join(tmpdir(), 'flotilla-e2e-'));
  const tag = dataRoot.slice(-6).replace(/[^A-Za-z0-9]/g, 'x');
  return { dataRoot, runRoot: join(dataRoot, 'run'), cgroupParent: `/flotilla-e2e-${tag}` };
}

export async function openTestEngine(roots: TestRoots, more: Partial<ContainerEngineOptions> & { readonly image?: Partial<ImageConfig>; readonly lower?: string } = {}): ReturnType<typeof openContainerEngine> {
  const { image, lower, ...options } = more;
  return await openContainerEngine({
    ...roots,
    runtime: runtimeChoice(),
    disk: openDiskKeeper({ clock: realClock, log: stderrLog }),
    rootfs: treeRootfs({ root: roots.dataRoot, lower: lower ?? busyboxTree(), ...(image === undefined ? {} : { image }) }),
    clock: realClock,
    random: realRandom,
    log: stderrLog,
    ...options,
  });
}

function runtimeChoice(): 'auto' | 'crun' | 'runc' {
  const wanted = process.env['FLOTILLA_RUNTIME'];
  return wanted === 'crun' || wanted === 'runc' ? wanted : 'auto';
}

export function newId(): string {
  return randomBytes(32).toString('hex');
}

export function specOf(more: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: `e2e-${randomBytes(4).toString('hex')}`, image: 'busybox', platform: null, labels: {}, annotations: {}, entrypoint: null, command: ['sleep', '1000'],
    environment: {}, user: null, groupAdd: [], workingDir: null, tty: false, stdinOpen: false, init: false, hostname: null, domainname: null,
    namespaces: { network: { kind: 'host' }, pid: { kind: 'private' }, ipc: { kind: 'private' }, uts: 'private', user: 'host', cgroup: 'private' },
    mounts: [], readOnlyRootfs: false, files: [], devices: [], deviceCgroupRules: [], shmSizeBytes: null, privileged: false, capAdd: [], capDrop: [],
    noNewPrivileges: false, seccomp: { kind: 'default' }, sysctls: {}, ulimits: [], oomScoreAdj: null, oomKillDisable: false,
    resources: { memoryBytes: null, memorySwapBytes: null, memoryReservationBytes: null, nanoCpus: null, cpuShares: null, cpuPeriodUs: null, cpuQuotaUs: null, cpusetCpus: null, cpusetMems: null, pidsMax: null },
    stopSignal: null, stopGraceMs: 10_000, healthcheck: null, logging: { driver: 'local', maxSizeBytes: 20 * 1024 * 1024, maxFiles: 5 },
    ...more,
  };
}

/** Removes what a test's roots hold, once its engine is closed. */
export function dropRoots(roots: TestRoots): void {
  rmSync(roots.dataRoot, { recursive: true, force: true });
  for (const hierarchy of ['.', ...readdirSync('/sys/fs/cgroup')]) {
    try {
      rmdirSync(join('/sys/fs/cgroup', hierarchy, roots.cgroupParent));
    } catch {
      // Not a hierarchy, or not one that the test used.
    }
  }
}
