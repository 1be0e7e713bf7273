import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import type { Log } from '../../src/base/log.ts';
import { openDiskKeeper } from '../../src/os/disk-keeper.ts';

function lab(): { readonly clock: Clock; readonly log: Log; readonly timers: (() => void)[]; readonly errors: string[] } {
  const timers: (() => void)[] = [];
  const errors: string[] = [];
  const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => Promise.resolve(), after: (_, fn) => (timers.push(fn), () => void timers.splice(timers.indexOf(fn), 1)) };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (_, fields) => void errors.push(JSON.stringify(fields)), child: () => log };
  return { clock, log, timers, errors };
}

test('what comes together is done together, when its time has come, its preparations first', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-keeper-'));
  const { clock, log, timers, errors } = lab();
  const disk = openDiskKeeper({ clock, log });
  const seen: string[] = [];
  disk.keep([join(dir, 'made-in-time'), dir], () => {
    seen.push('first');
    writeFileSync(join(dir, 'made-in-time'), '');
  });
  disk.keep([dir], () => seen.push('second'));
  expect({ seen, timers: timers.length }).toEqual({ seen: [], timers: 1 });
  await disk.settle();
  expect({ seen, timers: timers.length, errors }).toEqual({ seen: ['first', 'second'], timers: 0, errors: [] });
  disk.keep([dir], () => seen.push('third'));
  expect(timers).toHaveLength(1);
  await disk.settle();
  rmSync(dir, { recursive: true });
});

test('what has gone is passed over; what fails is told and stops nothing else', async () => {
  const { clock, log, errors } = lab();
  const disk = openDiskKeeper({ clock, log });
  const seen: string[] = [];
  disk.keep(['/nonexistent/a', '/etc/hostname/b', '/proc/self/mem'], () => {
    throw new Error('no space');
  });
  disk.keep([], () => seen.push('second'));
  await disk.settle();
  expect(seen).toEqual(['second']);
  expect(errors[0]).toContain('no space');
  expect(errors.some((one) => one.includes('nonexistent') || one.includes('hostname'))).toBe(false);
});
