import { randomBelow, seededRandom } from '../../src/base/random.ts';
import { check } from '../linearizability/checker.ts';
import type { Operation } from '../linearizability/checker.ts';
import { registerModel } from '../linearizability/models.ts';
import type { RegisterInput, RegisterOutput } from '../linearizability/models.ts';
import { ChaosCluster, until } from './cluster.ts';
import type { Manager } from './cluster.ts';

/**
 * `node test/chaos/run.ts EPISODES [MANAGERS] [SEED]`: real processes under kill -9, SIGSTOP, partitions, full disks and sync errors, while clients read,
 * write and compare-and-set. Every so many episodes all calm down, every key is read, and the history is checked. Last line `N passed, N failed` (episodes).
 */
const episodes = Number(process.argv[2] ?? '50');
const count = Number(process.argv[3] ?? '3');
const seed = Number(process.argv[4] ?? '1');
const random = seededRandom(seed);
const episodesPerRound = 25;
const clientCount = 5;
const keyCount = 4;

const cluster = new ChaosCluster(`/tmp/flotilla-chaos-${process.pid}`, true);
const tally: Record<string, number> = {};
let round = 0;
let order = 0;
let made = 0;
let acknowledged = 0;
let isCalm = true;
let operations: Operation<RegisterInput, RegisterOutput>[] = [];

const definite: readonly string[] = ['MANAGER_NO_LEADER', 'MANAGER_NOT_LEADER', 'MANAGER_STORE_FULL', 'MANAGER_CLOSED'];

let failed = 0;
let done = 0;
try {
  await cluster.grow(count);
  console.log(`${count} managers are voters; ${episodes} episodes, SEED=${seed}`);
  while (done < episodes) {
    const size = Math.min(episodesPerRound, episodes - done);
    const verdict = await runRound(size);
    done += size;
    if (verdict !== null) {
      failed += size;
      console.log(`round ${round}: ${verdict}`);
    }
    if (round % 4 === 0) console.log(`… ${done} episodes, ${acknowledged} acknowledged writes, ${JSON.stringify(tally)}`);
  }
} catch (error) {
  failed += episodes - done;
  console.log(error instanceof Error ? error.stack : error);
} finally {
  cluster.destroy();
}
console.log(`${JSON.stringify(tally)}, ${acknowledged} acknowledged writes`);
console.log(`${episodes - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

async function runRound(size: number): Promise<string | null> {
  round += 1;
  operations = [];
  isCalm = false;
  const clients = Array.from({ length: clientCount }, () => client());
  for (let episode = 0; episode < size; episode += 1) await strike();
  isCalm = true;
  await Promise.all(clients);
  await calm();
  for (let key = 0; key < keyCount; key += 1) {
    for (const manager of cluster.managers) await read(manager, `r${round}-k${key}`);
  }
  const verdict = check(registerModel, operations);
  return verdict.isLinearizable ? null : `NOT LINEARIZABLE, key ${verdict.badKey}: ${JSON.stringify(operations.filter((one) => one.key === verdict.badKey))}`;
}

async function client(): Promise<void> {
  while (!isCalm) {
    const up = cluster.managers.filter((manager) => manager.isUp);
    const manager = up[randomBelow(random, Math.max(1, up.length))];
    if (manager === undefined) await sleep(20);
    else {
      const key = `r${round}-k${randomBelow(random, keyCount)}`;
      const dice = random.float();
      if (dice < 0.4) await read(manager, key);
      else await write(manager, key, dice < 0.7);
      await sleep(random.float() * 30);
    }
  }
}

async function read(manager: Manager, key: string): Promise<{ value: string | null; version: number } | null> {
  const calledAt = (order += 1);
  const answer = (await manager.ask({ read: key })) as { value: string | null; version: number; error?: string } | null;
  if (answer === null || answer.error !== undefined) return null;
  operations.push({ key, input: { kind: 'read' }, output: { kind: 'read', value: answer.value }, calledAt, answeredAt: (order += 1) });
  return answer;
}

async function write(manager: Manager, key: string, isBlind: boolean): Promise<void> {
  const seen = isBlind ? null : await read(manager, key);
  if (!isBlind && seen === null) return;
  const value = `v${(made += 1)}`;
  const put = { kind: 'config', id: key, version: 0, createdMs: 0, updatedMs: 0, name: key, projectName: null, key, labels: {}, dataBase64: value, digest: '' };
  const input: RegisterInput = seen === null ? { kind: 'write', value } : { kind: 'cas', from: seen.value, to: value };
  const calledAt = (order += 1);
  const answer = (await manager.ask({ put, ifVersion: seen?.version ?? null })) as { outcome?: { kind: string }; error?: string } | null;
  if (answer?.error !== undefined && definite.includes(answer.error)) return;
  if (answer?.outcome === undefined) {
    operations.push({ key, input, output: null, calledAt, answeredAt: Infinity });
    return;
  }
  acknowledged += 1;
  operations.push({ key, input, output: { kind: 'done', isOk: answer.outcome.kind === 'applied' }, calledAt, answeredAt: (order += 1) });
}

async function strike(): Promise<void> {
  const faults = ['kill', 'kill', 'kill', 'kill-leader', 'kill-leader', 'kill-all', 'stop', 'stop-leader', 'cut', 'cut-leader', 'one-way', 'full-disk', 'disk-error'] as const;
  const fault = faults[randomBelow(random, faults.length)] ?? 'kill';
  tally[fault] = (tally[fault] ?? 0) + 1;
  const { managers } = cluster;
  const any = managers[randomBelow(random, managers.length)];
  const leader = await findLeader();
  const target = fault.endsWith('leader') ? (leader ?? any) : any;
  if (target === undefined) return;
  switch (fault) {
    case 'kill':
    case 'kill-leader':
      await target.kill();
      await sleep(random.float() * 500);
      await target.start();
      break;
    case 'kill-all':
      await Promise.all(managers.map((manager) => manager.kill()));
      await Promise.all(managers.map((manager) => manager.start()));
      break;
    case 'stop':
    case 'stop-leader':
      target.signal('SIGSTOP');
      await sleep(100 + random.float() * 2500);
      target.signal('SIGCONT');
      break;
    case 'cut':
    case 'cut-leader':
    case 'one-way': {
      const others = managers.filter((manager) => manager !== target && (fault === 'cut-leader' || random.float() < 0.7));
      target.cutFrom(others, fault === 'one-way');
      await sleep(200 + random.float() * 2000);
      target.heal();
      break;
    }
    case 'full-disk':
      target.fillDisk();
      await sleep(300 + random.float() * 700);
      if (random.float() < 0.3) {
        await target.kill();
        target.freeDisk();
        await target.start();
      }
      target.freeDisk();
      break;
    case 'disk-error':
      target.breakDisk();
      await sleep(200 + random.float() * 500);
      await target.kill();
      target.remount();
      await target.start();
      break;
  }
  await sleep(random.float() * 300);
}

/** All up and in touch: every manager takes a write within the deadline. */
async function calm(): Promise<void> {
  for (const manager of cluster.managers) {
    manager.signal('SIGCONT');
    manager.heal();
    manager.freeDisk();
    if (!manager.isUp) await manager.start();
  }
  for (const manager of cluster.managers) {
    await until(async () => {
      const put = { kind: 'config', id: 'calm', version: 0, createdMs: 0, updatedMs: 0, name: 'calm', projectName: null, key: 'calm', labels: {}, dataBase64: `${made}`, digest: '' };
      const answer = (await manager.ask({ put, ifVersion: null })) as { outcome?: unknown } | null;
      return answer?.outcome !== undefined;
    }, 30_000);
  }
}

async function findLeader(): Promise<Manager | undefined> {
  for (const manager of cluster.managers) {
    if (!manager.isUp) continue;
    const answer = (await manager.ask({ status: true }, 500)) as { status?: { leadership: { isLeader: boolean } } } | null;
    if (answer?.status?.leadership.isLeader === true) return manager;
  }
  return undefined;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
