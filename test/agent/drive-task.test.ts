import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/app-error.ts';
import { silentLog } from '../../src/base/log.ts';
import { type DriverHost, TaskDriver } from '../../src/agent/drive-task.ts';
import { freshMemory, type TaskMemory } from '../../src/agent/step.ts';
import type { AssignedTask } from '../../src/model/assignment.ts';
import type { TaskDesired, TaskStatus } from '../../src/model/objects.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import { deployment, node, service, World } from '../cluster/world.ts';
import { fakeEngine } from '../fakes/fake-engine.ts';

/** A driver over an engine in memory; `prepare` hangs until it is told how to end, timers fire only by hand. */
function driven(): { driver: TaskDriver; wish: (desired: TaskDesired) => void; end: (error: Error | null) => void; told: TaskStatus[]; isGone: () => boolean; timers: (() => void)[]; turn: () => Promise<void> } {
  const world = new World();
  world.up(deployment({ web: service() }));
  const [assigned] = assignmentOf(world.view, node.nodeId).tasks;
  if (assigned === undefined) throw new Error('no task');
  const engine = fakeEngine({ clock: { nowMs: () => 1 } });
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
    networkChanged: () => undefined,
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
