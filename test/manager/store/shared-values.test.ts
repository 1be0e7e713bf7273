import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedValues } from '../../../src/manager/store/shared-values.ts';
import type { TaskObject } from '../../../src/model/objects.ts';
import { runningTasks } from '../../bench/store/many-tasks.ts';

const task = runningTasks(100);
const copyOf = (one: TaskObject): TaskObject => JSON.parse(JSON.stringify(one));

test('tasks of one service share what is equal in them, and only that', () => {
  const shared = new SharedValues();
  const first = shared.share(copyOf(task(3)));
  const second = shared.share(copyOf(task(13)));
  expect(second).toEqual(JSON.parse(JSON.stringify(task(13))));
  expect(first).toEqual(JSON.parse(JSON.stringify(task(3))));
  if (first.kind !== 'task' || second.kind !== 'task') throw new Error('a task stays a task');
  expect(second.ports).toBe(first.ports);
  expect(second.inheritedIps).toBe(first.inheritedIps);
  const other = shared.share(copyOf(task(4)));
  if (other.kind !== 'task') throw new Error('a task stays a task');
  expect(other.ports).not.toBe(first.ports);
});

test('whatever differs between two tasks, each keeps its own', () => {
  const part = fc.jsonValue({ maxDepth: 3 });
  fc.assert(fc.property(fc.array(fc.tuple(part, part, part), { minLength: 2, maxLength: 6 }), (parts) => {
    const shared = new SharedValues();
    // NOTE: the values of the fields do not matter to what shares them.
    const objects = parts.map(([status, ports, attachments]) => ({ ...copyOf(task(3)), status, ports, attachments }) as unknown as TaskObject);
    const before = objects.map((one) => JSON.stringify(one));
    const after = objects.map((one) => shared.share(one));
    expect(after.map((one) => JSON.stringify(one))).toEqual(before);
  }));
});
