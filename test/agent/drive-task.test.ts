import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/app-error.ts';
import { silentLog } from '../../src/base/log.ts';
import { type DriverHost, TaskDriver } from '../../src/agent/drive-task.ts';
import { freshMemory, type TaskMemory } from '../../src/agent/step.ts';
import type { AssignedTask } from '../../src/model/assignment.ts';
import type { TaskDesired, TaskStatus } from '../../src/model/objects.ts';
import { decideRestart, type RestartPolicy } from '../../src/cluster/restart.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import { deployment, node, service, World } from '../cluster/world.ts';
import { plainSpec } from '../engine/plain-spec.ts';
import { type FakeEngine, fakeEngine } from '../fakes/fake-engine.ts';

/** A driver over an engine in memory; `prepare` hangs until it is told how to end, timers fire only by hand. */
function driven(engine: FakeEngine = fakeEngine({ clock: { nowMs: () => 1 } })): { driver: TaskDriver; wish: (desired: TaskDesired) => void; end: (error: Error | null) => void; told: TaskStatus[]; isGone: () => boolean; timers: (() => void)[]; turn: () => Promise<void> } {
  const world = new World();
  world.up(deployment({ web: service() }));
  const [assigned] = assignmentOf(world.view, node.nodeId).tasks;
  if (assigned === undefined) throw new Error('no task');
  const told: TaskStatus[] = [];
  const timers: (() => void)[] = [];
  let memory: TaskMemory = freshMemory;
  let gone = false;
  let end: (error: Error | null) => void = () => undefined;
  const host: DriverHost = {
    engine, log: silentLog,
    clock: { nowMs: () => 1, monotonicMs: () => 1, sleep: () => new Promise(() => undefined), after: (_ms, fn) => { timers.push(fn); return () => undefined; } },
    memory: () => memory,
    setMemory: (_id, next) => void (memory = next),
    tell: (_id, status) => void told.push(status),
    prepare: () => new Promise((resolve, reject) => (end = (error) => (error === null ? resolve() : reject(error)))),
    fetch: async () => undefined,
    release: async () => undefined,
    networkChanged: () => undefined, leaveNetwork: () => undefined,
    networkReady: async () => undefined,
    gone: () => void (gone = true),
    decideRestart: () => null,
  };
  const wished = (desired: TaskDesired): AssignedTask => ({ ...assigned, task: { ...assigned.task, desired } });
  const driver = new TaskDriver(host, wished('prepared'));
  driver.kick();
  return { driver, wish: (desired) => driver.wish(wished(desired)), end: (error) => end(error), told, isGone: () => gone, timers, turn: () => new Promise((resolve) => setImmediate(resolve)) };
}

describe('a wish that comes while an operation is under way', () => {
  test('a removal that cuts a preparation off is done at once, not after a failure\'s wait', async () => {
    const one = driven();
    one.wish('removed');
    one.end(new Error('aborted'));
    await one.driver.settled();
    expect(one.isGone()).toBe(true);
    expect(one.timers).toEqual([]);
    expect(one.told.at(-1)?.state).toBe('removed');
  });

  test('what failed under the old wish is no failure of the new one', async () => {
    const one = driven();
    one.wish('running');
    one.end(new AppError({ code: 'ENGINE_PULL_DENIED', message: 'cut' }));
    await one.turn();
    expect(one.told.at(-1)).toMatchObject({ state: 'preparing', desired: 'running', error: null });
  });

  test('what fails under the present wish is told and stays', async () => {
    const one = driven();
    one.end(new AppError({ code: 'ENGINE_PULL_DENIED', message: 'no' }));
    await one.driver.settled();
    expect(one.told.at(-1)).toMatchObject({ state: 'rejected', error: { code: 'ENGINE_PULL_DENIED' } });
  });
});

test('a container that could only be removed by half is not forgotten until it is removed whole', async () => {
  let left = 2;
  const engine = fakeEngine({ clock: { nowMs: () => 1 } });
  // As the engine shows it to nobody while its removal is under way.
  const remove = async (): Promise<void> => {
    left -= 1;
    if (left > 0) throw new Error('EPERM: operation not permitted, rmdir');
  };
  const one = driven({ ...engine, containers: { ...engine.containers, get: () => null, remove } });
  one.wish('removed');
  one.end(new Error('aborted'));
  await one.driver.settled();
  expect([one.isGone(), one.timers.length]).toEqual([false, 1]);
  expect(one.told.at(-1)).toMatchObject({ desired: 'removed', error: { code: 'AGENT_STEP_FAILED' } });
  one.timers[0]?.();
  await one.driver.settled();
  expect([one.isGone(), left]).toEqual([true, 0]);
});

describe('a start by the policy that fails', () => {
  /** A container that runs under a policy; `end` lets its process end, `wait` runs its timer and answers how long it was. */
  async function running(policy: RestartPolicy): Promise<{ driver: TaskDriver; engine: FakeEngine; told: TaskStatus[]; end: () => Promise<void>; wait: () => Promise<number>; isWaiting: () => boolean; memory: () => TaskMemory; wish: (desired: TaskDesired) => Promise<void> }> {
    const world = new World();
    world.up(deployment({ web: service() }));
    const [assigned] = assignmentOf(world.view, node.nodeId).tasks;
    if (assigned === undefined) throw new Error('no task');
    const engine = fakeEngine({ clock: { nowMs: () => 1000 } });
    engine.addImage('busybox');
    await engine.containers.create(assigned.task.containerId, plainSpec({ name: assigned.task.containerName }));
    const told: TaskStatus[] = [];
    const timers: { readonly ms: number; readonly fn: () => void; isDue: boolean }[] = [];
    let memory: TaskMemory = freshMemory;
    const driver = new TaskDriver({
      engine, log: silentLog,
      clock: { nowMs: () => 1000, monotonicMs: () => 1, sleep: () => new Promise(() => undefined), after: (ms, fn) => { const timer = { ms, fn, isDue: true }; timers.push(timer); return () => (timer.isDue = false); } },
      memory: () => memory, setMemory: (_id, next) => void (memory = next), tell: (_id, status) => void told.push(status),
      prepare: async () => undefined, fetch: async () => undefined, release: async () => undefined, networkChanged: () => undefined, leaveNetwork: () => undefined, networkReady: async () => undefined, gone: () => undefined,
      decideRestart: (_assigned, container, { history }) => decideRestart({ policy, exitCode: container.exitCode ?? 0, ranMs: (container.finishedMs ?? 0) - (container.startedMs ?? 0), history, jitter: 0 }),
    }, { ...assigned, task: { ...assigned.task, desired: 'running' } });
    driver.kick();
    await driver.settled();
    const due = (): (typeof timers)[number] | undefined => timers.find((one) => one.isDue);
    return {
      driver, engine, told, memory: () => memory, isWaiting: () => due() !== undefined,
      end: async () => {
        engine.exit(assigned.task.containerId, 1);
        driver.kick();
        await driver.settled();
      },
      wait: async () => {
        const timer = due();
        if (timer === undefined) throw new Error('nothing is waited for');
        timer.isDue = false;
        timer.fn();
        await driver.settled();
        return timer.ms;
      },
      wish: async (desired) => {
        driver.wish({ ...assigned, task: { ...assigned.task, desired } });
        await driver.settled();
      },
    };
  }
  const always: RestartPolicy = { condition: 'always', attemptsMax: null, delayMs: null, windowMs: null };
  const transient = new AppError({ code: 'ENGINE_RUNTIME_FAILED', message: 'the runtime was busy' });

  test('is tried again after twice the wait, and says meanwhile what failed', async () => {
    const one = await running(always);
    await one.end();
    one.engine.failNext('start', transient);
    expect(await one.wait()).toBe(100);
    expect(one.told.at(-1)).toMatchObject({ state: 'restarting', error: { code: 'ENGINE_RUNTIME_FAILED' } });
    expect(await one.wait()).toBe(200);
    expect(one.told.at(-1)).toMatchObject({ state: 'running', error: null, restarts: 2 });
  });

  test('goes on as often as it fails, with longer and longer waits up to a minute', async () => {
    const one = await running(always);
    await one.end();
    const waits: number[] = [];
    for (let count = 0; count < 12; count += 1) {
      one.engine.failNext('start', transient);
      waits.push(await one.wait());
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    await one.wait();
    expect(one.told.at(-1)?.state).toBe('running');
  });

  test('counts as a try: after the last one it stays down and is told as failed', async () => {
    const one = await running({ ...always, condition: 'on-failure', attemptsMax: 2 });
    await one.end();
    for (const _ of [1, 2]) {
      one.engine.failNext('start', transient);
      await one.wait();
    }
    expect(one.isWaiting()).toBe(false);
    expect(one.told.at(-1)).toMatchObject({ state: 'rejected', error: { code: 'ENGINE_RUNTIME_FAILED' } });
    expect(one.memory().hasGivenUp).toBe(true);
  });

  test('a stop or a removal that is wished meanwhile ends the waiting', async () => {
    for (const desired of ['stopped', 'removed'] as const) {
      const one = await running(always);
      await one.end();
      one.engine.failNext('start', transient);
      await one.wait();
      await one.wish(desired);
      expect(one.isWaiting()).toBe(false);
      expect(one.told.at(-1)).toMatchObject({ state: desired === 'stopped' ? 'exited' : 'removed', error: null });
    }
  });

  test('a start that a command asked for is told to who asked, and not tried again by itself', async () => {
    const one = await running(always);
    await one.wish('stopped');
    one.engine.failNext('start', transient);
    await one.wish('running');
    expect(one.isWaiting()).toBe(false);
    expect(one.told.at(-1)).toMatchObject({ state: 'rejected' });
  });
});
