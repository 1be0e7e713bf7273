import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Clock } from '../../src/base/clock.ts';
import { createManager, type Manager } from '../../src/manager/manager.ts';
import type { Deployment } from '../../src/model/deployment.ts';
import type { ChangeEvent, Goal } from '../../src/model/progress.ts';
import { memorySession, type AgentEnd } from '../../src/wire/session.ts';
import { dependsOn, deployment, node, service, SimNode } from '../cluster/world.ts';
import { memoryStore, type MemoryStore } from '../fakes/memory-store.ts';

const clock: Clock = { nowMs: () => 1000, monotonicMs: () => 0, sleep: () => new Promise(() => undefined), after: () => () => undefined };

type Cluster = { readonly store: MemoryStore; readonly manager: Manager; readonly sim: SimNode; readonly agent: AgentEnd; readonly send: () => void };

/** A manager, a store in memory, and a node that follows each assignment a step at a time. */
function cluster(): Cluster {
  const store = memoryStore({ nowMs: clock.nowMs });
  const manager = createManager({ store, clock, random: seededRandom(1), log: silentLog, addressPools: [] });
  const sim = new SimNode();
  const { agent, manager: end } = memorySession((callback) => void setImmediate(callback));
  manager.connectAgent(end);
  const told = new Map<string, string>();
  let latest: Parameters<Parameters<AgentEnd['onMessage']>[0]>[0] | null = null;
  const send = (): void => {
    if (latest === null) return;
    const { assignment } = latest;
    const tasks = assignment.tasks.flatMap(({ task, spec }) => {
      const status = sim.step(task, spec !== null, 1000);
      if (told.get(task.id) === JSON.stringify(status)) return [];
      told.set(task.id, JSON.stringify(status));
      return [{ taskId: task.id, status }];
    });
    const removedVolumes = assignment.volumes.filter((one) => one.desired === 'removed').map((one) => one.id);
    if (tasks.length === 0 && removedVolumes.length === 0) return;
    agent.send({ kind: 'report', report: { nodeId: node.nodeId, tasks, removedVolumes } });
    setImmediate(send);
  };
  agent.onMessage((message) => {
    latest = message;
    send();
  });
  agent.send({ kind: 'hello', facts: node });
  return { store, manager, sim, agent, send };
}

async function follow({ manager }: Cluster, call: Promise<{ readonly revision: number; readonly services: readonly string[] }>, goal: Goal, onLine: (line: string) => void = () => undefined): Promise<string[]> {
  const answer = await call;
  const lines: string[] = [];
  for await (const event of manager.control.progress({ projectName: 'shop', services: answer.services, fromRevision: answer.revision, goal, signal: new AbortController().signal })) {
    lines.push(lineOf(event));
    onLine(lineOf(event));
  }
  return lines;
}

function lineOf(event: ChangeEvent): string {
  return event.kind === 'progress' ? `${event.id} ${event.text}${event.details === undefined ? '' : ` ${event.details}`}` : event.kind;
}

const two: Deployment = deployment({
  db: service({ volumes: [{ type: 'volume', source: 'data', target: '/data' }] }),
  web: service({ depends_on: dependsOn({ db: 'service_started' }) }),
}, { project: { volumes: { data: {} } } });

describe('a manager with one node', () => {
  test('tells up, up again, a change and down as Compose does', async () => {
    const one = cluster();
    expect(await follow(one, one.manager.control.deploy(two), 'started')).toEqual([
      'Network shop_default Creating', 'Network shop_default Created',
      'Container shop-db-1 Creating', 'Container shop-web-1 Creating', 'Volume shop_data Creating', 'Volume shop_data Created',
      'Container shop-db-1 Created', 'Container shop-web-1 Created', 'Container shop-db-1 Starting', 'Container shop-db-1 Started',
      'Container shop-web-1 Starting', 'Container shop-web-1 Started',
    ]);
    expect(await follow(one, one.manager.control.deploy(two), 'started')).toEqual(['Container shop-db-1 Running', 'Container shop-web-1 Running']);
    const changed = deployment({ db: two.project.services['db'] ?? service(), web: service({ command: ['new'], depends_on: dependsOn({ db: 'service_started' }) }) }, { project: { volumes: { data: {} } } });
    expect(await follow(one, one.manager.control.deploy(changed), 'started')).toEqual([
      'Container shop-db-1 Running', 'Container shop-web-1 Recreate', 'Container shop-web-1 Recreated', 'Container shop-web-1 Starting', 'Container shop-web-1 Started',
    ]);
    const down = { projectName: 'shop', services: [], stopGraceMs: null, removeVolumes: true, removeOrphans: false, fileServices: null };
    const lines = await follow(one, one.manager.control.down(down), 'removed');
    for (const name of ['web', 'db']) expect(lines.filter((line) => line.startsWith(`Container shop-${name}-1 `))).toEqual(['Stopping', 'Stopped', 'Removing', 'Removed'].map((text) => `Container shop-${name}-1 ${text}`));
    expect(lines.indexOf('Container shop-web-1 Stopped')).toBeLessThan(lines.indexOf('Container shop-db-1 Stopped'));
    expect(lines.filter((line) => !line.startsWith('Container')).sort()).toEqual(['Network shop_default Removed', 'Network shop_default Removing', 'Volume shop_data Removed', 'Volume shop_data Removing']);
    expect(one.manager.queries.projects()).toEqual([]);
    await one.manager.close();
  });

  test('ends with the error of what can not start', async () => {
    const one = cluster();
    one.sim.behaviours['db'] = { rejects: true };
    await expect(follow(one, one.manager.control.deploy(two), 'started')).rejects.toMatchObject({ message: expect.stringContaining('no such image') });
    await one.manager.close();
  });

  // Compose prints the same for `up -d`: else a command that waits for minutes shows nothing but finished lines.
  test.for([
    ['service_healthy', { health: 'starting' }, { health: 'healthy' }, 'Healthy'],
    ['service_completed_successfully', {}, { exits: 0 }, 'Exited'],
  ] as const)('up without --wait tells what it waits for: %s', async ([condition, before, after, end]) => {
    const one = cluster();
    one.sim.behaviours['db'] = before;
    const waiting = deployment({ db: service(), web: service({ depends_on: dependsOn({ db: condition }) }) });
    const lines = await follow(one, one.manager.control.deploy(waiting), 'started', (line) => {
      if (line !== 'Container shop-db-1 Waiting') return;
      one.sim.behaviours['db'] = after;
      one.send();
    });
    expect(lines.slice(-6)).toEqual(['Container shop-db-1 Starting', 'Container shop-db-1 Started', 'Container shop-db-1 Waiting', `Container shop-db-1 ${end}`, 'Container shop-web-1 Starting', 'Container shop-web-1 Started']);
    await one.manager.close();
  });

  // Side by side with Docker Compose 2.40: the same lines, and the same end.
  test.for(['up', 'start'] as const)('%s again waits for what it runs again, though nobody is held back by it, and fails with it', async (command) => {
    const one = cluster();
    const job = deployment({ job: service(), web: service({ depends_on: dependsOn({ job: 'service_completed_successfully' }) }) });
    const again = (): ReturnType<typeof one.manager.control.deploy> => (command === 'up' ? one.manager.control.deploy(job) : one.manager.control.start({ projectName: 'shop', services: ['web'] }));
    const ending = (exits: number) => (line: string): void => {
      if (line !== 'Container shop-job-1 Waiting') return;
      one.sim.behaviours['job'] = { exits };
      one.send();
    };
    await follow(one, one.manager.control.deploy(job), 'started', ending(0));
    one.sim.behaviours['job'] = {};
    expect(await follow(one, again(), 'started', ending(0))).toEqual(['Container shop-web-1 Running', ...['Starting', 'Started', 'Waiting', 'Exited'].map((text) => `Container shop-job-1 ${text}`)]);
    one.sim.behaviours['job'] = {};
    await expect(follow(one, again(), 'started', ending(1))).rejects.toMatchObject({ code: 'CLUSTER_DEPENDENCY_FAILED', message: expect.stringContaining('service "job" didn\'t complete successfully: exit 1') });
    await one.manager.close();
  });

  test('--wait fails when a container exits or is unhealthy, and takes a completed one', async () => {
    const one = cluster();
    one.sim.behaviours['db'] = { exits: 0 };
    one.sim.behaviours['web'] = { health: 'healthy' };
    const lines = await follow(one, one.manager.control.deploy(two), 'healthy');
    expect(lines.slice(-1)).toEqual(['Container shop-web-1 Healthy']);
    one.sim.behaviours['web'] = { health: 'unhealthy' };
    await expect(follow(one, one.manager.control.restart({ projectName: 'shop', services: ['web'], stopGraceMs: null, withDependents: true }), 'healthy')).rejects.toMatchObject({ code: 'CLUSTER_TASK_FAILED' });
    await one.manager.close();
  });

  test('writes what comes together as one entry', async () => {
    const one = cluster();
    const many = deployment(Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`s${index}`, service()])));
    const before = one.store.proposals();
    await follow(one, one.manager.control.deploy(many), 'started');
    expect(one.store.proposals() - before).toBeLessThan(8);
    await one.manager.close();
  });

  test('a refusal names every reason, and a refused command spoils none beside it', async () => {
    const one = cluster();
    const bad = deployment({ a: service({ gpus: [{ count: 1 }], runtime: 'x' }) }, { name: 'bad' });
    const [refused, accepted] = await Promise.allSettled([one.manager.control.deploy(bad), one.manager.control.deploy(two)]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'CLUSTER_DEPLOYMENT_REFUSED', message: expect.stringMatching(/gpus.*\n.*runtime/s) } });
    expect(accepted.status).toBe('fulfilled');
    await one.manager.close();
  });

  test('what the deciders break on is refused alone: neither commands nor reports beside it are lost', async () => {
    const one = cluster();
    await follow(one, one.manager.control.deploy(two), 'started');
    const [running] = one.manager.queries.tasks('shop');
    if (running === undefined) throw new Error('no task');
    const broken = deployment({ a: service({ links: [5 as unknown as string] }) }, { name: 'broken' });
    const other = deployment({ c: service() }, { name: 'other' });
    one.agent.send({ kind: 'report', report: { nodeId: node.nodeId, tasks: [{ taskId: running.id, status: { ...running.status, restarts: 7 } }], removedVolumes: [] } });
    const [refused, accepted] = await Promise.allSettled([one.manager.control.deploy(broken), one.manager.control.deploy(other)]);
    expect(refused.status).toBe('rejected');
    expect(accepted.status).toBe('fulfilled');
    await new Promise((resolve) => setImmediate(resolve));
    expect(one.manager.queries.projects().map((project) => project.name)).toEqual(['other', 'shop']);
    expect(one.manager.queries.task(running.id)?.status.restarts).toBe(7);
    await one.manager.close();
  });

  test.for(['stopped', 'removed'] as const)('who waits for a start that another command takes back is told: %s', async (how) => {
    const one = cluster();
    one.sim.behaviours['db'] = { health: 'starting' };
    const waiting = follow(one, one.manager.control.deploy(two), 'healthy');
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'CLUSTER_OVERRULED', message: expect.stringContaining(how) });
    while (!one.manager.queries.tasks('shop').some((task) => task.status.state === 'running')) await new Promise((resolve) => setImmediate(resolve));
    if (how === 'stopped') await one.manager.control.stop({ projectName: 'shop', services: [], stopGraceMs: null });
    else await one.manager.control.down({ projectName: 'shop', services: [], removeVolumes: false, removeOrphans: false, stopGraceMs: null, fileServices: null });
    await outcome;
    await one.manager.close();
  });

  test('without leadership commands are refused, reports are kept, and all goes on when it comes back', async () => {
    const one = cluster();
    await one.manager.control.deploy(two);
    one.store.setLeader(false);
    await expect(one.manager.control.deploy(two)).rejects.toMatchObject({ code: 'MANAGER_NOT_LEADER' });
    await new Promise((resolve) => setImmediate(resolve));
    one.store.setLeader(true);
    expect((await follow(one, one.manager.control.deploy(two), 'started')).length).toBeGreaterThan(0);
    await one.manager.close();
  });
});

test('what others write while the planner does is looked at too', async () => {
  const one = cluster();
  await follow(one, one.manager.control.deploy(two), 'started');
  const [task] = one.manager.queries.tasks('shop');
  if (task === undefined) throw new Error('no task');
  const down = one.manager.control.deploy(two);
  await one.store.propose([{ kind: 'put', object: { ...task, desired: 'removed' }, ifVersion: null }]);
  const answer = await down;
  await follow(one, Promise.resolve({ ...answer, services: ['db', 'web'] }), 'started');
  expect(one.manager.queries.tasks('shop').map((two) => two.desired)).toEqual(['running', 'running']);
  await one.manager.close();
});

test('what a node has come to reach by other ways is known before the next network gets its subnet', async () => {
  const one = cluster();
  await follow(one, one.manager.control.deploy(two), 'started');
  expect(one.manager.queries.networks('shop').map((network) => network.subnet)).toEqual(['172.17.0.0/16']);
  one.agent.send({ kind: 'report', report: { nodeId: node.nodeId, tasks: [], removedVolumes: [], hostSubnets: ['172.18.9.0/24'] } });
  while (one.manager.queries.node(node.nodeId)?.hostSubnets[0] !== '172.18.9.0/24') await new Promise((resolve) => setImmediate(resolve));
  await one.manager.control.deploy(deployment({ a: service() }, { name: 'other' }));
  expect(one.manager.queries.networks('other').map((network) => network.subnet)).toEqual(['172.19.0.0/16']);
  await one.manager.close();
});
