import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Envelope } from '../../../src/manager/store/host-messages.ts';
import { firstIdentity, writeIdentity } from '../../../src/manager/store/identity.ts';
import { openKeys } from '../../../src/manager/store/key-file.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/manager/store/message-codec.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { beginFrom } from '../../../src/manager/store/ops/begin-from.ts';
import { recoverFromLostQuorum } from '../../../src/manager/store/ops/recover.ts';
import { storageOptionsOf } from '../../../src/manager/store/ops/stopped-store.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import { emptyState, memberIdCharsMax, removedMax } from '../../../src/manager/store/store-state.ts';
import { realDisk } from '../../../src/os/disk.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { emptyConf } from '../../../src/raft/log-storage.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
const address = '127.0.0.1:1';
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function open(): Promise<OpenedStore> {
  const store = await openStore({
    dir, clock: realClock, random, log: silentLog, limits: laptopLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall: true,
    onFatal: (error) => {
      throw error;
    },
  });
  if (!store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
  return store;
}

/** The store of a cluster that has removed so many members. */
function removedBefore(count: number): void {
  const identity = firstIdentity(random);
  const removed = Array.from({ length: count }, (_, at) => `${at}`.padStart(memberIdCharsMax, 'r'));
  const keys = openKeys({ disk: realDisk, dir, unlockKey: null, randomBytes });
  beginFrom(storageOptionsOf(dir, identity, keys), { ...emptyState({ ...emptyConf, voters: identity.firstVoters }), term: 1, view: { ...emptyState(emptyConf).view, revision: 1 }, removed });
  writeIdentity(realDisk, dir, identity);
}

test('no removed id is ever forgotten: at the limit nobody new joins, members can still be removed, and a recovery is the way out', async () => {
  removedBefore(removedMax - 2);
  const store = await open();
  await store.changeMembers({ kind: 'join', memberId: 'last', address, featureLevel: 1 });
  await expect(store.changeMembers({ kind: 'join', memberId: 'more', address, featureLevel: 1 })).rejects.toMatchObject({ code: 'MANAGER_MEMBER_REFUSED', hint: expect.stringContaining('recover') });
  await store.changeMembers({ kind: 'remove', memberId: 'last' });
  for (const memberId of ['0'.padStart(memberIdCharsMax, 'r'), 'last']) {
    await expect(store.changeMembers({ kind: 'join', memberId, address, featureLevel: 1 })).rejects.toMatchObject({ message: expect.stringContaining('only under a new id') });
  }
  // All of them fit into the head of a snapshot.
  await store.makeSnapshot();
  await store.close();
  const again = await open();
  expect(again.node.state.removed).toHaveLength(removedMax - 1);
  await again.close();
  recoverFromLostQuorum(dir, null);
  const recovered = await open();
  await recovered.changeMembers({ kind: 'join', memberId: 'more', address, featureLevel: 1 });
  await recovered.close();
});

test('an id or an address that would not fit into a log entry for members is refused', async () => {
  const store = await open();
  await store.changeMembers({ kind: 'join', memberId: 'm'.repeat(memberIdCharsMax), address: 'a'.repeat(255), featureLevel: 1 });
  for (const call of [
    { memberId: 'n'.repeat(memberIdCharsMax + 1), address }, { memberId: 'ü'.repeat(60), address }, { memberId: 'a\r\nb', address }, { memberId: '', address }, { memberId: 'n', address: '' }, { memberId: 'n', address: 'a'.repeat(256) },
  ]) await expect(store.changeMembers({ kind: 'join', ...call, featureLevel: 1 })).rejects.toMatchObject({ code: 'MANAGER_MEMBER_REFUSED' });
  await store.close();
});

test('one that asks to join again from another address is looked for there', async () => {
  const store = await open();
  await store.changeMembers({ kind: 'join', memberId: 'm', address, featureLevel: 1 });
  const members = await store.changeMembers({ kind: 'join', memberId: 'm', address: '127.0.0.1:2', featureLevel: 1 });
  expect(members).toContainEqual({ id: 'm', address: '127.0.0.1:2' });
  expect(store.status().members.find((one) => one.id === 'm')?.role).toBe('learner');
  await store.close();
});

test('a store that is closed answers whoever changes members or keys, and changes nothing', async () => {
  const store = await open();
  await store.close();
  for (const call of [() => store.changeMembers({ kind: 'remove', memberId: 'm' }), store.makeSnapshot, store.rotateKeys, store.lockKeys, async () => store.unlockKeys()]) await expect(call()).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
});

test.for([
  { kind: 'join', memberId: 'm', featureLevel: 1 }, { kind: 'join', memberId: 'm', address, featureLevel: 'one' }, { kind: 'update', memberId: 'm', address: 7, featureLevel: 1 },
  { kind: 'replace', memberId: 'm' }, { kind: 'promote' }, { kind: 'elect', memberId: 'm' }, null,
])('a call of another member that the log could not hold is refused at the door: %j', (call) => {
  const good: Envelope = { from: 'a', to: 'b', clusterId: 'c', message: { kind: 'call', callId: 1, call: { kind: 'join', memberId: 'm', address, featureLevel: 1 } } };
  expect(decodeEnvelope(encodeEnvelope(good))).toEqual(good);
  const text = new TextDecoder().decode(encodeEnvelope(good).subarray(5)).replace(/"call":\{.*?\}/, `"call":${JSON.stringify(call)}`);
  const head = new TextEncoder().encode(text);
  const bytes = new Uint8Array(5 + head.length);
  bytes[0] = 1;
  new DataView(bytes.buffer).setUint32(1, head.length, true);
  bytes.set(head, 5);
  expect(() => decodeEnvelope(bytes)).toThrow(expect.objectContaining({ code: 'MANAGER_BAD_MESSAGE' }));
});
