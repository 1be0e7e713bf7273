import { join } from 'node:path';
import { AppError } from '../../base/app-error.ts';
import { closeFd } from '../../os/fd-ops.ts';
import { changeOwnerOf, ensureDir, fdFiles, fileFacts, listDir, readTextIfThere, removeTree, renamePath, setMode, writeFileDurable } from '../../os/files.ts';
import { errorName } from '../../os/libc.ts';
import { isMountPoint, mount, mountDataBytesMax, unmountAll } from '../../os/mount.ts';

/** The writable file systems of containers: overlayfs over an image's layers. Everything is by container id. */
export type Snapshots = {
  /** Makes what is to be mounted, once. `layers` are directories, the lowest first. Answers where the root will be. */
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

/** Opens the file systems below `root`; what a crash left between two steps is removed. */
export async function openSnapshots(root: string): Promise<Snapshots> {
  const containers = join(root, 'containers');
  const trash = join(root, 'trash');
  const empty = join(root, 'empty');
  await ensureDir(containers, 0o711);
  await ensureDir(trash);
  await ensureDir(empty, 0o755);
  for (const name of await listDir(trash)) await removeTree(join(trash, name));

  const pathsOf = (containerId: string): Paths => {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(containerId)) throw new AppError({ code: 'ENGINE_SNAPSHOT_FAILED', message: `'${containerId}' is no container's id` });
    const dir = join(containers, containerId);
    return { dir, upper: join(dir, 'upper'), work: join(dir, 'work'), rootfs: join(dir, 'rootfs'), record: join(dir, 'layers') };
  };
  const layersOf = async (paths: Paths): Promise<string[] | null> => {
    const text = await readTextIfThere(paths.record);
    return text === null ? null : text.split('\n').filter((line) => line !== '');
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
    if ((await layersOf(pathsOf(name))) === null) await remove(name);
  }

  return {
    prepare: async (containerId, layers) => {
      const paths = pathsOf(containerId);
      if ((await layersOf(paths)) !== null) return { rootfs: paths.rootfs };
      for (const dir of [paths.dir, paths.upper, paths.work, paths.rootfs]) await ensureDir(dir, dir === paths.dir ? 0o711 : 0o755);
      await likeTopLayer(paths.upper, layers);
      // NOTE: the record comes last: a directory with one is whole.
      await writeFileDurable(paths.record, layers.map((layer) => `${layer}\n`).join('') || '\n');
      return { rootfs: paths.rootfs };
    },
    mount: async (containerId) => {
      const paths = pathsOf(containerId);
      const layers = await layersOf(paths);
      if (layers === null) throw new AppError({ code: 'ENGINE_SNAPSHOT_FAILED', message: `the container ${containerId} has no file system on this node`, hint: 'remove the container and create it again' });
      if (!isMountPoint(paths.rootfs)) mountOverlay(paths, layers.length === 0 ? [empty] : layers);
      return { rootfs: paths.rootfs };
    },
    unmount: (containerId) => unmountAll(pathsOf(containerId).rootfs),
    remove,
    list: async () => await listDir(containers),
    layersInUse: async () => {
      const used = new Set<string>();
      for (const name of await listDir(containers)) for (const layer of (await layersOf(pathsOf(name))) ?? []) used.add(layer);
      return used;
    },
  };
}

/** The root directory of a merged tree has the upper's mode and owner, so the upper takes those of the image. */
async function likeTopLayer(upper: string, layers: readonly string[]): Promise<void> {
  const top = layers.at(-1);
  const facts = top === undefined ? null : await fileFacts(top);
  if (facts === null) {
    if (top !== undefined) throw new AppError({ code: 'ENGINE_SNAPSHOT_FAILED', message: `a layer of the image is gone: ${top}`, hint: 'pull the image again' });
    await setMode(upper, 0o755);
    return;
  }
  await changeOwnerOf(upper, facts.uid, facts.gid);
  await setMode(upper, facts.mode);
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
