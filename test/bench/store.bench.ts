import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiClient } from '../../src/wire/http-client.ts';
import { type Bench, type BenchContext, type BenchLine, line, median, timed } from './harness.ts';
import { home, startOurs } from './ours.ts';
import { etcdClientVersion, installEtcdClient } from './store/etcd-client-door.ts';
import { type EtcdPlace, findEtcd, startEtcd } from './store/etcd-side.ts';
import { openDoor, pause } from './store/load.ts';
import type { LoadKind, LoadResult, LoadSetup } from './store/load.ts';
import { type OurMember, type OurSide, startOurStore, statusOf } from './store/our-side.ts';
import type { StoreSide } from './store/store-side.ts';

/** The replicated store, in turn with etcd: same disk, fsync on, values of 256 bytes, a client process of its own, the leader asked. */
const etcd: EtcdPlace | null = findEtcd();
const folder = etcd?.folder ?? mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'store-bench-'));
const noPeer = 'etcd is missing: PEERS=dir with `enter` and PEERS_DIR with its root, or Debian\'s etcd-server; only ours is measured';

async function loadOf(setup: LoadSetup): Promise<LoadResult> {
  // NOTE: the shape is load.ts's own.
  return JSON.parse((await timed([process.execPath, join(import.meta.dirname, 'store', 'load.ts'), JSON.stringify(setup)])).stdout) as LoadResult;
}

async function script(name: string, args: readonly string[], flags: readonly string[] = []): Promise<Readonly<Record<string, number>>> {
  const answer: unknown = JSON.parse((await timed([process.execPath, ...flags, join(import.meta.dirname, 'store', name), ...args])).stdout.trim().split('\n').at(-1) ?? '');
  return Object.fromEntries(Object.entries(Object(answer)).map(([key, value]) => [key, Number(value)]));
}

/** Throughput with so many clients, a few seconds each, in turn. */
function writes(members: number, bars: Readonly<Record<number, string>>): Bench {
  return {
    name: `store/writes-${members}`,
    needsRoot: false,
    run: async (context) => {
      if (etcd === null) context.note(noPeer);
      const sides: StoreSide[] = [];
      try {
        const ours = await startOurStore(folder, members);
        sides.push(ours);
        const peer = etcd === null ? null : await startEtcd(etcd, members);
        if (peer !== null) sides.push(peer);
        const lines: BenchLine[] = [];
        const clientFolder = peer === null ? null : etcdClient(context);
        for (const [clients, bar] of Object.entries(bars)) lines.push(...(await writesLines(context, { members, clients: Number(clients), bar, clientFolder }, ours, peer)));
        return lines;
      } finally {
        await Promise.all(sides.map((side) => side.close()));
      }
    },
  };
}

/** The folder of etcd's Node client, or null with a note. */
function etcdClient(context: BenchContext): string | null {
  const installed = installEtcdClient(join(process.env['PEERS_DIR'] ?? join(homedir(), '.cache', 'flotilla-peers'), 'npm'), context.note);
  if ('folder' in installed) return installed.folder;
  context.note(`etcd's Node client is missing, so the line of it is left out: ${installed.refusal}`);
  return null;
}

/**
 * A manager runs for months, so what is measured is one that has been at work: the first twenty thousand events of a process run code that V8 has not
 * compiled yet, at about half the speed. Each side, and each client of it, has the same time.
 */
const settleMs = { lone: 20_000, many: 5000 } as const;

type WritesSetup = { readonly members: number; readonly clients: number; readonly bar: string; readonly clientFolder: string | null };

/** A line for each client of the peer, with the same bar: by the bare client, as ours is, and by the package that a Node program would use. */
async function writesLines(context: BenchContext, what: WritesSetup, ours: StoreSide, peer: StoreSide | null): Promise<BenchLine[]> {
  const measured: Record<LoadKind, number[]> = { ours: [], etcd: [], etcd3: [] };
  const kinds: readonly LoadKind[] = peer === null ? ['ours'] : what.clientFolder === null ? ['ours', 'etcd'] : ['ours', 'etcd', 'etcd3'];
  const measure = async (kind: LoadKind, runMs: number, when: string): Promise<number> => {
    const side = kind === 'ours' || peer === null ? ours : peer;
    const result = await loadOf({ kind, clientFolder: what.clientFolder ?? '', target: (await side.leader()).target, clients: what.clients, warmMs: 1000, runMs });
    if (result.failed > 0) throw new Error(`${result.failed} writes of ${kind} failed`);
    context.note(`${kind} ${what.clients} clients${when}: ${result.perSecond.toFixed(0)}/s, p50 ${result.p50Us.toFixed(0)} µs, p99 ${result.p99Us.toFixed(0)} µs`);
    return result.perSecond;
  };
  for (const kind of kinds) await measure(kind, what.clients === 1 ? settleMs.lone : settleMs.many, ' at first, not counted');
  for (let run = 0; run < Math.max(1, Math.min(5, context.runs)); run += 1) {
    for (const kind of kinds) measured[kind].push(await measure(kind, 3000, ''));
  }
  const head = { name: `store/writes-${what.members}-clients-${what.clients}`, unit: '/s', ours: median(measured.ours) };
  if (peer === null) return [line(head)];
  const beside = (kind: 'etcd' | 'etcd3', client: string): BenchLine => line({ ...head, peer: median(measured[kind]), peerName: `etcd ${etcd?.version ?? ''}, ${client}`, bar: what.bar });
  return [beside('etcd', 'bare client'), ...(measured.etcd3.length === 0 ? [] : [beside('etcd3', `Node client etcd3 ${etcdClientVersion}`)])];
}

const lone: Bench = {
  name: 'store/lone-write',
  needsRoot: false,
  run: async (context) => {
    const rounds: Readonly<Record<string, number>>[] = [];
    for (let run = 0; run < Math.max(1, Math.min(5, context.runs)); run += 1) {
      const dir = mkdtempSync(join(folder, 'lone-'));
      rounds.push(await script('lone-write.ts', [dir]));
      rmSync(dir, { recursive: true, force: true });
    }
    return [line({ name: 'store/lone-write', unit: 'us', ours: median(rounds.map((one) => one['oursUs'] ?? Number.NaN)), peer: median(rounds.map((one) => one['bareUs'] ?? Number.NaN)), peerName: 'write and fdatasync of a file', bar: '<= 1.5' })];
  },
};

const failoverTrials = 20;

/** From the kill -9 of the leader until either of the others has acknowledged a write. */
async function failoverMs(side: StoreSide): Promise<number> {
  const leader = await side.leader();
  const others = side.members.filter((member) => member !== leader);
  const doors = await Promise.all(others.map((member) => openDoor(side.kind, member.target)));
  const began = performance.now();
  const killed = leader.kill();
  let tookMs: number | null = null;
  for (let count = 0; tookMs === null && performance.now() - began < 30_000; count += 1) {
    // NOTE: a write that met the dead leader may hang; so a new one is tried all the time, and the first answer counts.
    for (const door of doors) {
      door.put(`failover-${count}`, 'v'.repeat(256), (error) => {
        if (error === null) tookMs ??= performance.now() - began;
      });
      door.flush();
    }
    await pause(10);
  }
  await killed;
  for (const door of doors) door.close();
  if (tookMs === null) throw new Error(`${side.kind} accepted nothing within 30 s`);
  await leader.restart();
  await side.leader();
  // The one that came back catches up before the next is killed.
  await pause(1500);
  return tookMs;
}

const failover: Bench = {
  name: 'store/failover',
  needsRoot: false,
  run: async (context) => {
    if (etcd === null) context.note(noPeer);
    const ours = await startOurStore(folder, 3);
    const peer = etcd === null ? null : await startEtcd(etcd, 3);
    const measured: Record<'ours' | 'etcd', number[]> = { ours: [], etcd: [] };
    try {
      for (let trial = 0; trial < failoverTrials; trial += 1) {
        measured.ours.push(await failoverMs(ours));
        if (peer !== null && trial < 5) measured.etcd.push(await failoverMs(peer));
      }
    } finally {
      await Promise.all([ours.close(), peer?.close()]);
    }
    context.note(`ours ${measured.ours.map((ms) => ms.toFixed(0)).join(' ')}; etcd ${measured.etcd.map((ms) => ms.toFixed(0)).join(' ')}`);
    const beside = (pick: (values: readonly number[]) => number): object => (peer === null ? {} : { peer: pick(measured.etcd), peerName: `etcd ${etcd?.version ?? ''}, 5 trials` });
    return [
      line({ name: 'store/failover-median', unit: 'ms', ours: median(measured.ours), ...beside(median), bar: '<= 1500', barOf: 'ours' }),
      line({ name: 'store/failover-worst', unit: 'ms', ours: Math.max(...measured.ours), ...beside((values) => Math.max(...values)), bar: '<= 3000', barOf: 'ours' }),
    ];
  },
};

/** How many elections three members hold while `work` goes on. Each begins a term, so the terms count them. */
async function elections(ours: OurSide, work: (leader: OurMember) => Promise<void>): Promise<number> {
  const leader = await ours.leader();
  const termOf = async (member: OurMember): Promise<number> => Number(Reflect.get(Object((await statusOf(member)).leadership), 'term'));
  const before = await termOf(leader);
  await work(leader);
  await pause(3000);
  return (await termOf(await ours.leader())) - before;
}

const stall: Bench = {
  name: 'store/stall',
  needsRoot: false,
  run: async (context) => {
    const ours = await startOurStore(folder, 3);
    try {
      const trials = Math.max(1, context.runs);
      let onLeader = 0;
      let onFollower = 0;
      for (let trial = 0; trial < trials; trial += 1) {
        onLeader += await elections(ours, async (leader) => void (await leader.api('POST', '/v1/stall/1500')));
        onFollower += await elections(ours, async (leader) => void (await ours.members.find((one) => one !== leader)?.api('POST', '/v1/stall/1500')));
      }
      context.note(`${trials} stalls of 1.5 s each`);
      return [
        line({ name: 'store/elections-follower-stalls', unit: '', ours: onFollower, bar: '<= 0', barOf: 'ours' }),
        line({ name: 'store/elections-leader-stalls', unit: '', ours: onLeader, bar: '<= 0', barOf: 'ours' }),
      ];
    } finally {
      await ours.close();
    }
  },
};

/** A third member joins two that have a state of 100 MB, while one client writes: the snapshot takes its time and nobody's lead. */
const snapshot: Bench = {
  name: 'store/snapshot',
  needsRoot: false,
  run: async (context) => {
    const ours = await startOurStore(folder, 2, async (dir) => {
      const { snapshotBytes = 0 } = await script('state-size.ts', ['prepare', dir, String(startTasks), '100']);
      context.note(`a snapshot of ${(snapshotBytes / 1e6).toFixed(1)} MB`);
      if (snapshotBytes < 100e6) throw new Error('the snapshot is smaller than 100 MB');
    });
    try {
      let tookMs = 0;
      let slowestMs = 0;
      const held = await elections(ours, async (leader) => {
        const writing = writeUntil(leader);
        const began = performance.now();
        await ours.join();
        tookMs = performance.now() - began;
        const done = await writing.end();
        slowestMs = done.slowestMs;
        context.note(`${done.count} writes meanwhile, the slowest ${slowestMs.toFixed(0)} ms`);
      });
      return [
        line({ name: 'store/elections-100MB-snapshot-sent', unit: '', ours: held, bar: '<= 0', barOf: 'ours' }),
        line({ name: 'store/join-100MB-until-it-votes', unit: 'ms', ours: tookMs }),
        line({ name: 'store/slowest-write-while-100MB-are-sent', unit: 'ms', ours: slowestMs }),
      ];
    } finally {
      await ours.close();
    }
  },
};

/** So many containers start on the machine of three managers, and of a daemon whose store has one voter: nobody loses the lead. */
const containers: Bench = {
  name: 'store/containers',
  needsRoot: true,
  run: async (context) => {
    const { stdout } = await timed([process.execPath, join(home, 'examples', 'images', 'build.ts'), 'busybox']);
    const daemon = await startOurs({ mirror: stdout.trim().split('\n').at(-1) ?? '', image: 'busybox' });
    const managers = await startOurStore(folder, 3).catch(async (error: unknown) => {
      await daemon.close();
      throw error;
    });
    try {
      mkdirSync(daemon.folder('hundred'), { recursive: true });
      writeFileSync(join(daemon.folder('hundred'), 'compose.yaml'), 'services: {s: {image: busybox, command: [sleep, "100000"], stop_signal: KILL}}\n');
      const daemonTerm = async (): Promise<number> => Number(Reflect.get(Object(Reflect.get(Object(await createApiClient({ socketPath: daemon.folder('run/flotilla.sock') }).call('GET', '/v1/store/status')), 'leadership')), 'term'));
      const before = await daemonTerm();
      let [held, started] = [0, 0];
      for (let round = 0; round < Math.max(1, Math.min(3, context.runs)); round += 1) {
        held += await elections(managers, async (leader) => {
          const writing = writeUntil(leader);
          const up = await daemon.compose('hundred', ['up', '-d', '--scale', `s=${containersMax}`]);
          context.note(`${containersMax} containers in ${(up.wallMs / 1000).toFixed(1)} s, ${(await writing.end()).count} writes of the managers meanwhile`);
          started += containersMax;
        });
        await daemon.compose('hundred', ['down', '-t', '0']);
      }
      return [
        line({ name: 'store/elections-100-containers', unit: '', ours: held, bar: '<= 0', barOf: 'ours' }),
        line({ name: 'store/elections-100-containers-daemon', unit: '', ours: (await daemonTerm()) - before, bar: '<= 0', barOf: 'ours' }),
        line({ name: 'store/containers-started', unit: '', ours: started }),
      ];
    } finally {
      await Promise.all([daemon.close(), managers.close()]);
    }
  },
};
const containersMax = 100;

/** One write after the other, as a manager at work has them. */
function writeUntil(leader: OurMember): { readonly end: () => Promise<{ readonly count: number; readonly slowestMs: number }> } {
  let [isOver, count, slowestMs] = [false, 0, 0];
  const work = (async () => {
    const door = await openDoor('ours', leader.target);
    while (!isOver) {
      const began = performance.now();
      await new Promise<void>((resolve, reject) => {
        door.put('during', 'v'.repeat(256), (error) => (error === null ? resolve() : reject(new Error(`a write meanwhile failed: ${error}`))));
        door.flush();
      });
      slowestMs = Math.max(slowestMs, performance.now() - began);
      count += 1;
      await pause(10);
    }
    door.close();
  })();
  // NOTE: a write that fails is told by `end`.
  work.catch(() => undefined);
  return {
    end: async () => {
      isOver = true;
      await work;
      return { count, slowestMs };
    },
  };
}

const memory: Bench = {
  name: 'store/memory',
  needsRoot: false,
  run: async () => {
    const dir = mkdtempSync(join(folder, 'memory-'));
    const found = await script('state-size.ts', ['fill', dir, '50000'], ['--expose-gc']);
    rmSync(dir, { recursive: true, force: true });
    if (found['tasks'] !== 50_000) throw new Error(`${found['tasks']} tasks are there`);
    return [
      line({ name: 'store/memory-50000-tasks', unit: 'MB', ours: (found['heapBytes'] ?? Number.NaN) / 1e6, bar: '<= 150', barOf: 'ours' }),
      line({ name: 'store/memory-50000-tasks-resident', unit: 'MB', ours: (found['rssBytes'] ?? Number.NaN) / 1e6 }),
    ];
  },
};

const start: Bench = {
  name: 'store/start',
  needsRoot: false,
  run: async (context) => {
    const dir = join(folder, 'start');
    const { snapshotBytes = 0 } = await script('state-size.ts', ['prepare', dir, String(startTasks), '10000']);
    context.note(`a snapshot of ${(snapshotBytes / 1e6).toFixed(1)} MB`);
    const timesMs: number[] = [];
    for (let run = 0; run < Math.max(1, context.runs); run += 1) timesMs.push((await script('state-size.ts', ['start', dir]))['ms'] ?? Number.NaN);
    rmSync(dir, { recursive: true, force: true });
    return [line({ name: 'store/start-100MB-10000-entries', unit: 'ms', ours: median(timesMs), bar: '<= 3000', barOf: 'ours' })];
  },
};
/** At about 900 bytes each. */
const startTasks = 110_000;

mkdirSync(folder, { recursive: true });

export const benches: readonly Bench[] = [writes(1, { 1: '>= 1.3', 32: '>= 3', 128: '>= 4' }), writes(3, { 1: '>= 1.2', 32: '>= 2', 128: '>= 2' }), lone, failover, stall, snapshot, containers, memory, start];

export async function close(): Promise<void> {
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
