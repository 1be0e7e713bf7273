import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Secret } from '../../../src/base/secret.ts';
import { get } from '../../../src/cluster/state/view.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { backupStopped, readBackup, restoreBackup } from '../../../src/manager/store/ops/backup.ts';
import { recoverFromLostQuorum, setAsideForRejoin } from '../../../src/manager/store/ops/recover.ts';
import { verifyStopped } from '../../../src/manager/store/ops/verify.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
let root = '';
const opened: OpenedStore[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(root, { recursive: true, force: true });
});

async function open(name: string, unlockKey: Secret | null = null): Promise<OpenedStore> {
  const store = await openStore({ dir: join(root, name), clock: realClock, random, log: silentLog, limits: laptopLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey, isSmall: true, onFatal: () => undefined });
  opened.push(store);
  if (!store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
  return store;
}

function put(id: string, text: string): Parameters<OpenedStore['propose']>[0] {
  return [{ kind: 'put', ifVersion: null, object: { kind: 'config', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName: null, key: id, labels: {}, dataBase64: text, digest: '' } }];
}

describe('backup and restore', () => {
  test('a backup of a running store makes a new cluster with the same state, and the old cluster goes on', async () => {
    const store = await open('a');
    for (let at = 0; at < 30; at += 1) await store.propose(put(`k${at}`, `v${at}`));
    const report = await store.backup(join(root, 'backup'));
    await store.propose(put('later', 'x'));
    const restored = restoreBackup({ dir: join(root, 'b'), path: join(root, 'backup'), random });
    expect(restored.report.revision).toBe(report.revision);
    expect(restored.identity.clusterId).not.toBe(store.identity().clusterId);
    const other = await open('b');
    expect(other.view().tables.config.size).toBe(30);
    expect(get(other.view(), 'config', 'k7')).toEqual(get(store.view(), 'config', 'k7'));
    expect((await other.propose(put('k7', 'new'))).revision).toBeGreaterThan(report.revision);
  });

  test('a backup of a stopped store is the same; a damaged one, a full directory and an existing file are refused', async () => {
    const store = await open('a');
    await store.propose(put('k', 'v'));
    await expect(async () => backupStopped(join(root, 'a'), join(root, 'backup'), null)).rejects.toMatchObject({ code: 'OS_DATA_DIR_LOCKED' });
    await store.close();
    backupStopped(join(root, 'a'), join(root, 'backup'), null);
    expect(get(readBackup(join(root, 'backup')).state.view, 'config', 'k')?.dataBase64).toBe('v');
    expect(() => backupStopped(join(root, 'a'), join(root, 'backup'), null)).toThrow(/there already/);
    expect(() => restoreBackup({ dir: join(root, 'a'), path: join(root, 'backup'), random })).toThrow(/not empty/);
    const bytes = readFileSync(join(root, 'backup'));
    for (let at = 0; at < bytes.length; at += 7) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ 1;
      writeFileSync(join(root, 'bad'), bad);
      expect(() => readBackup(join(root, 'bad')), `byte ${at}`).toThrow();
    }
  });
});

describe('a backup while the store runs', () => {
  /** About 8 MB: many slices. */
  async function filled(): Promise<OpenedStore> {
    const store = await open('a');
    for (let at = 0; at < 8; at += 1) await store.propose(put(`k${at}`, String(at).repeat(1_000_000)));
    return store;
  }

  test('changes are made and the event loop turns while it is written; it holds the state of its call', async () => {
    const store = await filled();
    let [isDone, turns, changes] = [false, 0, 0];
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    const { appliedIndex } = store.status();
    const backup = store.backup(join(root, 'backup')).finally(() => (isDone = true));
    setImmediate(turn);
    while (!isDone) {
      await store.propose(put('later', String(changes)));
      if (!isDone) changes += 1;
    }
    const report = await backup;
    expect(turns).toBeGreaterThan(8);
    expect(changes).toBeGreaterThan(0);
    expect(report.revision).toBe(appliedIndex);
    const { state } = readBackup(join(root, 'backup'));
    expect([...state.view.tables.config.keys()].sort()).toEqual(Array.from({ length: 8 }, (_, at) => `k${at}`));
  });

  test('a second one beside it is refused, and so is a name that is taken; a later one works', async () => {
    const store = await filled();
    const first = store.backup(join(root, 'one'));
    await expect(store.backup(join(root, 'two'))).rejects.toMatchObject({ code: 'MANAGER_BACKUP_REFUSED' });
    await first;
    await expect(store.backup(join(root, 'one'))).rejects.toMatchObject({ code: 'MANAGER_BACKUP_REFUSED' });
    await expect(store.backup(join(root, 'none', 'three'))).rejects.toMatchObject({ code: 'OS_DISK_MISSING' });
    expect((await store.backup(join(root, 'two'))).revision).toBe(store.status().appliedIndex);
    await store.propose(put('k', 'the store is as it was'));
  });

  test('a store that closes meanwhile ends it, and leaves no half of a file', async () => {
    const store = await filled();
    const refused = expect(store.backup(join(root, 'backup'))).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
    await store.close();
    await refused;
    expect(readdirSync(root)).toEqual(['a']);
  });
});

describe('recovery from a lost quorum', () => {
  test('a member of three goes on alone with all of its log, under a new incarnation; the lock of its keys stays', async () => {
    const store = await open('a');
    await store.propose(put('k', 'v'));
    await store.changeMembers({ kind: 'join', memberId: 'gone1', address: '127.0.0.1:1', featureLevel: 1 });
    const unlockKey = await store.lockKeys();
    await store.propose(put('k2', 'v2'));
    await store.close();
    expect(() => recoverFromLostQuorum(join(root, 'a'), null)).toThrow(/is locked/);
    const report = recoverFromLostQuorum(join(root, 'a'), unlockKey);
    expect(report.identity.incarnation).toBe(2);
    expect(report.droppedMembers).toEqual(['gone1']);
    await expect(open('a')).rejects.toMatchObject({ code: 'MANAGER_STORE_AUTOLOCKED' });
    const again = await open('a', unlockKey);
    expect(get(await again.read(), 'config', 'k2')?.dataBase64).toBe('v2');
    expect(again.status().members.map((one) => one.id)).toEqual([report.identity.memberId]);
    await expect(again.changeMembers({ kind: 'join', memberId: 'gone1', address: '127.0.0.1:1', featureLevel: 1 })).rejects.toMatchObject({ code: 'MANAGER_MEMBER_REFUSED' });
    await again.propose(put('k3', 'v3'));
  });

  test('members that only the log tells of, no snapshot, are named and never taken back', async () => {
    const store = await open('a');
    await store.changeMembers({ kind: 'join', memberId: 'gone1', address: '127.0.0.1:1', featureLevel: 1 });
    await store.changeMembers({ kind: 'join', memberId: 'gone2', address: '127.0.0.1:2', featureLevel: 1 });
    await store.changeMembers({ kind: 'remove', memberId: 'gone2' });
    await store.close();
    expect(recoverFromLostQuorum(join(root, 'a'), null).droppedMembers).toEqual(['gone1']);
    const again = await open('a');
    for (const memberId of ['gone1', 'gone2']) {
      await expect(again.changeMembers({ kind: 'join', memberId, address: '127.0.0.1:1', featureLevel: 1 }), memberId).rejects.toMatchObject({ code: 'MANAGER_MEMBER_REFUSED' });
    }
  });

  test('what is set aside for a rejoin leaves an empty directory', async () => {
    const store = await open('a');
    await store.propose(put('k', 'v'));
    await store.close();
    const target = setAsideForRejoin(join(root, 'a'));
    expect(readdirSync(target).sort()).toEqual(['identity.json', 'keys.json', 'log', 'snapshots']);
    expect((await open('a')).view().tables.config.size).toBe(0);
  });
});

test('a recovery that was interrupted is set aside with the rest, and does not come back', async () => {
  const store = await open('a');
  await store.propose(put('k', 'v'));
  await store.close();
  const old = { ...store.identity(), incarnation: 2 };
  writeFileSync(join(root, 'a', 'recover.json'), JSON.stringify({ identity: old, savedAs: 'lost-quorum-1' }));
  mkdirSync(join(root, 'a', 'next'));
  setAsideForRejoin(join(root, 'a'));
  const fresh = await open('a');
  expect(fresh.identity().clusterId).not.toBe(old.clusterId);
  expect(fresh.view().tables.config.size).toBe(0);
});

test('verify reads everything and says what is there', async () => {
  const store = await open('a');
  for (let at = 0; at < 20; at += 1) await store.propose(put(`k${at}`, 'v'));
  await store.makeSnapshot();
  await store.propose(put('k', 'v'));
  await store.close();
  const report = verifyStopped(join(root, 'a'), null);
  expect(report).toMatchObject({ clusterId: store.identity().clusterId, notes: [], lastIndex: store.status().appliedIndex });
  expect(report.snapshots).toHaveLength(1);
  const log = join(root, 'a', 'log');
  const name = readdirSync(log).find((one) => one.endsWith('.wal')) ?? '';
  const bytes = readFileSync(join(log, name));
  bytes[700] = (bytes[700] ?? 0) ^ 4;
  writeFileSync(join(log, name), bytes);
  expect(() => verifyStopped(join(root, 'a'), null)).toThrow(/damaged at byte/);
});

describe('a directory that holds no store', () => {
  const operations = [
    ['verify', (dir: string) => verifyStopped(dir, null)], ['backup', (dir: string) => backupStopped(dir, join(root, 'file'), null)],
    ['recover', (dir: string) => recoverFromLostQuorum(dir, null)], ['rejoin', (dir: string) => setAsideForRejoin(dir)],
  ] as const;

  test.for(operations)('%s refuses it by code and writes nothing, whether it exists or not', ([, operate]) => {
    mkdirSync(join(root, 'other'));
    writeFileSync(join(root, 'other', 'notes'), 'mine');
    for (const name of ['none', 'other', 'deep/below/none']) expect(() => operate(join(root, name))).toThrow(expect.objectContaining({ code: 'MANAGER_STORE_MISSING' }));
    expect(readdirSync(root, { recursive: true }).map(String).sort()).toEqual(['other', 'other/notes']);
  });

  test('restore writes nothing where the backup cannot be read', () => {
    writeFileSync(join(root, 'damaged'), 'no backup');
    expect(() => restoreBackup({ dir: join(root, 'new'), path: join(root, 'none'), random })).toThrow(expect.objectContaining({ code: 'OS_DISK_MISSING' }));
    expect(() => restoreBackup({ dir: join(root, 'new'), path: join(root, 'damaged'), random })).toThrow(expect.objectContaining({ code: 'MANAGER_SNAPSHOT_DAMAGED' }));
    expect(readdirSync(root)).toEqual(['damaged']);
  });

  test('a store that lost its identity or its keys is damaged, not missing', async () => {
    const store = await open('a');
    await store.close();
    for (const name of ['keys.json', 'identity.json']) {
      rmSync(join(root, 'a', name));
      expect(() => verifyStopped(join(root, 'a'), null)).toThrow(expect.objectContaining({ code: 'MANAGER_STORE_DAMAGED' }));
    }
  });
});
