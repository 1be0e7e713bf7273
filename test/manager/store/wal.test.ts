import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/base/app-error.ts';
import { encodeItems, replayLog } from '../../../src/manager/store/log-items.ts';
import type { LogEntry } from '../../../src/manager/store/log-items.ts';
import { plainKeys } from '../../../src/manager/store/seal.ts';
import type { DataKeys } from '../../../src/manager/store/seal.ts';
import { Wal } from '../../../src/manager/store/wal.ts';
import type { WalOptions } from '../../../src/manager/store/wal.ts';
import type { Disk } from '../../../src/os/disk.ts';
import { realDisk } from '../../../src/os/disk.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wal-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const sealed: DataKeys = { currentId: 1, keys: new Map([[1, new Uint8Array(32).fill(7)]]) };

function options(keys: DataKeys = plainKeys, segmentSizeBytes = 64 * 1024): WalOptions {
  return { disk: realDisk, dir: join(dir, 'log'), clusterId: 'c', memberId: 'm', segmentSizeBytes, keys, randomBytes };
}

function entry(index: number, bytes = 40): LogEntry {
  return { index, term: 1, kind: 0, data: new TextEncoder().encode(`entry ${index} `.padEnd(bytes, '.')) };
}

function append(wal: Wal, from: number, to: number, bytes?: number): void {
  for (let index = from; index <= to; index += 1) wal.append(encodeItems([{ kind: 'entries', entries: [entry(index, bytes)] }, { kind: 'hardState', hardState: { term: 1, vote: 'm', commit: index - 1 } }]));
}

function indexes(batches: readonly Uint8Array[]): number[] {
  return replayLog(batches).entries.map((one) => one.index);
}

function text(one: LogEntry): string {
  return new TextDecoder().decode(one.data);
}

function texts(batches: readonly Uint8Array[]): string[] {
  return replayLog(batches).entries.map(text);
}

function lastSegment(): string {
  return join(dir, 'log', readdirSync(join(dir, 'log')).filter((name) => name.endsWith('.wal')).sort().at(-1) ?? '');
}

/** Where each record of a segment begins, by its own length field. */
function records(bytes: Uint8Array): { readonly at: number; readonly end: number }[] {
  const found: { at: number; end: number }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 512; at + 32 <= bytes.length && view.getUint32(at + 28, true) !== 0; ) {
    const end = at + Math.ceil((32 + view.getUint32(at, true) + 8) / 32) * 32;
    found.push({ at, end });
    at = end;
  }
  return found;
}

describe.each([['plain', plainKeys], ['encrypted', sealed]] as const)('the log on disk, %s', (_name, keys) => {
  test('gives back what was appended, over segments and restarts, with vote and term', () => {
    const { wal } = Wal.open(options(keys, 16 * 1024));
    append(wal, 1, 300, 200);
    expect(wal.segmentCount).toBeGreaterThan(4);
    wal.close();
    const again = Wal.open(options(keys, 16 * 1024));
    expect(indexes(again.batches)).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
    expect(replayLog(again.batches).hardState).toEqual({ term: 1, vote: 'm', commit: 299 });
    again.wal.compact(200);
    append(again.wal, 301, 310);
    again.wal.close();
    const last = Wal.open(options(keys, 16 * 1024));
    expect(indexes(last.batches).at(-1)).toBe(310);
    expect(indexes(last.batches)[0]).toBeGreaterThan(100);
    expect(replayLog(last.batches).hardState.commit).toBe(309);
    last.wal.close();
  });

  test('what was prepared for an append is of use to that one only: also when a new segment or another key comes between', () => {
    const opened = Wal.open(options(keys, 16 * 1024));
    const other: DataKeys = { currentId: 2, keys: new Map([...keys.keys, [2, new Uint8Array(32).fill(9)]]) };
    for (let index = 1; index <= 200; index += 1) {
      if (index % 3 !== 0) opened.wal.prepare();
      if (index % 50 === 0) opened.wal.useKeys(index % 100 === 0 ? keys : other);
      append(opened.wal, index, index, 40 + (index % 7) * 300);
    }
    opened.wal.prepare();
    opened.wal.close();
    const again = Wal.open(options(other, 16 * 1024));
    expect(texts(again.batches)).toEqual(Array.from({ length: 200 }, (_, at) => text(entry(at + 1, 40 + ((at + 1) % 7) * 300))));
    again.wal.close();
  });

  test('records of any size, one after the other, leave nothing of theirs in the next', () => {
    const { wal } = Wal.open(options(keys, 1024 * 1024));
    const sizes = [90_000, 40, 65_400, 65_500, 65_600, 700, 41, 69, 70, 71, 72, 73, 100_000, 50];
    sizes.forEach((bytes, at) => append(wal, at + 1, at + 1, bytes));
    wal.close();
    const bytes = readFileSync(lastSegment());
    for (const { at, end } of records(bytes)) {
      const payloadEnd = at + 32 + bytes.readUInt32LE(at);
      expect(bytes.subarray(payloadEnd, end - 8).every((byte) => byte === 0)).toBe(true);
      expect(bytes.subarray(end - 8, end).toString('hex')).toBe('f107111ae00ded5e');
    }
    const again = Wal.open(options(keys, 1024 * 1024));
    expect(texts(again.batches)).toEqual(sizes.map((size, at) => text(entry(at + 1, size))));
    again.wal.close();
  });

  test('a file cut at every byte of its last record loses that record at most', () => {
    const { wal } = Wal.open(options(keys));
    append(wal, 1, 5);
    wal.close();
    const path = lastSegment();
    const whole = readFileSync(path);
    const last = records(whole).at(-1);
    if (last === undefined) throw new Error('no record');
    for (let size = last.at; size <= last.end; size += 1) {
      writeFileSync(path, whole);
      truncateSync(path, size);
      const found = Wal.open(options(keys));
      expect(indexes(found.batches), `cut at ${size}`).toEqual(size === last.end ? [1, 2, 3, 4, 5] : [1, 2, 3, 4]);
      append(found.wal, 6 - (size === last.end ? 0 : 1), 7);
      found.wal.close();
      const again = Wal.open(options(keys));
      expect(indexes(again.batches)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      again.wal.close();
      for (const name of readdirSync(join(dir, 'log'))) if (join(dir, 'log', name) !== path) rmSync(join(dir, 'log', name));
    }
  });

  test('a last write torn in any sector is cut, and nothing before it', () => {
    const { wal } = Wal.open(options(keys));
    append(wal, 1, 5);
    append(wal, 6, 6, 3000);
    wal.close();
    const path = lastSegment();
    const whole = readFileSync(path);
    const last = records(whole).at(-1);
    if (last === undefined) throw new Error('no record');
    const sectors = Array.from({ length: Math.ceil(last.end / 512) - Math.floor(last.at / 512) }, (_, at) => Math.floor(last.at / 512) + at);
    for (let lost = 1; lost < 2 ** sectors.length; lost += 1) {
      const torn = Buffer.from(whole);
      sectors.forEach((sector, at) => {
        if ((lost >> at) & 1) torn.fill(0, Math.max(last.at, sector * 512), Math.min(last.end, (sector + 1) * 512));
      });
      writeFileSync(path, torn);
      const found = Wal.inspect(options(keys));
      expect(indexes(found.batches), `lost ${lost.toString(2)}`).toEqual([1, 2, 3, 4, 5]);
    }
  });

  test('a flipped bit in any byte of any record is refused, with the repair; never a silent loss', () => {
    const { wal } = Wal.open(options(keys));
    append(wal, 1, 6);
    wal.close();
    const path = lastSegment();
    const whole = readFileSync(path);
    for (const record of records(whole)) {
      for (let at = record.at; at < record.end; at += 1) {
        const bad = Buffer.from(whole);
        bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
        writeFileSync(path, bad);
        let found: number[] | null = null;
        try {
          found = indexes(Wal.inspect(options(keys)).batches);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANAGER_WAL_DAMAGED' });
          expect(String(Reflect.get(Object(error), 'hint'))).toContain('recover --rejoin');
        }
        // Padding behind the payload carries nothing: there, all is still given back.
        if (found !== null) expect(found, `byte ${at}`).toEqual([1, 2, 3, 4, 5, 6]);
      }
    }
  });

  test('a segment that is missing, another key, another member are refused', () => {
    const { wal } = Wal.open(options(keys, 16 * 1024));
    append(wal, 1, 200, 200);
    wal.close();
    expect(() => Wal.inspect({ ...options(keys, 16 * 1024), memberId: 'other' })).toThrow(/belongs to member m/);
    if (keys !== plainKeys) {
      expect(() => Wal.inspect(options({ currentId: 1, keys: new Map([[1, new Uint8Array(32)]]) }, 16 * 1024))).toThrow(/not written with this data key/);
      expect(() => Wal.inspect(options(plainKeys, 16 * 1024))).toThrow(/does not hold/);
    }
    const names = readdirSync(join(dir, 'log')).filter((name) => name.endsWith('.wal')).sort();
    rmSync(join(dir, 'log', names[2] ?? ''));
    expect(() => Wal.inspect(options(keys, 16 * 1024))).toThrow(/does not follow/);
  });
});

test('a process killed while it appends loses nothing that it had acknowledged', async () => {
  let acknowledged = 0;
  for (let round = 0; round < 8; round += 1) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'wal-writer.ts'), join(dir, 'log'), String(acknowledged + 1)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk) => {
        text += String(chunk);
        if (text.split('\n').length > 20 + round * 7) child.kill('SIGKILL');
      });
      child.on('exit', () => resolve());
    });
    acknowledged = Number(text.trimEnd().split('\n').slice(0, -1).at(-1) ?? acknowledged);
    const found = Wal.open(options());
    const there = indexes(found.batches);
    found.wal.close();
    expect(there.at(-1)).toBeGreaterThanOrEqual(acknowledged);
    expect(there).toEqual(there.map((_, at) => at + 1));
    acknowledged = there.at(-1) ?? acknowledged;
  }
  expect(acknowledged).toBeGreaterThan(200);
}, 60_000);

test.skipIf(process.getuid?.() !== 0)('a full disk loses nothing: the same append succeeds when there is room again', () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', dir]);
  try {
    const { wal } = Wal.open(options());
    execFileSync('sh', ['-c', `dd if=/dev/zero of=${dir}/junk bs=1k 2>/dev/null; true`]);
    let index = 0;
    let refused = 0;
    for (; index < 3000 && refused === 0; ) {
      try {
        append(wal, index + 1, index + 1);
        index += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: 'OS_DISK_FULL' });
        refused += 1;
      }
    }
    expect(refused).toBe(1);
    rmSync(join(dir, 'junk'));
    append(wal, index + 1, index + 3);
    wal.close();
    expect(indexes(Wal.inspect(options()).batches)).toEqual(Array.from({ length: index + 3 }, (_, at) => at + 1));
  } finally {
    execFileSync('umount', [dir]);
  }
});

type DiskVerb = 'open' | 'write' | 'sync' | 'rename' | 'syncDir' | 'unlink';

/** The real disk, asked before each call that changes something. */
function watchedDisk(before: (verb: DiskVerb) => void): Disk {
  const told = <A extends readonly unknown[], R>(verb: DiskVerb, call: (...args: A) => R): ((...args: A) => R) => (...args) => {
    before(verb);
    return call(...args);
  };
  return {
    ...realDisk,
    rename: told('rename', realDisk.rename), syncDir: told('syncDir', realDisk.syncDir), unlink: told('unlink', realDisk.unlink),
    open: (path, mode) => {
      before('open');
      const file = realDisk.open(path, mode);
      return {
        sizeBytes: () => file.sizeBytes(), read: (position, lengthBytes) => file.read(position, lengthBytes), truncate: (sizeBytes) => file.truncate(sizeBytes), close: () => file.close(),
        write: told('write', (position: number, parts: readonly Uint8Array[]) => file.write(position, parts)), sync: told('sync', () => file.sync()),
      };
    },
  };
}

test('no space at a write may be tried again; no space at a sync is final, as the write may be lost', () => {
  let failing: DiskVerb | null = null;
  const disk = watchedDisk((verb) => {
    if (failing === verb) throw new AppError({ code: 'OS_DISK_FULL', message: `cannot ${verb}` });
  });
  const { wal } = Wal.open({ ...options(), disk });
  append(wal, 1, 2);
  failing = 'write';
  expect(() => append(wal, 3, 3)).toThrow(expect.objectContaining({ code: 'OS_DISK_FULL' }));
  failing = null;
  append(wal, 3, 3);
  failing = 'sync';
  expect(() => append(wal, 4, 4)).toThrow(expect.objectContaining({ code: 'OS_DISK_FAILED' }));
  wal.close();
  expect(indexes(Wal.open(options()).batches).slice(0, 3)).toEqual([1, 2, 3]);
});

test.each(['OS_DISK_FAILED', 'OS_DISK_FULL'] as const)('%s at any call of a new segment: later appends are refused, or are there at the next start', (code) => {
  const other: DataKeys = { currentId: 2, keys: new Map([...sealed.keys, [2, new Uint8Array(32).fill(9)]]) };
  const outcomes = new Set<string>();
  for (let failAt = 0; outcomes.size === 0 || !outcomes.has('no call failed'); failAt += 1) {
    rmSync(join(dir, 'log'), { recursive: true, force: true });
    let left = Number.POSITIVE_INFINITY;
    const disk = watchedDisk((verb) => {
      left -= 1;
      if (left === -1) throw new AppError({ code, message: `cannot ${verb}` });
    });
    const { wal } = Wal.open({ ...options(sealed), disk });
    append(wal, 1, 3);
    left = failAt;
    let outcome = 'no call failed';
    try {
      wal.useKeys(other);
    } catch {
      outcome = 'new keys refused';
    }
    left = Number.POSITIVE_INFINITY;
    let acknowledged = 3;
    try {
      append(wal, 4, 5);
      acknowledged = 5;
    } catch (error) {
      expect(error).toMatchObject({ code: 'OS_DISK_FAILED' });
      outcome = 'all refused from then on';
    }
    wal.close();
    outcomes.add(outcome);
    expect(indexes(Wal.open(options(other)).batches), `call ${failAt}`).toEqual(Array.from({ length: acknowledged }, (_, at) => at + 1));
  }
  expect([...outcomes]).toEqual(expect.arrayContaining(['new keys refused', 'all refused from then on']));
});
