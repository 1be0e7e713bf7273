import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomId } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { get } from '../../../src/cluster/state/view.ts';
import { openStore, type OpenStoreOptions } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { wsPeers } from '../../../src/manager/store/peer-link.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { type Certificates, certificatesIn } from '../../wire/certificates.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
/** Short ticks, so that three members are together soon, and many of them to an election. */
const limits = { ...laptopLimits, tickMs: 20, electionTicks: 500 };
let dir = '';
let certificates: Certificates;
/** The certificate's name → the member it was made for. */
let idOfName: Map<string, string>;
const opened: OpenedStore[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-tls-'));
  certificates = certificatesIn(dir);
  for (const name of ['ca', 'other-ca']) certificates.authority(name);
  idOfName = new Map();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function open(name: string, port: number, begin: OpenStoreOptions['begin'], authority: string): Promise<OpenedStore> {
  certificates.member(name, { name, authority });
  const store = await openStore({
    dir: join(dir, name), clock: realClock, random, log: silentLog, limits, address: `127.0.0.1:${port}`, begin, unlockKey: null, isSmall: true, onFatal: () => undefined,
    connect: wsPeers({ listen: { host: '127.0.0.1', port }, security: certificates.security(name, authority, (one) => idOfName.get(one) ?? null), clock: realClock, log: silentLog }),
  });
  opened.push(store);
  idOfName.set(name, store.identity().memberId);
  return store;
}

async function join_(via: OpenedStore, name: string, authority: string): Promise<OpenedStore> {
  const [port, memberId] = [await freePort(), randomId(random)];
  idOfName.set(name, memberId);
  await via.changeMembers({ kind: 'join', memberId, address: `127.0.0.1:${port}`, featureLevel: 1 });
  return open(name, port, { kind: 'join', identity: via.invite(memberId) }, authority);
}

async function until(ask: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!ask()) {
    if (performance.now() > deadline) throw new Error('not in time');
    await realClock.sleep(10);
  }
}

function put(text: string): Parameters<OpenedStore['propose']>[0] {
  return [{ kind: 'put', ifVersion: null, object: { kind: 'config', id: 'x', version: 0, createdMs: 0, updatedMs: 0, name: 'x', projectName: null, key: 'x', labels: {}, dataBase64: text, digest: '' } }];
}

test('three members over mutual TLS replicate; one with a certificate of another authority never takes part', async () => {
  const first = await open('m1', await freePort(), { kind: 'first' }, 'ca');
  await until(() => first.leadership().isLeader);
  const [second, third] = [await join_(first, 'm2', 'ca'), await join_(first, 'm3', 'ca')];
  await until(() => first.status().members.filter((one) => one.role === 'voter').length === 3);
  await second.propose(put('through the second'));
  expect(get(await third.read(), 'config', 'x')?.dataBase64).toBe('through the second');
  const stranger = await join_(first, 'm4', 'other-ca');
  await third.propose(put('later'));
  await until(() => [first, second, third].every((one) => get(one.view(), 'config', 'x')?.dataBase64 === 'later'));
  expect(stranger.view().tables.config.size).toBe(0);
  expect(first.status().members.find((one) => one.id === stranger.status().memberId)).toMatchObject({ role: 'learner', matchIndex: 0 });
});
