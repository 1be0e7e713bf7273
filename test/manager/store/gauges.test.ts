import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import type { StoreLimits } from '../../../src/manager/store/store-limits.ts';
import type { Change } from '../../../src/model/entry.ts';
import { realClock } from '../../../src/os/real-clock.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function open(limits: Partial<StoreLimits> = {}): Promise<OpenedStore> {
  const store = await openStore({
    dir, clock: realClock, random, log: silentLog, limits: { ...laptopLimits, ...limits }, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall: true,
    onFatal: (error) => {
      throw error;
    },
  });
  if (!store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
  return store;
}

function put(id: string, text: string): Change[] {
  return [{ kind: 'put', ifVersion: null, object: { kind: 'config', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName: null, key: id, labels: {}, dataBase64: text, digest: '' } }];
}

test('what waits is counted while it waits, and gone when it is done', async () => {
  const store = await open();
  const all = Promise.all([store.propose(put('a', '1')), store.propose(put('b', '2')), store.read()]);
  expect(store.metrics()).toMatchObject({ proposalsPending: 2, proposalsQueued: 2, readsPending: 1 });
  await all;
  expect(store.metrics()).toMatchObject({ proposalsPending: 0, proposalsQueued: 0, readsPending: 0, applyQueued: 0, writesQueued: 0, appendsUnderWay: 0, objects: 2, proposals: 2, snapshotAgeMs: null });
  await store.close();
});

test('size and age of the snapshot are known after it was made, and after a restart; the log since then is counted anew', async () => {
  const store = await open();
  const fresh = store.metrics();
  for (let at = 0; at < 20; at += 1) await store.propose(put(`k${at}`, 'x'.repeat(500)));
  expect(store.metrics().logEntries).toBe(fresh.logEntries + 20);
  expect(store.metrics().logBytes).toBeGreaterThan(20 * 500);
  await store.makeSnapshot();
  const made = store.metrics();
  expect(made).toMatchObject({ logEntries: 0, logBytes: 0 });
  expect(made.snapshotBytes).toBeGreaterThan(20 * 500);
  expect(made.snapshotAgeMs).toBeGreaterThanOrEqual(0);
  expect(made.snapshotAgeMs).toBeLessThan(60_000);
  await store.close();
  const again = await open();
  expect(again.metrics().snapshotBytes).toBe(made.snapshotBytes);
  expect(again.metrics().snapshotAgeMs).toBeGreaterThanOrEqual(made.snapshotAgeMs ?? Infinity);
  await again.close();
});

test('more reads than may wait are refused by code, and those that wait are answered', async () => {
  const store = await open({ proposalsMax: 3 });
  const reads = await Promise.allSettled(Array.from({ length: 5 }, () => store.read()));
  expect(reads.map((one) => (one.status === 'fulfilled' ? 'read' : one.reason.code))).toEqual(['read', 'read', 'read', 'MANAGER_STORE_FULL', 'MANAGER_STORE_FULL']);
  await store.close();
});

test('a bound that is near raises an alarm that says what happens at it, and the alarm goes with its reason', async () => {
  const store = await open({ stateBytesMax: 3000, proposalsMax: 5 });
  expect(store.status().alarms).toEqual([]);
  const four = Promise.all(['a', 'b', 'c', 'd'].map((id) => store.propose(put(id, 'x'.repeat(700)))));
  expect(store.status().alarms).toEqual([expect.stringMatching(/^proposals-near-limit: 4 of 5 /)]);
  await four;
  expect(store.status().alarms).toEqual([]);
  await store.makeSnapshot();
  expect(store.status().alarms).toEqual([expect.stringMatching(/^state-near-limit: /)]);
  for (const id of ['a', 'b', 'c']) await store.propose([{ kind: 'remove', objectKind: 'config', id, ifVersion: null }]);
  await store.makeSnapshot();
  expect(store.status().alarms).toEqual([]);
  await store.close();
});
