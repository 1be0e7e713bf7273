import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNetworkNamespace, enterEmptyHost, inNetworkNamespace, isNetworkNamespace, removeNetworkNamespace } from '../../../src/os/netns.ts';

const here = (): string => readlinkSync('/proc/thread-self/ns/net');
let root = '';
beforeAll(() => {
  enterEmptyHost();
  root = mkdtempSync('/tmp/flotilla-netns-');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('the thread is back where it was, with what was answered, and the name leads into the new namespace', () => {
  const home = here();
  const path = join(root, 'one');
  const inside = createNetworkNamespace(path, here);
  expect(inside).not.toBe(home);
  expect(here()).toBe(home);
  expect(isNetworkNamespace(path)).toBe(true);
  expect(inNetworkNamespace(path, here)).toBe(inside);
  expect(here()).toBe(home);
  removeNetworkNamespace(path);
  removeNetworkNamespace(path);
  expect(existsSync(path)).toBe(false);
});

test('it is back also when the work inside fails, and a namespace that was not finished is gone', () => {
  const home = here();
  const path = join(root, 'two');
  const fail = (): never => {
    throw new Error('inside');
  };
  expect(() => createNetworkNamespace(path, fail)).toThrow('inside');
  expect(here()).toBe(home);
  expect(existsSync(path)).toBe(false);
  createNetworkNamespace(path, () => undefined);
  expect(() => inNetworkNamespace(path, fail)).toThrow('inside');
  expect(here()).toBe(home);
  removeNetworkNamespace(path);
});

test('what is no namespace is refused, and what exists already is not made again', () => {
  const home = here();
  const path = join(root, 'three');
  expect(() => inNetworkNamespace(path, here)).toThrow(/ENOENT/);
  createNetworkNamespace(path, () => undefined);
  expect(() => createNetworkNamespace(path, () => undefined)).toThrow(/EEXIST/);
  expect(isNetworkNamespace(path)).toBe(true);
  expect(here()).toBe(home);
  removeNetworkNamespace(path);
});

test('a hundred turns leave no descriptor open', () => {
  const count = (): number => readdirSync('/proc/self/fd').length;
  const before = count();
  for (let i = 0; i < 100; i += 1) {
    const path = join(root, `turn${i}`);
    createNetworkNamespace(path, () => undefined);
    inNetworkNamespace(path, () => undefined);
    removeNetworkNamespace(path);
  }
  expect(count()).toBe(before);
});
