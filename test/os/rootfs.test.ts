import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closeRootfs, ensureTarget, openRootfs, removeDeadLink, type Rootfs, TargetError } from '../../src/os/rootfs.ts';

let dir: string;
let root: Rootfs;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-rootfs-'));
  mkdirSync(join(dir, 'root', 'etc'), { recursive: true });
  writeFileSync(join(dir, 'root', 'etc', 'real'), 'kept');
  writeFileSync(join(dir, 'outside'), 'of the host');
  root = openRootfs(join(dir, 'root'));
});

afterEach(() => {
  closeRootfs(root);
  rmSync(dir, { recursive: true, force: true });
});

const dead = [
  ['to what is not there', '../run/systemd/resolve/stub-resolv.conf'],
  ['to a file of the host', '../../outside'],
  ['to itself', 'name'],
  ['through a file', 'real/further'],
] as const;

test.for(dead)('a link %s gives way to the place of a file', ([, target]) => {
  symlinkSync(target, join(root.path, 'etc', 'name'));
  removeDeadLink(root, 'etc', 'name');
  expect(ensureTarget(root, '/etc/name', 'file')).toBe('/etc/name');
  expect(lstatSync(join(root.path, 'etc', 'name')).isFile()).toBe(true);
  expect(readFileSync(join(dir, 'outside'), 'utf8')).toBe('of the host');
});

test('a link that leads to a file of the root stays, and so does a file', () => {
  symlinkSync('/etc/real', join(root.path, 'etc', 'name'));
  for (const name of ['name', 'real', 'missing']) removeDeadLink(root, 'etc', name);
  expect(ensureTarget(root, '/etc/name', 'file')).toBe('/etc/real');
  expect(readFileSync(join(root.path, 'etc', 'real'), 'utf8')).toBe('kept');
  expect(existsSync(join(root.path, 'etc', 'missing'))).toBe(false);
});

test('the place of any other mount is not made through a link that leads nowhere', () => {
  symlinkSync('../nowhere', join(root.path, 'etc', 'name'));
  expect(() => ensureTarget(root, '/etc/name', 'file')).toThrow(TargetError);
});
