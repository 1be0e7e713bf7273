import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeMemoryDir } from '../../src/os/memory-dir.ts';
import { listMounts, unmountAll } from '../../src/os/mount.ts';
import { isOnTmpfs } from '../../src/os/quick-files.ts';

const isRoot = process.getuid?.() === 0;
const wish = { mode: 0o711, sizeBytesMax: 1024 * 1024, isInUse: () => false };
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-memory-'));
});

afterEach(() => {
  if (isRoot) unmountAll(join(dir, 'run'));
  rmSync(dir, { recursive: true, force: true });
});

test.skipIf(!isRoot)('a directory on a disk gets a file system in memory, once, and keeps what is in it', () => {
  const run = join(dir, 'run');
  for (let round = 0; round < 2; round += 1) expect(makeMemoryDir(run, wish)).toBeNull();
  expect(isOnTmpfs(run)).toBe(true);
  expect(statSync(run).mode & 0o777).toBe(0o711);
  writeFileSync(join(run, 'kept'), 'yes');
  expect(makeMemoryDir(run, wish)).toBeNull();
  expect(readFileSync(join(run, 'kept'), 'utf8')).toBe('yes');
  expect(listMounts().filter((one) => one.target === run).length).toBe(isOnTmpfs(dir) ? 0 : 1);
});

test('what is in use in it stays in sight', () => {
  const run = join(dir, 'run');
  mkdirSync(run);
  writeFileSync(join(run, 'kept'), 'yes');
  expect(makeMemoryDir(run, { ...wish, isInUse: () => true })).toBeNull();
  expect(existsSync(join(run, 'kept'))).toBe(true);
});

test.skipIf(isRoot)('without the right to mount it stays on the disk, and the error is told', () => {
  expect(makeMemoryDir(join(dir, 'run'), wish)).toBe(isOnTmpfs(dir) ? null : 'EPERM');
});
