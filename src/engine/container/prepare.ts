import { AppError } from '../../base/app-error.ts';
import type { ContainerMount } from '../../model/container-spec.ts';
import { allDevices, devicesAt, findProgram, isStaticProgram } from '../../os/machine.ts';
import type { DeviceFacts } from '../../os/machine.ts';
import { errorName } from '../../os/libc.ts';
import { factsQuick, makeDirQuick, resolvedPath } from '../../os/quick-files.ts';
import { closeRootfs, ensureTarget, forceRealDir, openRootfs, readTextInside, removeDeadLink, TargetError } from '../../os/rootfs.ts';
import type { Rootfs } from '../../os/rootfs.ts';
import type { EngineContext } from './engine-context.ts';
import type { Entry } from './entry.ts';
import type { ResolvedMount } from './oci-mounts.ts';
import type { ResolvedDevice } from './oci-resources.ts';
import { buildOciConfig, initTarget } from './oci-spec.ts';
import type { OciConfig } from './oci-types.ts';
import { normalizePath, workingDir } from './process.ts';
import { resolveUser } from './user.ts';

/**
 * Makes a container's file system ready to be mounted on and looks up all that its document needs. Whatever lies in the
 * container is reached through a descriptor of its root; the runtime then finds only real directories and files.
 * Errors: ENGINE_MOUNT_*, ENGINE_USER_UNKNOWN, ENGINE_DEVICE_UNKNOWN, ENGINE_INIT_MISSING, ENGINE_NAMESPACE, ENGINE_CONTAINER_SPEC.
 */
export async function prepareLaunch(context: EngineContext, entry: Entry, rootfsPath: string, joinedPids: JoinedPids): Promise<OciConfig> {
  const { spec } = entry;
  const image = entry.state.image.config;
  const root = openRootfs(rootfsPath);
  try {
    for (const name of ['dev', 'proc', 'sys', 'etc']) forceRealDir(root, name);
    for (const name of ['hosts', 'hostname', 'resolv.conf']) removeDeadLink(root, 'etc', name);
    const user = resolveUser(spec.user ?? image.user, spec.groupAdd, { passwd: readTextInside(root, 'etc/passwd'), group: readTextInside(root, 'etc/group') });
    const wanted = await sources(context, entry, root);
    const mounts = placeMounts(root, wanted);
    const cwd = workingDir(spec.workingDir, image);
    if (coveredBy(cwd, mounts) === null) placed(cwd, () => ensureTarget(root, cwd, 'dir'));
    return buildOciConfig(spec, image, {
      id: entry.id,
      rootfs: rootfsPath,
      cgroupsPath: context.layout.cgroup(entry.id),
      user,
      mounts,
      devices: devices(entry),
      joined: joined(entry, joinedPids),
      machine: context.machine,
    });
  } finally {
    closeRootfs(root);
  }
}

/** The process numbers of running containers by id, for namespaces that are joined. */
export type JoinedPids = (containerId: string) => number | null;

/** A mount whose source is known but whose place in the container is not yet made. */
type Wanted = { readonly mount: ResolvedMount; readonly kind: 'dir' | 'file' };

async function sources(context: EngineContext, entry: Entry, root: Rootfs): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  for (const mount of entry.spec.mounts) wanted.push(await source(context, entry, root, mount));
  const covered = new Set(wanted.map((one) => one.mount.target));
  for (const { volumeName, target } of entry.state.imageVolumes) {
    if (covered.has(normalizePath(target))) continue;
    wanted.push(await source(context, entry, root, { kind: 'volume', volumeName, target, readOnly: false, noCopy: false, subpath: null }));
  }
  entry.spec.files.forEach((file, index) => {
    const path = file.isSecret ? context.layout.secret(entry.id, index) : context.layout.file(entry.id, index);
    wanted.push({ kind: 'file', mount: { kind: 'bind', source: path, target: mountable(normalizePath(file.target)), readOnly: file.readOnly, isRecursive: false, propagation: 'rprivate' } });
  });
  if (entry.spec.init) {
    wanted.push({ kind: 'file', mount: { kind: 'bind', source: initProgram(), target: initTarget, readOnly: true, isRecursive: false, propagation: 'rprivate' } });
  }
  return wanted;
}

async function source(context: EngineContext, entry: Entry, root: Rootfs, mount: ContainerMount): Promise<Wanted> {
  const target = mountable(normalizePath(mount.target));
  switch (mount.kind) {
    case 'tmpfs':
      return { kind: 'dir', mount: { kind: 'tmpfs', target, sizeBytes: mount.sizeBytes, mode: mount.mode, options: mount.options } };
    case 'bind': {
      if (mount.createHostPath && factsQuick(mount.source) === null) makeDirQuick(mount.source, 0o755);
      const path = resolvedPath(mount.source);
      const facts = path === null ? null : factsQuick(path);
      if (path === null || facts === null) {
        throw new AppError({ code: 'ENGINE_MOUNT_SOURCE', message: `container ${entry.spec.name}: ${mount.source} does not exist, and is to be mounted on ${target}`, hint: `mkdir -p ${mount.source}` });
      }
      // NOTE: nothing is mounted below a file, and crun refuses to look there.
      const submounts = facts.isDirectory ? mount.submounts : 'writable';
      return { kind: facts.isDirectory ? 'dir' : 'file', mount: { kind: 'bind', source: path, target, readOnly: mount.readOnly, isRecursive: mount.isRecursive, propagation: mount.propagation, ...(submounts === undefined ? {} : { submounts }) } };
    }
    case 'volume': {
      const { path, readOnly } = await context.volumes.use(mount.volumeName, { root: mount.noCopy || hasRun(entry) ? null : root, target, subpath: mount.subpath });
      const isDirectory = factsQuick(path)?.isDirectory === true;
      return { kind: isDirectory ? 'dir' : 'file', mount: { kind: 'bind', source: path, target, readOnly: mount.readOnly || readOnly, isRecursive: true, propagation: 'rprivate', ...(isDirectory ? {} : { submounts: 'writable' }) } };
    }
  }
}

/** What the image has is given to an empty volume once, with the first start. */
function hasRun(entry: Entry): boolean {
  return entry.state.run !== null;
}

/** Makes the place of each mount, outer ones first; a place inside an outer mount is made in what is mounted there. */
function placeMounts(root: Rootfs, wanted: readonly Wanted[]): ResolvedMount[] {
  const seen = new Set<string>();
  const done: ResolvedMount[] = [];
  const byDepth = wanted.map((one, index) => ({ one, index, depth: one.mount.target.split('/').length })).sort((a, b) => a.depth - b.depth || a.index - b.index);
  for (const { one } of byDepth) {
    const { mount, kind } = one;
    if (seen.has(mount.target)) throw new AppError({ code: 'ENGINE_MOUNT_TARGET', message: `two mounts have the same target ${mount.target}` });
    seen.add(mount.target);
    // NOTE: once more after the image's symlinks: one of them may lead to /proc, and the runtime trusts what is mounted there.
    done.push({ ...mount, target: mountable(placeOne(root, mount.target, kind, done)) });
  }
  return done;
}

/** Errors: ENGINE_MOUNT_TARGET for the root and all of /proc. */
export function mountable(target: string): string {
  if (target === '/' || target === '/proc' || target.startsWith('/proc/')) throw new AppError({ code: 'ENGINE_MOUNT_TARGET', message: `nothing can be mounted on ${target}` });
  return target;
}

function placeOne(root: Rootfs, target: string, kind: 'dir' | 'file', outer: readonly ResolvedMount[]): string {
  // NOTE: /dev and /sys are file systems of the kernel's that no image reaches: the runtime makes the place there.
  if (/^\/(?:dev|sys)(?:\/|$)/.test(target)) return target;
  const cover = coveredBy(target, outer);
  if (cover === null) return placed(target, () => ensureTarget(root, target, kind));
  if (cover.kind === 'tmpfs' || cover.readOnly || factsQuick(cover.source)?.isDirectory !== true) return target;
  const inner = openRootfs(cover.source);
  try {
    return `${cover.target}${placed(target, () => ensureTarget(inner, target.slice(cover.target.length), kind))}`;
  } finally {
    closeRootfs(inner);
  }
}

/** The innermost mount that the path lies in. */
function coveredBy(path: string, mounts: readonly ResolvedMount[]): ResolvedMount | null {
  const covers = mounts.filter((one) => path === one.target || path.startsWith(`${one.target}/`));
  return covers.reduce<ResolvedMount | null>((best, one) => (best === null || one.target.length > best.target.length ? one : best), null);
}

function placed<T>(target: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof TargetError) throw new AppError({ code: 'ENGINE_MOUNT_TARGET', message: `${target} can't be made in the container: ${error.message}`, cause: error });
    // An image has paths that no file system takes, or a disk that is full.
    const name = errorName(error);
    if (name !== null) throw new AppError({ code: 'ENGINE_MOUNT_TARGET', message: `${target.slice(0, 200)} can't be made in the container: ${name}`, cause: error });
    throw error;
  }
}

function devices(entry: Entry): ResolvedDevice[] {
  const { spec } = entry;
  const toDevice = (facts: DeviceFacts, path: string, permissions: string): ResolvedDevice => ({
    path, type: facts.type, major: facts.major, minor: facts.minor, fileMode: facts.mode, uid: facts.uid, gid: facts.gid, permissions,
  });
  const named = spec.devices.flatMap((device) => {
    const found = devicesAt(device.source);
    if (found.length === 0) throw new AppError({ code: 'ENGINE_DEVICE_UNKNOWN', message: `container ${spec.name}: there is no device ${device.source} on this host` });
    if (!/^[rwm]{1,3}$/.test(device.permissions)) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${spec.name}: ${JSON.stringify(device.permissions)} are no permissions of a device (r, w, m)` });
    return found.map((facts) => toDevice(facts, normalizePath(device.target + facts.path.slice(device.source.length)), device.permissions));
  });
  if (!spec.privileged) return named;
  const taken = new Set(named.map((one) => one.path));
  return [...named, ...allDevices().filter((one) => !taken.has(one.path)).map((one) => toDevice(one, one.path, 'rwm'))];
}

let foundInit: string | null | undefined;

/** A small init of the host's that needs none of the container's libraries. */
function initProgram(): string {
  foundInit ??= [findProgram(['catatonit']), findProgram(['tini-static']), findProgram(['docker-init'])].find((path) => path !== null && isStaticProgram(path)) ?? null;
  if (foundInit === null) throw new AppError({ code: 'ENGINE_INIT_MISSING', message: '`init: true` needs a small init on the host, and neither catatonit nor tini is installed', hint: 'apt-get install catatonit' });
  return foundInit;
}

function joined(entry: Entry, pids: JoinedPids): { readonly pid?: string; readonly ipc?: string } {
  const { pid, ipc, user } = entry.spec.namespaces;
  if (user !== 'host') throw new AppError({ code: 'ENGINE_UNSUPPORTED', message: `container ${entry.spec.name}: a user namespace of its own is not supported yet` });
  // NOTE: a shared ipc namespace without the shared /dev/shm would look right and not work.
  if (ipc.kind === 'container') throw new AppError({ code: 'ENGINE_UNSUPPORTED', message: `container ${entry.spec.name}: sharing another container's ipc is not supported yet` });
  if (pid.kind !== 'container') return {};
  const other = pids(pid.containerId);
  if (other === null) throw new AppError({ code: 'ENGINE_NAMESPACE', message: `container ${entry.spec.name}: container ${pid.containerId.slice(0, 12)}, whose processes it is to share, does not run` });
  return { pid: `/proc/${other}/ns/pid` };
}
