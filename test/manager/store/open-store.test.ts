import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Secret } from '../../../src/base/secret.ts';
import { get } from '../../../src/cluster/state/view.ts';
import type { Change } from '../../../src/model/entry.ts';
import type { ConfigObject } from '../../../src/model/objects.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import type { Commit } from '../../../src/manager/store/store.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import type { StoreLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };

let dir = '';
const opened: OpenedStore[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function open(limits: Partial<StoreLimits> = {}, isSmall = true): Promise<OpenedStore> {
  const store = await openStore({
    dir, clock: realClock, random, log: silentLog, limits: { ...laptopLimits, ...limits }, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall,
    onFatal: (error) => {
      throw error;
    },
  });
  opened.push(store);
  if (!store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
  return store;
}

function config(id: string, text: string): ConfigObject {
  return { kind: 'config', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName: null, key: id, labels: {}, dataBase64: text, digest: '' };
}

function put(id: string, text: string, ifVersion: number | null = null): Change {
  return { kind: 'put', object: config(id, text), ifVersion };
}

describe('a store with one voter', () => {
  test('what was proposed is there, also after a restart', async () => {
    const store = await open();
    const outcome = await store.propose([put('a', 'one')]);
    expect(outcome.kind).toBe('applied');
    expect(get(await store.read(), 'config', 'a')?.dataBase64).toBe('one');
    await store.close();
    const again = await open();
    expect(get(await again.read(), 'config', 'a')?.dataBase64).toBe('one');
    expect(get(again.view(), 'config', 'a')?.version).toBe(outcome.revision);
  });

  test('a change that expects another version changes nothing and says which object', async () => {
    const store = await open();
    await store.propose([put('a', 'one')]);
    const outcome = await store.propose([put('b', 'x'), put('a', 'two', 0)]);
    expect(outcome).toMatchObject({ kind: 'conflict', objectKind: 'config', id: 'a', expected: 0 });
    expect(get(store.view(), 'config', 'b')).toBeUndefined();
  });

  test('the same request twice is applied once', async () => {
    const store = await open();
    const first = await store.propose([put('a', 'one')], { requestId: 'r1' });
    expect(await store.propose([put('a', 'two')], { requestId: 'r1' })).toEqual(first);
    expect(get(store.view(), 'config', 'a')?.dataBase64).toBe('one');
  });

  test('a fence of another term is refused', async () => {
    const store = await open();
    const { term } = store.leadership();
    await store.propose([put('a', 'one')], { fence: term });
    await expect(store.propose([put('a', 'two')], { fence: term + 1 })).rejects.toMatchObject({ code: 'MANAGER_NOT_LEADER' });
  });

  test('an object over the limit is refused before it reaches the log', async () => {
    const store = await open();
    await expect(store.propose([put('a', 'x'.repeat(1_500_000))])).rejects.toMatchObject({ code: 'MANAGER_OBJECT_TOO_LARGE' });
    expect((await store.propose([put('a', 'x'.repeat(1_400_000))])).kind).toBe('applied');
  });

  test('snapshots are made and the log is compacted; a restart finds everything', async () => {
    const store = await open({ snapshotEntries: 100, trailingEntries: 10, snapshotDelayMs: 0 });
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 50 }, (_, at) => store.propose([put(`c${at}`, `${round}`)])));
    }
    await store.makeSnapshot();
    expect(store.status().snapshotIndex).toBeGreaterThan(400);
    expect(store.node.log.firstIndex()).toBeGreaterThan(300);
    const view = store.view();
    await store.close();
    const again = await open();
    const read = await again.read();
    expect([...read.tables.config].length).toBe(50);
    expect(new Map(read.tables.config)).toEqual(new Map(view.tables.config));
    expect(await again.propose([put('c0', 'again')])).toMatchObject({ kind: 'applied' });
  });

  test('a watch gives every change after a revision, in order, and refuses one too old', async () => {
    const store = await open({ watchCommitsMax: 4 });
    const { revision } = await store.propose([put('a', '0')]);
    const seen: Commit[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const commit of store.watch({ fromRevision: revision, signal: stop.signal })) {
        seen.push(commit);
        if (seen.length === 3) break;
      }
    })();
    for (const text of ['1', '2', '3']) await store.propose([put('a', text)]);
    await watching;
    expect(seen.map((commit) => commit.events.map((event) => event.kind === 'put' && event.object.kind === 'config' && event.object.dataBase64)).flat()).toEqual(['1', '2', '3']);
    for (let at = 0; at < 20; at += 1) await store.propose([put('a', `${at}`)]);
    const late = store.watch({ fromRevision: 0, signal: stop.signal })[Symbol.asyncIterator]();
    await expect(late.next()).rejects.toMatchObject({ code: 'MANAGER_REVISION_COMPACTED' });
  });

  test('a second process can not open the directory', async () => {
    await open();
    await expect(open()).rejects.toMatchObject({ code: 'OS_DATA_DIR_LOCKED' });
  });

  test('after close nothing is taken, and closing twice is fine', async () => {
    const store = await open();
    await store.close();
    await store.close();
    await expect(store.propose([put('a', 'x')])).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
    await expect(store.read()).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
  });

  test('an old data key is forgotten when the snapshots and the log that need it are gone', async () => {
    const keyIds = (): unknown => JSON.parse(readFileSync(join(dir, 'keys.json'), 'utf8')).keys.map((key: { id: number }) => key.id);
    const store = await open({}, false);
    await store.propose([put('a', 'x')]);
    await store.makeSnapshot();
    await store.rotateKeys();
    expect(keyIds()).toEqual([1, 2]);
    // NOTE: two make the old files go; the log's thread, which also looks, may still see what the other is removing, so a third.
    for (const id of ['b', 'c', 'd']) {
      await store.propose([put(id, 'x')]);
      await store.makeSnapshot();
    }
    await vi.waitFor(() => expect(keyIds()).toEqual([2]), 20_000);
    await store.close();
    expect((await (await open({}, false)).read()).tables.config.size).toBe(4);
  });

  test('a store that fails right after it was locked still hands out the key that opens it, and says what is left to do', async () => {
    const openWith = async (unlockKey: Secret | null): Promise<OpenedStore> => {
      const store = await openStore({ dir, clock: realClock, random, log: silentLog, limits: laptopLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey, isSmall: true, onFatal: () => undefined });
      opened.push(store);
      await vi.waitFor(() => expect(store.leadership().isLeader).toBe(true));
      return store;
    };
    const store = await openWith(null);
    await store.propose([put('a', 'x')]);
    rmSync(join(dir, 'snapshots'), { recursive: true });
    const unlockKey = await store.lockKeys();
    expect(store.status().alarms.join()).toContain('keys: ');
    await store.close();
    await expect(openWith(null)).rejects.toMatchObject({ code: 'MANAGER_STORE_AUTOLOCKED' });
    expect(get(await (await openWith(unlockKey)).read(), 'config', 'a')?.dataBase64).toBe('x');
  });

  test('data keys are rotated; autolock needs its key at the next start', async () => {
    const store = await open({}, false);
    await store.propose([put('a', 'secret text')]);
    await store.rotateKeys();
    await store.propose([put('b', 'x')]);
    await store.rotateKeys();
    const unlockKey = await store.lockKeys();
    await store.close();
    await expect(open()).rejects.toMatchObject({ code: 'MANAGER_STORE_AUTOLOCKED' });
    const again = await openStore({ dir, clock: realClock, random, log: silentLog, limits: laptopLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey, isSmall: true, onFatal: () => undefined });
    opened.push(again);
    expect(get(again.view(), 'config', 'a')?.dataBase64 ?? get(await again.read(), 'config', 'a')?.dataBase64).toBe('secret text');
  });
});

test('a store that can not write any more stops, says so once, and still closes', async () => {
  const failures: string[] = [];
  const failed = Promise.withResolvers<void>();
  const store = await openStore({
    dir, clock: realClock, random, log: silentLog, limits: laptopLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall: true,
    onFatal: (error) => {
      failures.push(error.code);
      failed.resolve();
    },
  });
  if (!store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
  await store.propose([put('a', 'x')]);
  rmSync(join(dir, 'snapshots'), { recursive: true, force: true });
  void store.makeSnapshot().catch(() => undefined);
  await failed.promise;
  await expect(store.propose([put('a', 'y')])).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
  await store.close();
  expect(failures).toEqual(['OS_DISK_MISSING']);
});
