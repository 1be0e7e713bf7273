import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cString, getXattr, makeDirAt, makeLinkAt, openAt, openFlags, openInside, removeAt, renameAt, resolve, setXattr, changeTimes, changeMode, closeFd, makeSymlinkAt } from '../../src/os/fd-ops.ts';
import { fdFiles, fileFacts, isTemporaryName, listDir, openGrowing, readFileIfThere, removeTree, walkDir, writeFileDurable } from '../../src/os/files.ts';
import { errorName, SyscallError } from '../../src/os/libc.ts';
import { listMounts, mount, mountDataBytesMax } from '../../src/os/mount.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-os-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const bytes = (text: string): Buffer => Buffer.from(text);

describe('files that survive a crash', () => {
  test('a durable write replaces the whole content, sets the mode and leaves nothing beside it', async () => {
    const path = join(dir, 'state.json');
    await writeFileDurable(path, 'old', 0o644);
    await writeFileDurable(path, 'new', 0o640);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o7777).toBe(0o640);
    expect(readdirSync(dir)).toEqual(['state.json']);
  });

  test('what a crash leaves of a durable write is recognised by its name, and nothing else is', () => {
    expect(isTemporaryName('.state.json.0123456789ab.tmp')).toBe(true);
    expect(isTemporaryName('state.json')).toBe(false);
    expect(isTemporaryName('.hidden.tmp')).toBe(false);
  });

  test('a missing file is null, a missing directory is empty', async () => {
    expect(await readFileIfThere(join(dir, 'none'))).toBe(null);
    expect(await listDir(join(dir, 'none'))).toEqual([]);
    expect(await fileFacts(join(dir, 'none'))).toBe(null);
  });

  test('a tree is removed without following its symlinks', async () => {
    mkdirSync(join(dir, 'outside'));
    writeFileSync(join(dir, 'outside', 'canary'), 'x');
    mkdirSync(join(dir, 'tree', 'a', 'b'), { recursive: true });
    symlinkSync('../outside', join(dir, 'tree', 'link'));
    await removeTree(join(dir, 'tree'));
    await removeTree(join(dir, 'tree'));
    expect(readFileSync(join(dir, 'outside', 'canary'), 'utf8')).toBe('x');
    expect(readdirSync(dir)).toEqual(['outside']);
  });

  test('a walk names parents before children and does not enter symlinks', async () => {
    mkdirSync(join(dir, 'b'));
    writeFileSync(join(dir, 'b', 'c'), '');
    symlinkSync('b', join(dir, 'a'));
    const found: string[] = [];
    for await (const one of walkDir(dir)) found.push(`${one.kind} ${one.path.slice(dir.length)}`);
    expect(found).toEqual(['symlink /a', 'dir /b', 'file /b/c']);
  });

  test('a growing file goes on where it ended', async () => {
    const first = await openGrowing(join(dir, 'part'));
    await first.write(bytes('abc'));
    await first.sync();
    await first.close();
    const second = await openGrowing(join(dir, 'part'));
    expect(second.sizeBytes()).toBe(3);
    await second.truncate(2);
    await second.write(bytes('CD'));
    await second.close();
    expect(readFileSync(join(dir, 'part'), 'utf8')).toBe('abCD');
  });
});

describe('calls relative to a directory', () => {
  const opened = (): number => fdFiles.openDir(dir);

  test('in-root resolution keeps absolute and climbing symlinks inside', () => {
    const root = opened();
    mkdirSync(join(dir, 'etc'));
    symlinkSync('/etc', join(dir, 'absolute'));
    symlinkSync('../../../../etc', join(dir, 'climbing'));
    const inode = statSync(join(dir, 'etc')).ino;
    for (const name of ['absolute', 'climbing', '../../etc']) {
      const fd = openInside(root, bytes(name), { flags: openFlags.path | openFlags.directory, resolve: resolve.inRoot });
      expect(fd === null ? null : statSync(`/proc/self/fd/${fd}`).ino).toBe(inode);
      if (fd !== null) closeFd(fd);
    }
    closeFd(root);
  });

  test('a symlink is refused where none may be followed, and what is missing is null', () => {
    const root = opened();
    symlinkSync('/etc', join(dir, 'out'));
    expect(() => openInside(root, bytes('out/passwd'), { flags: openFlags.path, resolve: resolve.beneath | resolve.noSymlinks })).toThrow(SyscallError);
    expect(() => openAt(root, bytes('out'), openFlags.readOnly | openFlags.directory)).toThrow(/ENOTDIR|ELOOP/);
    expect(openInside(root, bytes('none/here'), { flags: openFlags.path, resolve: resolve.beneath })).toBe(null);
    closeFd(root);
  });

  test('names are raw bytes', () => {
    const root = opened();
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    makeDirAt(root, name, 0o755);
    expect(readdirSync(dir, { encoding: 'buffer' }).map((one) => one.toString('hex'))).toEqual(['66fffe']);
    removeAt(root, name, 'dir');
    expect(readdirSync(dir)).toEqual([]);
    closeFd(root);
  });

  test('files, links, modes, times and binary attributes', () => {
    const root = opened();
    const file = openAt(root, bytes('file'), openFlags.writeOnly | openFlags.create | openFlags.exclusive, 0o600);
    fdFiles.writeAll(file, bytes('text'));
    setXattr(file, bytes('user.raw'), Buffer.from([0, 0xff, 0x80]));
    changeMode(file, 0o4755);
    changeTimes(file, { seconds: -1, nanoseconds: 500 });
    closeFd(file);
    makeLinkAt({ dir: root, name: bytes('file') }, { dir: root, name: bytes('second') });
    makeSymlinkAt(bytes('file'), root, bytes('link'));
    renameAt({ dir: root, name: bytes('second') }, { dir: root, name: bytes('third') });
    const facts = statSync(join(dir, 'third'));
    expect([facts.nlink, facts.mode & 0o7777, facts.mtimeMs < 0, readFileSync(join(dir, 'link'), 'utf8')]).toEqual([2, 0o4755, true, 'text']);
    expect(getXattr(join(dir, 'third'), 'user.raw')).toEqual(Uint8Array.from([0, 0xff, 0x80]));
    expect(getXattr(join(dir, 'third'), 'user.none')).toBe(null);
    closeFd(root);
  });

  test('a failed call carries the name of its error', () => {
    const root = opened();
    let caught: unknown;
    try {
      removeAt(root, bytes('none'), 'file');
    } catch (error) {
      caught = error;
    }
    expect(errorName(caught)).toBe('ENOENT');
    expect(cString('a')).toEqual(Uint8Array.from([97, 0]));
    closeFd(root);
  });
});

describe('mounts', () => {
  test('options longer than the kernel reads are refused, not cut', () => {
    expect(() => mount({ source: 'none', target: dir, type: 'tmpfs', flags: 0, data: 'x'.repeat(mountDataBytesMax) })).toThrow(/longer than a page/);
  });

  test('the root of this namespace is among its mounts', () => {
    expect(listMounts().map((one) => one.target)).toContain('/');
  });
});
