import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { silentLog } from '../../src/base/log.ts';
import { applyEntry } from '../../src/cluster/state/apply.ts';
import { emptyView } from '../../src/cluster/state/view.ts';
import type { View } from '../../src/cluster/state/view.ts';
import type { Change } from '../../src/model/entry.ts';
import type { TaskObject } from '../../src/model/objects.ts';
import { encodeEntry, decodeEntry } from '../../src/manager/store/entry-codec.ts';
import { clusterKey, firstIdentity, writeIdentity } from '../../src/manager/store/identity.ts';
import { openKeys } from '../../src/manager/store/key-file.ts';
import { encodeItems } from '../../src/manager/store/log-items.ts';
import { openStore } from '../../src/manager/store/open-store.ts';
import { beginFrom } from '../../src/manager/store/ops/begin-from.ts';
import { storageOptionsOf } from '../../src/manager/store/ops/stopped-store.ts';
import { clusterLimits } from '../../src/manager/store/store-limits.ts';
import { emptyState } from '../../src/manager/store/store-state.ts';
import { logDir } from '../../src/manager/store/storage.ts';
import { Wal } from '../../src/manager/store/wal.ts';
import { realDisk } from '../../src/os/disk.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { realRandom } from '../../src/os/real-random.ts';
import { emptyConf } from '../../src/raft/log-storage.ts';

/** Figures of the store in one process, each in a process of its own: `lone DIR`, `memory`, `start DIR`. Prints JSON. */
const [what, dir = ''] = process.argv.slice(2);
const answer = what === 'lone' ? await loneWrite() : what === 'memory' ? memory() : await start();
process.stdout.write(`${JSON.stringify(answer)}\n`);
if (dir !== '') rmSync(dir, { recursive: true, force: true });

async function open(): Promise<Awaited<ReturnType<typeof openStore>>> {
  return openStore({
    dir, clock: realClock, random: realRandom, log: silentLog, limits: clusterLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall: false,
    onFatal: (error) => {
      throw error;
    },
  });
}

async function loneWrite(): Promise<{ loneMs: number }> {
  const store = await open();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const times: number[] = [];
  for (let at = 0; at < 3000; at += 1) {
    const startMs = performance.now();
    await store.propose([put(at % 100, 256)]);
    times.push(performance.now() - startMs);
  }
  await store.close();
  times.sort((a, b) => a - b);
  return { loneMs: times[times.length >> 1] ?? Number.NaN };
}

function memory(): { memoryMb: number } {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  const measure = (): number => {
    if (typeof collect === 'function') for (let round = 0; round < 3; round += 1) collect();
    return process.memoryUsage().heapUsed + process.memoryUsage().external;
  };
  const before = measure();
  const view = tasks(50_000);
  const after = measure();
  if (view.tables.task.size !== 50_000) throw new Error('not all tasks are there');
  return { memoryMb: (after - before) / 1024 / 1024 };
}

async function start(): Promise<{ startS: number }> {
  const identity = firstIdentity(realRandom);
  const keys = openKeys({ disk: realDisk, dir, unlockKey: null, randomBytes });
  const options = storageOptionsOf(dir, identity, keys);
  let view = emptyView();
  for (let at = 0; at < 50_000; at += 1) view = applyEntry(view, at + 1, { requestId: `s${at}`, timeMs: 1, changes: [put(at, 1900)] }).view;
  beginFrom(options, { ...emptyState({ ...emptyConf, voters: identity.firstVoters }), view, term: 1 });
  const { wal } = Wal.open({ ...options, dir: logDir(dir) });
  for (let at = 0; at < 10_000; at += 100) {
    const entries = Array.from({ length: 100 }, (_, n) => ({ index: view.revision + at + n + 1, term: 1, kind: 0, data: encodeEntry({ requestId: `e${at + n}`, timeMs: 1, changes: [put((at + n) % 5000, 256)] }) }));
    wal.append(encodeItems([{ kind: 'entries', entries }, { kind: 'hardState', hardState: { term: 1, vote: identity.memberId, commit: view.revision + at + 100 } }]));
  }
  wal.close();
  writeIdentity(realDisk, dir, identity);
  if (clusterKey(identity) === '') throw new Error('no key');
  const startMs = performance.now();
  const store = await open();
  await store.read();
  const startS = (performance.now() - startMs) / 1000;
  if (store.view().tables.config.size !== 50_000) throw new Error('not all objects are there');
  await store.close();
  return { startS };
}

/** Through the bytes of entries, as a manager gets them. */
function tasks(count: number): View {
  let view = emptyView();
  for (let at = 0; at < count; at += 1) {
    const entry = decodeEntry(encodeEntry({ requestId: `t${at}`, timeMs: 1, changes: [{ kind: 'put', object: task(at), ifVersion: 0 }] }));
    view = applyEntry(view, at + 1, entry).view;
  }
  return view;
}

function task(at: number): TaskObject {
  return {
    kind: 'task', id: `${at}`.padStart(25, 'a'), version: 0, createdMs: 0, updatedMs: 0, projectName: 'shop', serviceId: `service-${at % 100}`, serviceName: `web-${at % 100}`, slot: at, containerName: `shop-web-${at}`,
    containerId: `${at}`.padStart(64, 'f'), specHash: 'a'.repeat(64), forceCount: 0, restartCount: 0, nodeId: `node-${at % 50}`, inheritedIps: {}, joins: [], ports: [], isAllocated: true, isDone: false,
    attachments: [{ networkId: 'n'.repeat(25), ip: `10.0.${(at >> 8) & 255}.${at & 255}`, ip6: null, mac: null, aliases: [`web-${at % 100}`, 'web'] }],
    desired: 'running', stopGraceMs: null, removeVolumes: false,
    status: { state: 'running', desired: 'running', health: 'healthy', exitCode: null, startedMs: 1_700_000_000_000 + at, finishedMs: null, oomKilled: false, restarts: 0, restartCountDone: 0, error: null },
  } satisfies TaskObject;
}

function put(at: number, bytes: number): Change {
  const id = `object-${at}`;
  return { kind: 'put', ifVersion: null, object: { kind: 'config', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName: null, key: id, labels: {}, dataBase64: 'x'.repeat(bytes), digest: '' } };
}
