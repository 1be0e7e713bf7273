import { AppError, isAppError } from '../../base/app-error.ts';
import { limits } from '../../base/limits.ts';
import { changeMode, changeModeAt, changeOwner, changeOwnerAt, changeTimes, changeTimesAt, closeFd, makeDirAt, makeLinkAt, makeNodeAt, makeSymlinkAt, openAt, openFlags, openInside, removeAt, removeTreeAt, resolve, setXattr, setXattrAt } from '../../os/fd-ops.ts';
import type { FileTime } from '../../os/fd-ops.ts';
import { fdFiles } from '../../os/files.ts';
import { errorName } from '../../os/libc.ts';
import { cleanPath, joinPath, pathKey, shownPath } from './layer-path.ts';
import type { TarEntry } from './tar-reader.ts';

const whiteoutPrefix = Buffer.from('.wh.');
const opaqueName = '.wh..wh..opq';
const nodeTypes = { char: 0o020000, block: 0o060000, fifo: 0o010000 } as const;
const walk = { flags: openFlags.path | openFlags.directory, resolve: resolve.inRoot | resolve.noMagicLinks } as const;

export type LayerFacts = { readonly entries: number; readonly sizeBytes: number };

/**
 * Writes a layer's entries below one directory, as if someone hostile had chosen them.
 * Every path is walked by the kernel from the directory's descriptor with RESOLVE_IN_ROOT: a symlink or `..` of the archive
 * can lead nowhere else, and the last component is never followed. Whiteouts become overlayfs's own.
 * Invariant: nobody else writes below the directory while this runs.
 * Errors: ENGINE_LAYER_INVALID, ENGINE_LAYER_LIMIT, ENGINE_DISK_FULL, ENGINE_UNPACK_FAILED.
 */
export class LayerWriter {
  readonly #root: number;
  readonly #isRoot: boolean;
  readonly #dirTimes: { readonly path: Uint8Array; readonly modified: FileTime }[] = [];
  readonly #whiteouts = new Set<string>();
  #parentKey: string | null = null;
  #parentFd = -1;
  #file = -1;
  #fileEntry: TarEntry | null = null;
  #hasSetgidDir = false;
  #entries = 0;
  #sizeBytes = 0;

  /** `isRoot`: owners, devices and trusted attributes are set; without it they are left out (tests, a rootless engine). */
  constructor(dir: string, options: { readonly isRoot: boolean }) {
    this.#root = fdFiles.openDir(dir);
    this.#isRoot = options.isRoot;
  }

  entry(entry: TarEntry): void {
    this.#entries += 1;
    if (this.#entries > limits.layerEntriesMax) throw new AppError({ code: 'ENGINE_LAYER_LIMIT', message: `the layer has more than ${limits.layerEntriesMax} entries` });
    try {
      this.#place(entry);
    } catch (error) {
      throw explain(error, entry.path);
    }
  }

  data(chunk: Uint8Array): void {
    this.#sizeBytes += chunk.length;
    if (this.#file < 0) return;
    try {
      fdFiles.writeAll(this.#file, chunk);
    } catch (error) {
      throw explain(error, this.#fileEntry?.path ?? new Uint8Array());
    }
  }

  entryEnd(): void {
    const entry = this.#fileEntry;
    if (this.#file < 0 || entry === null) return;
    try {
      this.#finishFd(this.#file, entry);
      changeTimes(this.#file, entry.modified);
    } catch (error) {
      throw explain(error, entry.path);
    } finally {
      closeFd(this.#file);
      this.#file = -1;
      this.#fileEntry = null;
    }
  }

  /** Sets the times of the directories, which each write in them had changed. */
  finish(): LayerFacts {
    for (const one of this.#dirTimes.reverse()) {
      try {
        const fd = this.#openDir(one.path);
        if (fd === null) continue;
        changeTimes(fd, one.modified);
        closeFd(fd);
      } catch (error) {
        throw explain(error, one.path);
      }
    }
    return { entries: this.#entries, sizeBytes: this.#sizeBytes };
  }

  close(): void {
    if (this.#file >= 0) closeFd(this.#file);
    this.#forgetParent();
    fdFiles.close(this.#root);
  }

  #place(entry: TarEntry): void {
    const path = cleanPath(entry.path);
    const name = path.at(-1);
    if (name === undefined) {
      this.#placeRoot(entry);
      return;
    }
    // NOTE: `.wh..wh.*` below a name is bookkeeping of an old union file system; no image needs it.
    if (path.slice(0, -1).some(isWhiteout)) return;
    const parent = this.#parentOf(path.slice(0, -1));
    if (isWhiteout(name)) this.#placeWhiteout(parent, path, name);
    else this.#placeNamed(parent, path, name, entry);
  }

  #placeRoot(entry: TarEntry): void {
    if (entry.kind !== 'dir') throw invalid('the root of the layer is no directory');
    const fd = this.#openDir(Buffer.from('.'));
    if (fd === null) throw invalid('the root of the layer is gone');
    try {
      this.#finishDir(fd, entry, Buffer.from('.'));
    } finally {
      closeFd(fd);
    }
  }

  #placeNamed(parent: number, path: readonly Uint8Array[], name: Uint8Array, entry: TarEntry): void {
    if (entry.kind === 'dir') {
      this.#placeDir(parent, path, name, entry);
      return;
    }
    const make = (): void => this.#makeOther(parent, name, path, entry);
    try {
      make();
    } catch (error) {
      if (errorName(error) !== 'EEXIST') throw error;
      this.#clear(parent, name, path);
      make();
    }
    if (entry.kind === 'symlink') {
      if (this.#isRoot) changeOwnerAt(parent, name, entry.uid, entry.gid);
      this.#setXattrsAt(parent, name, entry);
      changeTimesAt(parent, name, entry.modified);
    } else if (entry.kind === 'char' || entry.kind === 'block' || entry.kind === 'fifo') this.#finishNode(parent, name, entry);
  }

  #makeOther(parent: number, name: Uint8Array, path: readonly Uint8Array[], entry: TarEntry): void {
    switch (entry.kind) {
      case 'file':
        this.#file = openAt(parent, name, openFlags.writeOnly | openFlags.create | openFlags.exclusive, 0o600);
        this.#fileEntry = entry;
        break;
      case 'symlink':
        if (entry.linkTarget.length === 0) throw invalid('a symlink without a target');
        makeSymlinkAt(entry.linkTarget, parent, name);
        break;
      case 'hardlink':
        this.#makeHardlink(parent, name, path, entry);
        break;
      case 'char':
      case 'block':
      case 'fifo':
        if (entry.kind !== 'fifo' && !this.#isRoot) throw new AppError({ code: 'ENGINE_UNPACK_FAILED', message: 'a device node can be made only by root' });
        makeNodeAt(parent, name, nodeTypes[entry.kind] | 0o600, entry.device);
        break;
      case 'dir':
        break;
    }
  }

  /** The target must be in this layer: it is looked up from the layer's root, and a symlink at its end is linked itself. */
  #makeHardlink(parent: number, name: Uint8Array, path: readonly Uint8Array[], entry: TarEntry): void {
    const target = cleanPath(entry.linkTarget);
    const targetName = target.at(-1);
    if (targetName === undefined) throw invalid('a hard link to the root');
    if (pathKey(target) === pathKey(path)) throw invalid('a hard link to itself');
    const dir = this.#openDir(joinPath(target.slice(0, -1)));
    if (dir === null) throw invalid(`a hard link to ${shownPath(entry.linkTarget)}, which is not in the layer`);
    try {
      makeLinkAt({ dir, name: targetName }, { dir: parent, name });
    } catch (error) {
      if (errorName(error) === 'ENOENT' || errorName(error) === 'EPERM') throw invalid(`a hard link to ${shownPath(entry.linkTarget)}, which is no file of the layer`);
      throw error;
    } finally {
      closeFd(dir);
    }
  }

  #placeDir(parent: number, path: readonly Uint8Array[], name: Uint8Array, entry: TarEntry): void {
    const key = pathKey(path);
    const fd = this.#makeOrOpenDir(parent, name, path);
    try {
      if (this.#whiteouts.delete(key)) this.#setOpaque(fd);
      this.#finishDir(fd, entry, joinPath(path));
    } finally {
      closeFd(fd);
    }
  }

  /** A directory stays what it is and takes the new mode; anything else of that name goes. */
  #makeOrOpenDir(parent: number, name: Uint8Array, path: readonly Uint8Array[]): number {
    const open = (): number => openAt(parent, name, openFlags.readOnly | openFlags.directory);
    try {
      makeDirAt(parent, name, 0o700);
      return open();
    } catch (error) {
      if (errorName(error) !== 'EEXIST') throw error;
    }
    try {
      return open();
    } catch (error) {
      if (errorName(error) !== 'ENOTDIR' && errorName(error) !== 'ELOOP') throw error;
    }
    const wasWhiteout = this.#whiteouts.has(pathKey(path));
    this.#clear(parent, name, path);
    if (wasWhiteout) this.#whiteouts.add(pathKey(path));
    makeDirAt(parent, name, 0o700);
    return open();
  }

  #placeWhiteout(parent: number, path: readonly Uint8Array[], name: Uint8Array): void {
    if (Buffer.from(name).equals(Buffer.from(opaqueName))) {
      const fd = this.#openDir(joinPath(path.slice(0, -1)));
      if (fd === null) return;
      this.#setOpaque(fd);
      closeFd(fd);
      return;
    }
    const hidden = name.subarray(whiteoutPrefix.length);
    const text = Buffer.from(hidden).toString('latin1');
    if (text.startsWith('.wh.')) return;
    if (text === '' || text === '.' || text === '..') throw invalid(`a whiteout of ${JSON.stringify(text)}`);
    const hiddenPath = [...path.slice(0, -1), hidden];
    try {
      makeNodeAt(parent, hidden, nodeTypes.char, { major: 0, minor: 0 });
      this.#whiteouts.add(pathKey(hiddenPath));
    } catch (error) {
      if (errorName(error) !== 'EEXIST') throw error;
      this.#hideBelow(parent, hidden);
    }
  }

  /** A whiteout hides lower layers only. What this layer has under that name stays, and hides the lower: a directory by being opaque. */
  #hideBelow(parent: number, name: Uint8Array): void {
    try {
      const fd = openAt(parent, name, openFlags.readOnly | openFlags.directory);
      this.#setOpaque(fd);
      closeFd(fd);
    } catch (error) {
      if (errorName(error) !== 'ENOTDIR' && errorName(error) !== 'ELOOP') throw error;
    }
  }

  #setOpaque(fd: number): void {
    setXattr(fd, Buffer.from(this.#isRoot ? 'trusted.overlay.opaque' : 'user.overlay.opaque'), Buffer.from('y'));
  }

  #finishDir(fd: number, entry: TarEntry, path: Uint8Array): void {
    this.#finishFd(fd, entry);
    if ((entry.mode & 0o2000) !== 0) this.#hasSetgidDir = true;
    this.#dirTimes.push({ path, modified: entry.modified });
  }

  /** Owner first: changing it clears set-id bits and capabilities. */
  #finishFd(fd: number, entry: TarEntry): void {
    // A new file is root's already, unless its directory hands down its group.
    if (this.#isRoot && (entry.uid !== 0 || entry.gid !== 0 || this.#hasSetgidDir || entry.kind === 'dir')) changeOwner(fd, entry.uid, entry.gid);
    changeMode(fd, entry.mode);
    for (const [name, value] of entry.xattrs) if (isAllowedXattr(name, this.#isRoot)) setXattr(fd, Buffer.from(name, 'latin1'), value);
  }

  #finishNode(parent: number, name: Uint8Array, entry: TarEntry): void {
    if (this.#isRoot) changeOwnerAt(parent, name, entry.uid, entry.gid);
    changeModeAt(parent, name, entry.mode);
    this.#setXattrsAt(parent, name, entry);
    changeTimesAt(parent, name, entry.modified);
  }

  /** Links and devices carry no attributes of users. */
  #setXattrsAt(parent: number, name: Uint8Array, entry: TarEntry): void {
    for (const [attribute, value] of entry.xattrs) {
      if (attribute.startsWith('security.') && isAllowedXattr(attribute, this.#isRoot)) setXattrAt(parent, name, Buffer.from(attribute, 'latin1'), value);
    }
  }

  #clear(parent: number, name: Uint8Array, path: readonly Uint8Array[]): void {
    this.#whiteouts.delete(pathKey(path));
    try {
      removeAt(parent, name, 'file');
    } catch (error) {
      if (errorName(error) !== 'EISDIR') throw error;
      removeTreeAt(parent, name);
      // A directory that is gone may be the one whose descriptor is kept, but not the parent of what is being placed.
      this.#parentKey = null;
    }
  }

  #openDir(path: Uint8Array): number | null {
    try {
      return openInside(this.#root, path, { flags: openFlags.readOnly | openFlags.directory, resolve: walk.resolve });
    } catch (error) {
      if (errorName(error) === 'ENOTDIR') return null;
      throw error;
    }
  }

  /** The descriptor of a directory, made where it is missing. The last one is kept: archives go directory by directory. */
  #parentOf(path: readonly Uint8Array[]): number {
    if (path.length === 0) return this.#root;
    const key = pathKey(path);
    if (key === this.#parentKey) return this.#parentFd;
    const fd = openInside(this.#root, joinPath(path), walk) ?? this.#makeParents(path);
    this.#forgetParent();
    this.#parentKey = key;
    this.#parentFd = fd;
    return fd;
  }

  /** Step by step from the root: a real directory is entered by its name, a symlink resolved anew from the layer's root. */
  #makeParents(path: readonly Uint8Array[]): number {
    let above = openInside(this.#root, Buffer.from('.'), walk);
    for (const [index, name] of path.entries()) {
      if (above === null) break;
      const inside: number | null = enterDir(above, name) ?? openInside(this.#root, joinPath(path.slice(0, index + 1)), walk) ?? makeParent(above, name);
      closeFd(above);
      above = inside;
    }
    if (above === null) throw invalid('a symlink to nowhere stands in the way of a directory');
    return above;
  }

  #forgetParent(): void {
    if (this.#parentFd >= 0) closeFd(this.#parentFd);
    this.#parentFd = -1;
    this.#parentKey = null;
  }
}

/** The real directory of that name; null for anything else. */
function enterDir(above: number, name: Uint8Array): number | null {
  try {
    return openAt(above, name, openFlags.path | openFlags.directory);
  } catch (error) {
    const code = errorName(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return null;
    throw error;
  }
}

/** A directory that the archive did not name; null where something else has its name. */
function makeParent(above: number, name: Uint8Array): number | null {
  try {
    makeDirAt(above, name, 0o755);
  } catch (error) {
    if (errorName(error) === 'EEXIST') return null;
    throw error;
  }
  changeModeAt(above, name, 0o755);
  return enterDir(above, name);
}

function isWhiteout(name: Uint8Array): boolean {
  return whiteoutPrefix.equals(name.subarray(0, whiteoutPrefix.length));
}

/** Attributes an image may set. `trusted.*` and `*.overlay.*` steer overlayfs itself; labels of security modules are the host's. */
function isAllowedXattr(name: string, isRoot: boolean): boolean {
  if (name === 'security.capability') return isRoot;
  return name.startsWith('user.') && !name.startsWith('user.overlay.');
}

function invalid(what: string): AppError {
  return new AppError({ code: 'ENGINE_LAYER_INVALID', message: `the layer is damaged or hostile: ${what}` });
}

function explain(error: unknown, path: Uint8Array): AppError {
  if (isAppError(error)) return new AppError({ code: error.code, message: `${error.message} (at ${shownPath(path)})`, hint: error.hint, cause: error });
  const name = errorName(error);
  if (name === 'ENOSPC' || name === 'EDQUOT') return new AppError({ code: 'ENGINE_DISK_FULL', message: `the disk is full while unpacking ${shownPath(path)}`, hint: 'remove images that are not used: flotilla rmi IMAGE', cause: error });
  if (name === 'EPERM' || name === 'EACCES' || name === 'ENOTSUP' || name === 'EIO' || name === 'EROFS' || name === 'EMFILE') return new AppError({ code: 'ENGINE_UNPACK_FAILED', message: `${shownPath(path)} could not be unpacked: ${name}`, cause: error });
  return new AppError({ code: 'ENGINE_LAYER_INVALID', message: `the layer is damaged or hostile: ${shownPath(path)} cannot be made (${name ?? String(error)})`, cause: error });
}
