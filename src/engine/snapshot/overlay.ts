import { join } from 'node:path';
import { AppError } from '../../base/app-error.ts';
import { closeFd } from '../../os/fd-ops.ts';
import type { DiskKeeper } from '../../os/disk-keeper.ts';
import { ensureDir, fdFiles, listDir, removeTree, renamePath } from '../../os/files.ts';
import { errorName } from '../../os/libc.ts';
import { isMountPoint, mount, mountDataBytesMax, unmountAll } from '../../os/mount.ts';
import { makeDirExact, ownerAndMode, readQuick, writeQuick } from '../../os/quick-files.ts';
import { makePlaces } from './places.ts';

/** The writable file systems of containers: overlayfs over an image's layers. Everything is by container id. */
export type Snapshots = {
  /** Whether it was made. */
  readonly has: (containerId: string) => boolean;
  /** Makes what is to be mounted, once. `layers` are directories, the lowest first; below them come the places of makePlaces. Answers where the root will be. */
  readonly prepare: (containerId: string, layers: readonly string[]) => Promise<{ readonly rootfs: string }>;
  /** Mounts it unless it is mounted: at creation, and again after a reboot. About 0.1 ms. Errors: ENGINE_SNAPSHOT_FAILED. */
  readonly mount: (containerId: string) => Promise<{ readonly rootfs: string }>;
  readonly unmount: (containerId: string) => void;
  /** Unmounts and removes it with what the container wrote. Nothing there is no error. */
  readonly remove: (containerId: string) => Promise<void>;
  readonly list: () => Promise<readonly string[]>;
  /** Every layer directory that some container stands on. */
  readonly layersInUse: () => Promise<ReadonlySet<string>>;
};

type Paths = { readonly dir: string; readonly upper: string; readonly work: string; readonly rootfs: string; readonly record: string };

/**
 * Opens the file systems below `root`; what a crash left between two steps is removed.
 * To make one is synchronous: five small things on a directory that is new, a fifth of what as many trips to a thread cost.
 */
export async function openSnapshots(root: string, disk: DiskKeeper): Promise<Snapshots> {
  const containers = join(root, 'containers');
  const trash = join(root, 'trash');
  const places = join(root, 'places');
  await ensureDir(containers, 0o711);
  await ensureDir(trash);
  makePlaces(places);
  for (const name of await listDir(trash)) await removeTree(join(trash, name));

  const pathsOf = (containerId: string): Paths => {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(containerId)) throw new AppError({ code: 'ENGINE_SNAPSHOT_FAILED', message: `'${containerId}' is no container's id` });
    const dir = join(containers, containerId);
    return { dir, upper: join(dir, 'upper'), work: join(dir, 'work'), rootfs: join(dir, 'rootfs'), record: join(dir, 'layers') };
  };
  const layersOf = (paths: Paths): string[] | null => {
    const text = readQuick(paths.record);
    return text === null || !isWhole(text) ? null : text.split('\n').filter((line) => line !== '');
  };

  const remove = async (containerId: string): Promise<void> => {
    const paths = pathsOf(containerId);
    unmountAll(paths.rootfs);
    // Out of sight in one step: what is half removed must never be mounted again.
    const aside = join(trash, containerId);
    try {
      await removeTree(aside);
      await renamePath(paths.dir, aside);
    } catch (error) {
      if (errorName(error) === 'ENOENT') return;
      throw error;
    }
    await removeTree(aside);
  };

  for (const name of await listDir(containers)) {
    if (layersOf(pathsOf(name)) === null) await remove(name);
  }

  return {
    has: (containerId) => layersOf(pathsOf(containerId)) !== null,
    prepare: async (containerId, layers) => {
      const paths = pathsOf(containerId);
      if (layersOf(paths) !== null) return { rootfs: paths.rootfs };
      makeDirExact(paths.dir, 0o711);
      makeDirLike(paths.upper, layers.at(-1));
      makeDirExact(paths.work, 0o755);
      makeDirExact(paths.rootfs, 0o755);
      // NOTE: the record comes last: a directory with one is whole.
      writeQuick(paths.record, `${[places, ...layers].map((layer) => `${layer}\n`).join('')}\n`);
      disk.keep([paths.record, paths.dir, containers]);
      return { rootfs: paths.rootfs };
    },
    mount: async (containerId) => {
      const paths = pathsOf(containerId);
      const layers = layersOf(paths);
      if (layers === null) throw new AppError({ code: 'ENGINE_SNAPSHOT_FAILED', message: `the container ${containerId} has no file system on this node`, hint: 'remove the container and create it again' });
      if (!isMountPoint(paths.rootfs)) mountOverlay(paths, layers.length === 0 ? [places] : layers);
      return { rootfs: paths.rootfs };
    },
    unmount: (containerId) => unmountAll(pathsOf(containerId).rootfs),
    remove,
    list: async () => await listDir(containers),
    layersInUse: async () => {
      const used = new Set<string>();
      for (const name of await listDir(containers)) for (const layer of layersOf(pathsOf(name)) ?? []) used.add(layer);
      used.delete(places);
      return used;
    },
  };
}

/**
 * A record ends with an empty line: the machine may have died before all of it was on the disk. NOTE: those of older versions don't,
 * but were on the disk before they had their name.
 */
function isWhole(record: string): boolean {
  return record.endsWith('\n\n') || record === '\n' || (record.endsWith('\n') && record.length < olderRecordBytesMax);
}

const olderRecordBytesMax = 4096;

/** The root directory of a merged tree has the upper's mode and owner, so the upper takes those of the image. */
function makeDirLike(upper: string, layer: string | undefined): void {
  const facts = layer === undefined ? { mode: 0o755, uid: 0, gid: 0 } : ownerAndMode(layer);
  if (facts === null) throw new AppError({ code: 'ENGINE_SNAPSHOT_FAILED', message: `a layer of the image is gone: ${layer ?? ''}`, hint: 'pull the image again' });
  makeDirExact(upper, facts.mode, facts);
}

function mountOverlay(paths: Paths, layers: readonly string[]): void {
  // The kernel wants the top first, and none twice: of a layer that comes twice, only the upper one can be seen.
  const order = [...new Set([...layers].reverse())];
  const rest = `upperdir=${escaped(paths.upper, ',')},workdir=${escaped(paths.work, ',')}`;
  const plain = `lowerdir=${order.map((layer) => escaped(layer, ',:')).join(':')},${rest}`;
  const fds: number[] = [];
  try {
    let data = plain;
    if (Buffer.byteLength(plain) + 1 > mountDataBytesMax) {
      // More than a page of options would be cut: each layer is named by a descriptor instead, some 18 bytes.
      for (const layer of order) fds.push(fdFiles.openDir(layer));
      data = `lowerdir=${fds.map((fd) => `/proc/self/fd/${fd}`).join(':')},${rest}`;
    }
    mount({ source: 'overlay', target: paths.rootfs, type: 'overlay', flags: 0, data });
  } catch (error) {
    throw new AppError({
      code: 'ENGINE_SNAPSHOT_FAILED',
      message: `the file system of ${paths.dir} can't be mounted: ${errorName(error) ?? String(error)} (${order.length} layers)`,
      hint: errorName(error) === 'ENODEV' ? 'load the kernel module overlay: modprobe overlay' : errorName(error) === 'EPERM' ? 'run the daemon as root' : 'the kernel says why: dmesg | tail',
      cause: error,
    });
  } finally {
    for (const fd of fds) closeFd(fd);
  }
}

function escaped(path: string, special: string): string {
  return path.replace(/[\\,:]/g, (character) => (character === '\\' || special.includes(character) ? `\\${character}` : character));
}
