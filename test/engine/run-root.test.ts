import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isRunRootInUse } from '../../src/engine/open-engine.ts';
import { listMounts, mount, unmountAll } from '../../src/os/mount.ts';

const isRoot = process.getuid?.() === 0;
let run: string;

beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'flotilla-run-'));
  for (const name of ['bundles', 'secrets', 'state', 'exits']) mkdirSync(join(run, name));
  writeFileSync(join(run, 'boot'), 'this boot');
});

afterEach(() => {
  if (isRoot) unmountAll(join(run, 'secrets'));
  rmSync(run, { recursive: true, force: true });
});

test.skipIf(!isRoot).for(['bundles', 'secrets'])('%s of containers of this boot are in use', (name) => {
  mkdirSync(join(run, name, 'one'));
  expect(isRunRootInUse(run, 'this boot')).toBe(true);
  expect(existsSync(join(run, name, 'one'))).toBe(true);
});

test.skipIf(!isRoot)('what another boot has left is removed, whatever it was', () => {
  for (const name of ['bundles', 'secrets', 'state', 'exits']) mkdirSync(join(run, name, 'one'));
  expect(isRunRootInUse(run, 'the next boot')).toBe(false);
  for (const name of ['bundles', 'secrets', 'state', 'exits']) expect(existsSync(join(run, name, 'one'))).toBe(false);
});

test.skipIf(!isRoot)('memory for secrets that are gone is not left mounted where nobody reaches it', () => {
  mount({ source: 'tmpfs', target: join(run, 'secrets'), type: 'tmpfs', flags: 0, data: 'size=64k' });
  expect(isRunRootInUse(run, 'this boot')).toBe(false);
  expect(listMounts().some((one) => one.target === join(run, 'secrets'))).toBe(false);
});
