import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clockCheck, diskCheck } from '../../src/os/doctor-disk.ts';

test('the sync of the data directory is measured where it will be, and nothing is left there or made', () => {
  const dir = mkdtempSync(join(tmpdir(), 'doctor-'));
  try {
    const check = diskCheck(join(dir, 'not', 'yet'));
    expect(check).toMatchObject({ isRequired: false, found: expect.stringMatching(new RegExp(`^([0-9.]+ ms in ${dir}, the slowest of 16 [0-9.]+ ms|not measured in ${dir} \\(EOPNOTSUPP\\))$`)) });
    expect(readdirSync(dir)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a directory that takes no files is no fault of the disk', () => {
  expect(diskCheck('/proc')).toMatchObject({ isOk: true, found: expect.stringContaining('not measured in /proc') });
});

test('the clock is right or there is a line that mends it', () => {
  const check = clockCheck();
  expect(check.fix === null).toBe(check.isOk);
});
