import { describe, expect, test } from 'vitest';
import type { Queries } from '../../src/manager/queries.ts';
import type { TaskObject } from '../../src/model/objects.ts';
import { lowerContainer } from '../../src/cluster/lower/container.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import { projectLogs } from '../../src/daemon/project-logs.ts';
import { deployment, node, service, World } from '../cluster/world.ts';
import { fakeEngine, type FakeEngine } from '../fakes/fake-engine.ts';

type Scene = { readonly engine: FakeEngine; readonly id: string; readonly at: (ms: number) => void; readonly create: () => Promise<void>; readonly follow: (tail: number | null) => AsyncGenerator<string>; readonly turn: () => Promise<void>; readonly stop: () => void; /** What the agent tells of the task comes in. */ readonly report: (status: Partial<TaskObject['status']>) => void };

/** One container of one service, in an engine in memory, and the follower of its project's output. */
function scene(isReported: boolean = false): Scene {
  const world = new World();
  world.up(deployment({ web: service() }));
  const [assigned] = assignmentOf(world.view, node.nodeId).tasks;
  if (assigned?.spec === undefined || assigned.spec === null) throw new Error('no task');
  const spec = lowerContainer(assigned, assigned.spec, { networkPath: null, containerIdOf: () => null, volumeName: () => null });
  let task: TaskObject = { ...assigned.task, status: { ...assigned.task.status, state: 'running' } };
  let nowMs = 1000;
  const clock = {
    nowMs: () => nowMs,
    // Nobody waits for a report that is not to come.
    after: (_: number, fn: () => void) => {
      if (!isReported) setImmediate(fn);
      return () => undefined;
    },
  };
  const listeners = new Set<() => void>();
  const engine = fakeEngine({ clock });
  engine.addImage('busybox');
  // NOTE: all that the follower asks of the state.
  const queries = { tasks: () => [task], task: () => task, onCommit: (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  } } as unknown as Queries;
  const over = new AbortController();
  return {
    engine, id: task.containerId,
    at: (ms) => void (nowMs = ms),
    create: async () => void (await engine.containers.create(task.containerId, spec)),
    async *follow(tailLines) {
      for await (const event of projectLogs({ engine, queries, clock, projectName: 'shop', services: [], index: null, log: { follow: true, tailLines, sinceMs: null, untilMs: null }, isAttached: false, signal: over.signal })) {
        yield event.kind === 'line' ? event.text : event.kind === 'exited' && event.isRestarting ? 'exited, restarting' : event.kind;
      }
    },
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    stop: () => over.abort(),
    report: (status) => {
      task = { ...task, status: { ...task.status, ...status } };
      for (const listener of [...listeners]) listener();
    },
  };
}

async function take(lines: AsyncGenerator<string>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = await lines.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

describe('following a project', () => {
  test.for<[Partial<TaskObject['status']>, string]>([
    [{ state: 'restarting', finishedMs: 2000 }, 'exited, restarting'],
    [{ state: 'running', startedMs: 2001, finishedMs: null }, 'exited, restarting'],
    [{ state: 'exited', finishedMs: 2000 }, 'exited'],
  ])('an end is told with what comes of it, though it is seen before it is reported: %j', async ([status, told]) => {
    const { engine, id, at, create, follow, turn, stop, report } = scene(true);
    await create();
    await engine.containers.start(id);
    const lines = follow(null);
    expect(await take(lines, 1)).toEqual(['containers']);
    at(2000);
    engine.exit(id, 3);
    const end = take(lines, 1);
    await turn();
    report({ state: 'running' });
    await turn();
    report(status);
    expect(await end).toEqual([told]);
    stop();
  });

  test('a run that begins before the reader has taken the end of the last one is not lost', async () => {
    const { engine, id, create, follow, turn, stop } = scene();
    await create();
    await engine.containers.start(id);
    // As many as fill the queue, with the head before them and the end behind.
    for (let line = 0; line < 999; line += 1) engine.writeLog(id, 'stdout', `first ${line}`);
    const lines = follow(null);
    expect(await take(lines, 1)).toEqual(['containers']);
    await turn();
    engine.exit(id, 1);
    await turn();
    engine.writeLog(id, 'stdout', 'between');
    await engine.containers.start(id);
    engine.writeLog(id, 'stdout', 'second');
    await turn();
    const taken = await take(lines, 1002);
    expect(taken.filter((line) => line.startsWith('first')).length).toBe(999);
    expect(taken.filter((line) => !line.startsWith('first') && line !== 'exited')).toEqual(['between', 'second']);
    stop();
  });

  test('what a program says before the news of its start counts', async () => {
    const { engine, id, at, create, follow, turn, stop } = scene();
    const lines = follow(0);
    expect(await take(lines, 1)).toEqual(['containers']);
    await create();
    at(1005);
    engine.writeLog(id, 'stdout', 'early');
    at(1006);
    await engine.containers.start(id);
    await turn();
    engine.writeLog(id, 'stdout', 'late');
    expect(await take(lines, 2)).toEqual(['early', 'late']);
    stop();
  });

  test('with a tail of 0 nothing from before is told when a container starts again', async () => {
    const { engine, id, at, create, follow, turn, stop } = scene();
    await create();
    await engine.containers.start(id);
    engine.writeLog(id, 'stdout', 'old');
    engine.exit(id, 0);
    at(2000);
    const lines = follow(0);
    expect(await take(lines, 1)).toEqual(['containers']);
    await turn();
    at(3000);
    await engine.containers.start(id);
    engine.writeLog(id, 'stdout', 'new');
    expect(await take(lines, 1)).toEqual(['new']);
    stop();
  });
});
