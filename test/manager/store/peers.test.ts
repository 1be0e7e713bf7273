import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { get } from '../../../src/cluster/state/view.ts';
import { randomId } from '../../../src/base/ids.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import type { OpenStoreOptions } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { wsPeers } from '../../../src/manager/store/peer-link.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { freePort, ownHost } from '../../fakes/own-host.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
// NOTE: nobody's election timeout passes here, so that a busy machine holds no election, and what needs none is seen to need none.
const patient = { ...laptopLimits, tickMs: 50, electionTicks: 1000 };
let dir = '';
const opened: OpenedStore[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function open(name: string, port: number, begin: OpenStoreOptions['begin'], limits = patient): Promise<OpenedStore> {
  const store = await openStore({
    dir: join(dir, name), clock: realClock, random, log: silentLog, limits, address: `${ownHost}:${port}`, begin,
    connect: wsPeers({ listen: { host: ownHost, port }, security: null, clock: realClock, log: silentLog }), unlockKey: null, isSmall: true, onFatal: () => undefined,
  });
  opened.push(store);
  return store;
}

async function until<T>(what: string, ask: () => T | undefined | false, timeoutMs = 15_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await realClock.sleep(10);
  }
}

function put(id: string, text: string): Parameters<OpenedStore['propose']>[0] {
  return [{ kind: 'put', ifVersion: null, object: { kind: 'config', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName: null, key: id, labels: {}, dataBase64: text, digest: '' } }];
}

async function cluster(count: number, limits = patient): Promise<OpenedStore[]> {
  const first = await open('m1', await freePort(), { kind: 'first' }, limits);
  await until('a leader', () => first.leadership().isLeader);
  const stores = [first];
  for (let at = 2; at <= count; at += 1) stores.push(await join_(first, `m${at}`, limits));
  await until('all are voters', () => first.status().members.filter((one) => one.role === 'voter').length === count);
  return stores;
}

async function join_(via: OpenedStore, name: string, limits = patient): Promise<OpenedStore> {
  const port = await freePort();
  const memberId = randomId(random);
  await via.changeMembers({ kind: 'join', memberId, address: `${ownHost}:${port}`, featureLevel: 1 });
  return open(name, port, { kind: 'join', identity: via.invite(memberId) }, limits);
}

describe('three members over WebSocket', () => {
  test('they join as learners, become voters, and a change through any of them is read through every other', async () => {
    const [a, b, c] = await cluster(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three');
    await b.propose(put('x', 'through b'));
    expect(get(await c.read(), 'config', 'x')?.dataBase64).toBe('through b');
    expect(get(await a.read(), 'config', 'x')?.dataBase64).toBe('through b');
    await expect(b.propose(put('y', ''), { fence: b.leadership().term })).rejects.toMatchObject({ code: 'MANAGER_NOT_LEADER' });
  });

  test('a leader that closes hands over first, and the others go on', async () => {
    const [a, b, c] = await cluster(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three');
    await a.propose(put('x', '1'));
    await a.close();
    const next = await until('a new leader, without an election timeout', () => [b, c].find((store) => store.leadership().isLeader));
    await next.propose(put('x', '2'));
    expect(get(await c.read(), 'config', 'x')?.dataBase64).toBe('2');
  });

  test('a late member gets the state as a snapshot in chunks', async () => {
    const limits = { ...patient, snapshotEntries: 50, trailingEntries: 5, snapshotDelayMs: 0 };
    const [a] = await cluster(1, limits);
    if (a === undefined) throw new Error('one');
    for (let at = 0; at < 12; at += 1) await Promise.all(Array.from({ length: 20 }, (_, n) => a.propose(put(`k${n}`, `${at}`.padEnd(20_000, 'x')))));
    await a.makeSnapshot();
    const b = await join_(a, 'm2', limits);
    await until('b has all', () => b.view().tables.config.size === 20 && b.node.metrics.snapshotsInstalled > 0);
    expect(new Map((await b.read()).tables.config)).toEqual(new Map(a.view().tables.config));
  });

  test('a leader whose newest snapshot is damaged makes another for a member that is behind', async () => {
    const limits = { ...patient, snapshotEntries: 100_000, trailingEntries: 5, snapshotDelayMs: 0, votersMax: 1 };
    const [a] = await cluster(1, limits);
    if (a === undefined) throw new Error('one');
    const b = await join_(a, 'm2', limits);
    await a.propose(put('k', '0'));
    await until('b has the first', () => b.view().tables.config.size === 1);
    await b.close();
    for (let at = 1; at <= 30; at += 1) await a.propose(put('k', String(at)));
    await a.makeSnapshot();
    const snapshots = join(dir, 'm1', 'snapshots');
    for (const name of readdirSync(snapshots)) {
      const bytes = readFileSync(join(snapshots, name));
      bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1;
      writeFileSync(join(snapshots, name), bytes);
    }
    const again = await open('m2', Number(b.node.membership.addresses().find((one) => one.id === b.status().memberId)?.address.split(':')[1]), { kind: 'join', identity: b.identity() }, limits);
    await until('b has all', () => get(again.view(), 'config', 'k')?.dataBase64 === '30');
    expect(again.node.metrics.snapshotsInstalled).toBe(1);
  });

  test('a removed member is told so and stops; its id does not return', async () => {
    const [a, b, c] = await cluster(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three');
    const gone = c.status().memberId;
    await b.changeMembers({ kind: 'remove', memberId: gone });
    await until('c stopped', () => c.node.isStopped);
    expect(a.status().members.map((one) => one.id)).not.toContain(gone);
    await expect(a.changeMembers({ kind: 'join', memberId: gone, address: 'x:1', featureLevel: 1 })).rejects.toMatchObject({ code: 'MANAGER_MEMBER_REFUSED' });
  });

  test('a removal that would lose the quorum is refused', async () => {
    // The refusal comes when an election timeout has passed in silence.
    const [a, b, c] = await cluster(3, { ...patient, electionTicks: 80 });
    if (a === undefined || b === undefined || c === undefined) throw new Error('three');
    const leader = await until('a leader', () => [a, b, c].find((store) => store.leadership().isLeader));
    const [dead, alive] = [a, b, c].filter((store) => store !== leader);
    if (dead === undefined || alive === undefined) throw new Error('two');
    dead.node.stop();
    await expect(leader.changeMembers({ kind: 'remove', memberId: alive.status().memberId })).rejects.toMatchObject({ code: 'MANAGER_QUORUM_AT_RISK' });
    await leader.changeMembers({ kind: 'remove', memberId: dead.status().memberId });
    expect(leader.status().members.length).toBe(2);
  });
});

describe('the door of a member', () => {
  async function knock(port: number, headers: Record<string, string>): Promise<string> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`ws://${ownHost}:${port}/flotilla/peer`, { headers });
      socket.on('open', () => {
        socket.send(Buffer.alloc(5 * 1024 * 1024));
        socket.on('close', (code) => resolve(`closed ${code}`));
      });
      socket.on('error', (error) => resolve(error.message));
    });
  }

  test('another cluster is refused before anything is read; a message over the limit ends the connection', async () => {
    const port = await freePort();
    const store = await open('m1', port, { kind: 'first' });
    const good = { 'x-flotilla-cluster': store.clusterKey(), 'x-flotilla-member': 'm9', 'x-flotilla-lane': 'beat' };
    expect(await knock(port, { ...good, 'x-flotilla-cluster': 'other.1' })).toContain('403');
    expect(await knock(port, { ...good, 'x-flotilla-lane': 'none' })).toContain('403');
    expect(await knock(port, good)).toBe('closed 1009');
  });
});
