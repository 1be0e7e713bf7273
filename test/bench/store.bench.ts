import { execFile } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChaosCluster } from '../chaos/cluster.ts';
import type { Manager } from '../chaos/cluster.ts';
import { inTurn, line, median } from './harness.ts';
import type { Bench } from './harness.ts';
import { startEtcd } from './peers/etcd.ts';
import type { StoreClient } from './peers/etcd.ts';

/** The store against etcd: processes on one machine, data on the same file system, every write synced, values of 256 bytes. */
const dataDir = process.env['BENCH_DIR'] ?? process.env['PEERS_DIR'] ?? '/root/.cache/flotilla-peers';
const clientCounts = [1, 32, 128] as const;
const bars: Readonly<Record<string, string>> = { '1-1': '>= 1.3', '1-32': '>= 3', '1-128': '>= 4', '3-1': '>= 1.2', '3-32': '>= 2', '3-128': '>= 2' };
const value = 'x'.repeat(256);

async function startOurs(count: number): Promise<{ readonly client: () => Promise<StoreClient>; readonly close: () => Promise<void> }> {
  const cluster = new ChaosCluster(mkdtempSync(join(dataDir, 'bench-store-')), false);
  await cluster.grow(count);
  let next = 0;
  return {
    client: async () => {
      const manager = cluster.managers[(next += 1) % count];
      if (manager === undefined) throw new Error('no manager');
      return manager.client();
    },
    close: async () => cluster.destroy(),
  };
}

/** Writes a second, with each client waiting for its answer before the next. */
async function writesPerSecond(start: () => Promise<StoreClient>, clientCount: number): Promise<number> {
  const clients = await Promise.all(Array.from({ length: clientCount }, start));
  let isOver = false;
  let done = 0;
  const loops = clients.map(async (client, at) => {
    while (!isOver) {
      await client.put(`key-${at}`, value);
      done += 1;
    }
  });
  await sleep(700);
  const before = done;
  const startMs = performance.now();
  await sleep(2500);
  const rate = ((done - before) * 1000) / (performance.now() - startMs);
  isOver = true;
  await Promise.all(loops);
  for (const client of clients) client.close();
  return rate;
}

const writeBenches: readonly Bench[] = ([1, 3] as const).map((members) => ({
  name: `store/writes-${members}`,
  needsRoot: true,
  run: async ({ runs }) => {
    const ours = await startOurs(members);
    const peer = await startEtcd(members);
    try {
      const lines = [];
      for (const clients of clientCounts) {
        const rates = await inTurn(Math.min(runs, 3), () => writesPerSecond(ours.client, clients), () => writesPerSecond(peer.client, clients));
        lines.push(line({ name: `store/writes-${members}-members-${clients}-clients`, unit: 'writes/s', ...rates, peerName: 'etcd 3.5', bar: bars[`${members}-${clients}`] ?? '>= 1' }));
      }
      return lines;
    } finally {
      await ours.close();
      await peer.close();
    }
  },
}));

const lone: Bench = {
  name: 'store/lone-write',
  needsRoot: false,
  run: async ({ runs }) => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'store-local.ts'), 'lone', mkdtempSync(join(dataDir, 'bench-lone-'))]);
    const { loneMs } = JSON.parse(stdout) as { loneMs: number };
    const rounds = Array.from({ length: Math.min(runs, 3) }, () => syncOnceMs());
    return [line({ name: 'store/lone-write-p50', unit: 'ms', ours: loneMs, peer: median(rounds), peerName: 'fdatasync', bar: '<= 1.5' })];
  },
};

/** The median of a write of 512 bytes and its fdatasync in a file that was filled before. */
function syncOnceMs(): number {
  const path = join(dataDir, `bench-sync-${process.pid}`);
  const fd = openSync(path, 'w');
  writeSync(fd, new Uint8Array(4 * 1024 * 1024));
  fdatasyncSync(fd);
  const block = new Uint8Array(512).fill(1);
  const times = Array.from({ length: 2000 }, (_, at) => {
    const startMs = performance.now();
    writeSync(fd, block, 0, 512, at * 512);
    fdatasyncSync(fd);
    return performance.now() - startMs;
  });
  closeSync(fd);
  rmSync(path);
  return median(times);
}

const failover: Bench = {
  name: 'store/failover',
  needsRoot: false,
  run: async ({ runs, note }) => {
    const cluster = new ChaosCluster(mkdtempSync(join(dataDir, 'bench-failover-')), false);
    try {
      await cluster.grow(3);
      const times: number[] = [];
      for (let trial = 0; trial < runs * 4; trial += 1) {
        const leader = await leaderOf(cluster.managers);
        const others = cluster.managers.filter((manager) => manager !== leader);
        const killed = leader.kill();
        const startMs = performance.now();
        await Promise.any(others.map((manager) => writeUntilTaken(manager)));
        times.push((performance.now() - startMs) / 1000);
        await killed;
        await leader.start();
        await sleep(600);
      }
      note(times.map((time) => time.toFixed(2)).join(' '));
      return [
        line({ name: 'store/leader-killed-next-write-median', unit: 's', ours: median(times), bar: '<= 1.5' }),
        line({ name: 'store/leader-killed-next-write-worst', unit: 's', ours: Math.max(...times), bar: '<= 3' }),
      ];
    } finally {
      cluster.destroy();
    }
  },
};

const stall: Bench = {
  name: 'store/stall',
  needsRoot: false,
  run: async () => {
    const cluster = new ChaosCluster(mkdtempSync(join(dataDir, 'bench-stall-')), false);
    try {
      await cluster.grow(3);
      await sleep(500);
      const before = await termOf(cluster.managers);
      for (const manager of cluster.managers) {
        manager.signal('SIGSTOP');
        await sleep(1500);
        manager.signal('SIGCONT');
        await sleep(1000);
      }
      return [line({ name: 'store/elections-in-stalls-of-1.5s', unit: 'elections', ours: (await termOf(cluster.managers)) - before, bar: '<= 0' })];
    } finally {
      cluster.destroy();
    }
  },
};

const local: Bench = {
  name: 'store/state',
  needsRoot: false,
  run: async () => {
    const run = async (...args: readonly string[]): Promise<Record<string, number>> => JSON.parse((await promisify(execFile)(process.execPath, ['--expose-gc', join(import.meta.dirname, 'store-local.ts'), ...args])).stdout) as Record<string, number>;
    const { memoryMb } = await run('memory');
    const { startS } = await run('start', mkdtempSync(join(dataDir, 'bench-start-')));
    return [
      line({ name: 'store/memory-50000-tasks', unit: 'MB', ours: memoryMb ?? Number.NaN, bar: '<= 150' }),
      line({ name: 'store/start-100MB-snapshot-10000-entries', unit: 's', ours: startS ?? Number.NaN, bar: '<= 3' }),
    ];
  },
};

export const benches: readonly Bench[] = [...writeBenches, lone, failover, stall, local];

async function leaderOf(managers: readonly Manager[]): Promise<Manager> {
  for (let tries = 0; tries < 200; tries += 1) {
    for (const manager of managers) {
      const answer = (await manager.ask({ status: true }, 1000)) as { status?: { leadership: { isLeader: boolean } } } | null;
      if (answer?.status?.leadership.isLeader === true) return manager;
    }
    await sleep(50);
  }
  throw new Error('nobody leads');
}

async function termOf(managers: readonly Manager[]): Promise<number> {
  const terms = await Promise.all(managers.map(async (manager) => ((await manager.ask({ status: true })) as { status: { leadership: { term: number } } }).status.leadership.term));
  return Math.max(...terms);
}

async function writeUntilTaken(manager: Manager): Promise<void> {
  for (;;) {
    const put = { kind: 'config', id: 'k', version: 0, createdMs: 0, updatedMs: 0, name: 'k', projectName: null, key: 'k', labels: {}, dataBase64: value, digest: '' };
    const answer = (await manager.ask({ put, ifVersion: null }, 500)) as { outcome?: unknown } | null;
    if (answer?.outcome !== undefined) return;
    await sleep(10);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
