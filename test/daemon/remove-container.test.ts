import { expect, test } from 'vitest';
import { containerRoutes } from '../../src/daemon/api/containers.ts';
import type { Queries } from '../../src/manager/queries.ts';
import type { ObjectError, TaskObject } from '../../src/model/objects.ts';
import { plainSpec } from '../engine/plain-spec.ts';
import { fakeEngine } from '../fakes/fake-engine.ts';

type Told = { readonly state?: 'removed'; readonly desired: 'running' | 'removed'; readonly error: ObjectError | null };

const trouble: ObjectError = { code: 'AGENT_STEP_FAILED', message: 'web-1: remove failed: EPERM', hint: null };

/** A removal under way, and what the agent tells of it. */
async function scene(first: Told): Promise<{ readonly answer: Promise<unknown>; readonly tell: (told: Told) => void; readonly remove: () => Promise<void>; readonly leave: () => void; readonly listeners: () => number }> {
  const engine = fakeEngine({ clock: { nowMs: () => 0 } });
  engine.addImage('busybox');
  await engine.containers.create('c'.repeat(64), plainSpec({ name: 'web-1' }));
  const listeners = new Set<() => void>();
  let told = first;
  // NOTE: of a task only these are asked for.
  const task = (): TaskObject => ({ id: 't', serviceId: 's', slot: 1, containerId: 'c'.repeat(64), projectName: 'shop', serviceName: 'web', status: told }) as unknown as TaskObject;
  const queries = { tasks: () => [task()], task, service: () => null, onCommit: (listener: () => void) => (listeners.add(listener), () => void listeners.delete(listener)) } as unknown as Queries;
  const left = new AbortController();
  const route = containerRoutes({ engine, queries, ports: () => [], removeTask: async () => undefined }).find((one) => one.method === 'DELETE');
  if (route === undefined) throw new Error('there is no route to remove a container');
  const answer = route.handle({ params: { name: 'web-1' }, query: new URLSearchParams('force=1'), body: undefined, signal: left.signal });
  answer.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  return {
    answer, leave: () => left.abort(), listeners: () => listeners.size,
    tell: (next) => {
      told = next;
      for (const listener of [...listeners]) listener();
    },
    remove: async () => await engine.containers.remove('c'.repeat(64), { force: true, volumes: false }),
  };
}

test('the answer comes once nothing is left of it, whatever went wrong before', async () => {
  const one = await scene({ desired: 'running', error: trouble });
  expect(one.listeners()).toBe(1);
  await one.remove();
  expect(await one.answer).toEqual({ kind: 'json', value: { replacedBy: null } });
  expect(one.listeners()).toBe(0);
});

test('what can not be removed is said, and not waited for', async () => {
  const one = await scene({ desired: 'running', error: null });
  one.tell({ desired: 'removed', error: trouble });
  await expect(one.answer).rejects.toMatchObject({ code: 'AGENT_STEP_FAILED', message: trouble.message, hint: expect.stringContaining('tried again') });
  expect(one.listeners()).toBe(0);
});

test('a removal whose end nobody tells of is over with its task', async () => {
  const one = await scene({ desired: 'running', error: null });
  one.tell({ desired: 'removed', state: 'removed', error: null });
  expect(await one.answer).toEqual({ kind: 'json', value: { replacedBy: null } });
});

test('who goes away is not waited for', async () => {
  const one = await scene({ desired: 'running', error: null });
  one.leave();
  await one.answer;
  expect(one.listeners()).toBe(0);
});
