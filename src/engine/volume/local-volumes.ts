import { join } from 'node:path';
import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { VolumeInfo } from '../../model/container.ts';
import { ensureDir, listDir, readTextIfThere, removeTree, renameDurable, renamePath, writeFileDurable } from '../../os/files.ts';
import { closeFd } from '../../os/fd-ops.ts';
import { listMounts, mount, mountFlags, unmountAll } from '../../os/mount.ts';
import { factsQuick, listQuick, setOwnerAndMode } from '../../os/quick-files.ts';
import { closeRootfs, openDirInside, openRootfs, realPath, TargetError } from '../../os/rootfs.ts';
import type { Rootfs } from '../../os/rootfs.ts';
import { startChild } from '../../os/spawn.ts';
import type { Volumes } from '../engine.ts';
import { keyedLock } from '../container/keyed-lock.ts';
import { volumeMount } from './mount-options.ts';

/** The volumes of one node and what containers need of them. */
export type LocalVolumes = Volumes & {
  /**
   * The path to mount: the volume is made where it is missing, mounted where its options say so, and filled from what the image
   * has at `target` (`root` is the container's file system; null: never) if it is empty. Called by each container at its start:
   * what a dependency was to put there is there by then.
   */
  readonly use: (name: string, options: { readonly root: Rootfs | null; readonly target: string; readonly subpath: string | null }) => Promise<{ readonly path: string; readonly readOnly: boolean }>;
  /** Unmounts what a volume's options mounted once no container has it. */
  readonly release: (name: string) => Promise<void>;
  /** The names of containers that mount it. */
  readonly usersOf: (name: string) => readonly string[];
  /** Finishes or removes what was half done. */
  readonly settle: () => Promise<void>;
};

/** NOTE: `isFilled` says nothing any more; versions that wrote it take a volume without it for a damaged one. */
type Stored = { readonly version: 1; readonly driver: 'local'; readonly labels: Readonly<Record<string, string>>; readonly options: Readonly<Record<string, string>>; readonly createdMs: number; readonly isFilled: false };

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
export const anonymousLabel = 'com.docker.volume.anonymous';
/** On containers and their anonymous volumes: whose successor may take them over. */
export const slotLabel = 'io.flotilla.slot';
/** On anonymous volumes: where they were mounted. */
export const targetLabel = 'io.flotilla.target';

/**
 * dataRoot/volumes/<name>/volume.json and /_data. `_data.new` is a copy in progress, `_data.fill` a whole one that is being moved into
 * `_data`, `.<name>.gone` a removal in progress.
 * `usersOf` answers the names of containers that mount a volume.
 */
export function localVolumes(options: { readonly root: string; readonly clock: Clock; readonly usersOf: (name: string) => readonly string[] }): LocalVolumes {
  const locked = keyedLock();
  const dirOf = (name: string): string => join(options.root, name);
  const dataOf = (name: string): string => join(dirOf(name), '_data');
  const documentOf = (name: string): string => join(dirOf(name), 'volume.json');

  const read = async (name: string): Promise<Stored | null> => {
    if (!namePattern.test(name)) return null;
    const text = await readTextIfThere(documentOf(name));
    return text === null ? null : parseStored(text);
  };
  const write = async (name: string, stored: Stored): Promise<void> => await writeFileDurable(documentOf(name), JSON.stringify(stored));
  const toInfo = (name: string, stored: Stored): VolumeInfo => ({ name, mountpoint: dataOf(name), labels: stored.labels, options: stored.options, createdMs: stored.createdMs });

  const createHere = async (wanted: Parameters<Volumes['create']>[0]): Promise<Stored> => {
    checkName(wanted.name);
    if (wanted.driver !== 'local' && wanted.driver !== '') throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `volume ${wanted.name}: there is no driver ${JSON.stringify(wanted.driver)}`, hint: 'the engine has the driver "local"' });
    volumeMount(wanted.name, wanted.options);
    const found = await read(wanted.name);
    if (found !== null) {
      if (!sameOptions(found.options, wanted.options)) throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `volume ${wanted.name} exists with other driver options`, hint: 'remove it first, or use another name' });
      return found;
    }
    const stored: Stored = { version: 1, driver: 'local', labels: wanted.labels, options: wanted.options, createdMs: options.clock.nowMs(), isFilled: false };
    await ensureDir(options.root, 0o711);
    await ensureDir(dirOf(wanted.name), 0o711);
    await ensureDir(dataOf(wanted.name), 0o755);
    setOwnerAndMode(dataOf(wanted.name), { uid: 0, gid: 0 }, 0o755);
    await write(wanted.name, stored);
    return stored;
  };

  const fill = async (name: string, root: Rootfs, target: string): Promise<void> => {
    if (listQuick(dataOf(name)).length === 0) await copyUp(root, target, { dir: dirOf(name), isShared: options.usersOf(name).length > 1 });
  };

  const release = async (name: string): Promise<void> => {
    const stored = await read(name);
    if (stored !== null && volumeMount(name, stored.options) !== null && options.usersOf(name).length === 0) unmountAll(dataOf(name));
  };

  return {
    create: async (wanted) => await locked(wanted.name, async () => toInfo(wanted.name, await createHere(wanted))),
    get: async (name) => {
      const stored = await read(name);
      return stored === null ? null : toInfo(name, stored);
    },
    list: async () => {
      const found: VolumeInfo[] = [];
      for (const name of await listDir(options.root)) {
        const stored = await read(name);
        if (stored !== null) found.push(toInfo(name, stored));
      }
      return found;
    },
    remove: async (name) => {
      // What can't be a volume's name is nobody's: like one that is gone already, there is nothing to remove.
      if (!namePattern.test(name)) return;
      await locked(name, async () => {
        const users = options.usersOf(name);
        if (users.length > 0) throw new AppError({ code: 'ENGINE_VOLUME_IN_USE', message: `volume ${name} is mounted by ${users.join(', ')}`, hint: 'remove these containers first' });
        await discard(options.root, name);
      });
    },
    use: async (name, { root, target, subpath }) =>
      await locked(name, async () => {
        const stored = (await read(name)) ?? (await createHere({ name, driver: 'local', labels: {}, options: {} }));
        const wanted = volumeMount(name, stored.options);
        if (wanted !== null) mountOnce(dataOf(name), wanted);
        else {
          await moveFill(dirOf(name));
          if (root !== null && Object.keys(stored.options).length === 0) await fill(name, root, target);
        }
        // NOTE: a read-only volume is mounted read-only in the container too: a bind does not inherit it.
        const readOnly = wanted !== null && (wanted.flags & mountFlags.readOnly) !== 0;
        return { path: subpath === null || subpath === '' ? dataOf(name) : subpathOf(name, dataOf(name), subpath), readOnly };
      }),
    release,
    usersOf: options.usersOf,
    settle: async () => {
      for (const name of await listDir(options.root)) {
        if (name.startsWith('.')) await removeTree(join(options.root, name));
        else if ((await read(name)) === null) await discard(options.root, name);
        else {
          await removeTree(join(dirOf(name), '_data.new'));
          if (factsQuick(dataOf(name)) === null) await ensureDir(dataOf(name), 0o755);
          await moveFill(dirOf(name));
        }
      }
    },
  };
}

/** One rename makes it gone; what is left is cleared at leisure, or at the next start. */
async function discard(root: string, name: string): Promise<void> {
  const dir = join(root, name);
  if (factsQuick(dir) === null) return;
  unmountAll(join(dir, '_data'));
  const gone = join(root, `.${name}.gone`);
  await removeTree(gone);
  await renameDurable(dir, gone);
  await removeTree(gone);
}

/**
 * Copies what the image has at `target`, with owners, modes and times. Only where no other container has the volume is the empty
 * directory itself replaced; one that others may have mounted, or have prepared for this container, stays and gets the content. A
 * crash leaves nothing of it or, after the next `settle`, all. The source is read through a descriptor inside the container's root.
 */
async function copyUp(root: Rootfs, target: string, volume: { readonly dir: string; readonly isShared: boolean }): Promise<void> {
  const source = openDirInside(root, target);
  if (source === null) return;
  const fresh = join(volume.dir, '_data.new');
  try {
    await removeTree(fresh);
    await ensureDir(fresh, 0o755);
    const child = startChild(['cp', '-a', '--reflink=auto', '/proc/self/fd/3/.', fresh], { stdio: ['ignore', 'ignore', 'pipe', source] });
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      if (complaint.length < 4096) complaint += chunk.toString('utf8');
    });
    const { code } = await child.ended;
    if (code !== 0) throw new AppError({ code: 'ENGINE_MOUNT_TARGET', message: `what the image has at ${target} can't be copied into the volume: ${complaint.trim()}` });
    await renameDurable(fresh, join(volume.dir, volume.isShared ? '_data.fill' : '_data'));
    if (volume.isShared) await moveFill(volume.dir);
  } finally {
    closeFd(source);
  }
}

/** What a container wrote meanwhile under the same name stays as it wrote it. */
async function moveFill(dir: string): Promise<void> {
  const [fill, data] = [join(dir, '_data.fill'), join(dir, '_data')];
  if (factsQuick(fill) === null) return;
  const there = new Set(listQuick(data));
  for (const name of listQuick(fill)) if (!there.has(name)) await renamePath(join(fill, name), join(data, name));
  await removeTree(fill);
}

function mountOnce(target: string, wanted: { readonly source: string; readonly type: string; readonly flags: number; readonly data: string }): void {
  if (listMounts().some((one) => one.target === target)) return;
  try {
    mount({ source: wanted.source, target, type: wanted.type, flags: wanted.flags, data: wanted.data });
    // NOTE: the kernel ignores read-only and the like while it binds; they take a second call.
    const extra = wanted.flags & ~(mountFlags.bind | mountFlags.recursive);
    if ((wanted.flags & mountFlags.bind) !== 0 && extra !== 0) mount({ source: 'none', target, type: 'none', flags: mountFlags.remount | mountFlags.bind | extra, data: '' });
  } catch (error) {
    throw new AppError({ code: 'ENGINE_MOUNT_SOURCE', message: `${wanted.source} (${wanted.type}) can't be mounted: ${error instanceof Error ? error.message : String(error)}`, cause: error });
  }
}

function subpathOf(name: string, data: string, subpath: string): string {
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) throw new AppError({ code: 'ENGINE_MOUNT_SOURCE', message: `volume ${name}: the subpath ${JSON.stringify(subpath)} must stay inside the volume` });
  const root = openRootfs(data);
  try {
    return join(data, realPath(root, subpath));
  } catch (error) {
    if (error instanceof TargetError) throw new AppError({ code: 'ENGINE_MOUNT_SOURCE', message: `volume ${name} has no ${JSON.stringify(subpath)}`, cause: error });
    throw error;
  } finally {
    closeRootfs(root);
  }
}

function checkName(name: string): void {
  if (!namePattern.test(name)) throw new AppError({ code: 'ENGINE_VOLUME_NAME', message: `${JSON.stringify(name)} is no name of a volume`, hint: 'letters, digits, "_", "." and "-", beginning with a letter or digit' });
}

function sameOptions(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function parseStored(text: string): Stored | null {
  try {
    const value: unknown = JSON.parse(text);
    return isStored(value) ? value : null;
  } catch {
    return null;
  }
}

function isStored(value: unknown): value is Stored {
  return typeof value === 'object' && value !== null && 'version' in value && value.version === 1 && 'labels' in value && 'options' in value && 'createdMs' in value && 'isFilled' in value;
}
