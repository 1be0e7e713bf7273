import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeItems, replayLog } from '../../../src/manager/store/log-items.ts';
import { plainKeys } from '../../../src/manager/store/seal.ts';
import type { DataKeys } from '../../../src/manager/store/seal.ts';
import { SnapshotDir } from '../../../src/manager/store/snapshot-file.ts';
import { Wal } from '../../../src/manager/store/wal.ts';
import { realDisk } from '../../../src/os/disk.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'snapshot-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const sealed: DataKeys = { currentId: 1, keys: new Map([[1, new Uint8Array(32).fill(7)]]) };

describe.each([['plain', plainKeys], ['encrypted', sealed]] as const)('a snapshot on disk, %s', (_name, keys) => {
  function make(): { readonly snapshots: SnapshotDir; readonly path: string; readonly content: Buffer } {
    const snapshots = new SnapshotDir({ disk: realDisk, dir, keys, randomBytes, chunkBytes: 256 });
    const content = Buffer.from(Array.from({ length: 40 }, (_, at) => `["o",{"line":${at}}]\n`).join(''));
    const writer = snapshots.begin('save', { clusterId: 'c', index: 7, term: 2, meta: '{}' });
    writer.write(content);
    writer.finish(undefined);
    return { snapshots, path: join(dir, readdirSync(dir).find((name) => name.endsWith('.snap')) ?? ''), content };
  }

  function read(snapshots: SnapshotDir): Buffer {
    const parts: Uint8Array[] = [];
    const reader = snapshots.openReader(7, 2);
    try {
      reader.verify((content) => parts.push(content));
    } finally {
      reader.close();
    }
    return Buffer.concat(parts);
  }

  test('a flipped bit in any byte is found, whatever it hits', () => {
    const { snapshots, path, content } = make();
    expect(read(snapshots)).toEqual(content);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 1) {
      const bad = Buffer.from(whole);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, bad);
      expect(() => read(snapshots), `byte ${at}`).toThrow(expect.objectContaining({ code: 'MANAGER_SNAPSHOT_DAMAGED' }));
    }
  });

  test('one whose head is damaged is not held open', () => {
    const { snapshots, path } = make();
    const bad = readFileSync(path);
    bad[20] = (bad[20] ?? 0) ^ 1;
    writeFileSync(path, bad);
    const before = readdirSync('/proc/self/fd').length;
    for (let time = 0; time < 50; time += 1) expect(() => read(snapshots)).toThrow(expect.objectContaining({ code: 'MANAGER_SNAPSHOT_DAMAGED' }));
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 25);
  });

  test('a file cut at any byte is found', () => {
    const { snapshots, path } = make();
    const whole = readFileSync(path);
    for (let size = whole.length - 1; size >= 0; size -= 1) {
      truncateSync(path, size);
      expect(() => read(snapshots), `cut at ${size}`).toThrow(expect.objectContaining({ code: 'MANAGER_SNAPSHOT_DAMAGED' }));
    }
  });

  test('a last record of the log cut at any 4 KB, or with any 4 KB lost, is cut off and nothing before it', () => {
    const options = { disk: realDisk, dir: join(dir, 'log'), clusterId: 'c', memberId: 'm', segmentSizeBytes: 256 * 1024, keys, randomBytes };
    const { wal } = Wal.open(options);
    const append = (index: number, bytes: number): void => wal.append(encodeItems([{ kind: 'entries', entries: [{ index, term: 1, kind: 0, data: new Uint8Array(bytes).fill(65) }] }]));
    for (let index = 1; index <= 5; index += 1) append(index, 100);
    append(6, 60_000);
    wal.close();
    const path = join(dir, 'log', readdirSync(join(dir, 'log')).find((name) => name.endsWith('.wal')) ?? '');
    const whole = readFileSync(path);
    const found = (): number[] => replayLog(Wal.inspect(options).batches).entries.map((one) => one.index);
    expect(found()).toEqual([1, 2, 3, 4, 5, 6]);
    for (let at = 4096; at < 60_000; at += 4096) {
      writeFileSync(path, whole.subarray(0, at));
      expect(found(), `cut at ${at}`).toEqual([1, 2, 3, 4, 5]);
      writeFileSync(path, Buffer.from(whole).fill(0, at, at + 4096));
      expect(found(), `lost at ${at}`).toEqual([1, 2, 3, 4, 5]);
    }
  });
});
