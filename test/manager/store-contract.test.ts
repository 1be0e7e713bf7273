import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Random } from '../../src/base/random.ts';
import { openStore, type OpenStoreOptions } from '../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../src/manager/store/opened-store.ts';
import { wsPeers } from '../../src/manager/store/peer-link.ts';
import { laptopLimits } from '../../src/manager/store/store-limits.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { memoryStore } from '../fakes/memory-store.ts';
import { storeContract } from './store-contract.ts';
import { freePort, ownHost } from '../fakes/own-host.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
const watchCommitsMax = 12;
// NOTE: short ticks, so that three members are together soon, and many of them to an election, so that a busy machine holds none.
const limits = { ...laptopLimits, watchCommitsMax, tickMs: 10, electionTicks: 200 };

storeContract('the store in memory', async () => {
  const store = memoryStore({ nowMs: () => 1, watchCommitsMax });
  return { store, watchCommitsMax, end: () => store.close() };
});

storeContract('one voter', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'store-'));
  const store = await opened({ dir, address: '', begin: { kind: 'first' }, connect: null });
  return {
    store, watchCommitsMax,
    end: async () => {
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
});

storeContract('the leader of three over WebSocket', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'store-'));
  const first = await member(dir, 'm1', await freePort(), { kind: 'first' });
  const stores = [first];
  for (const name of ['m2', 'm3']) {
    const [memberId, port] = [randomId(random), await freePort()];
    await first.changeMembers({ kind: 'join', memberId, address: `${ownHost}:${port}`, featureLevel: 1 });
    stores.push(await member(dir, name, port, { kind: 'join', identity: first.invite(memberId) }));
  }
  while (first.status().members.filter((one) => one.role === 'voter').length < 3) await realClock.sleep(5);
  return {
    store: first, watchCommitsMax,
    end: async () => {
      await Promise.all(stores.map((store) => store.close()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
});

async function opened(options: Pick<OpenStoreOptions, 'dir' | 'address' | 'begin' | 'connect'>): Promise<OpenedStore> {
  const store = await openStore({ ...options, clock: realClock, random, log: silentLog, limits, unlockKey: null, isSmall: true, onFatal: (error) => { throw error; } });
  if (options.begin.kind === 'first' && !store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
  return store;
}

function member(dir: string, name: string, port: number, begin: OpenStoreOptions['begin']): Promise<OpenedStore> {
  return opened({ dir: join(dir, name), address: `${ownHost}:${port}`, begin, connect: wsPeers({ listen: { host: ownHost, port }, security: null, clock: realClock, log: silentLog }) });
}
