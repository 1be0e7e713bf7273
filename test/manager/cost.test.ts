import { expect, test } from 'vitest';
import { decideReport } from '../../src/cluster/decide/report.ts';
import { allOf } from '../../src/cluster/state/view.ts';
import { deployment, service, World } from '../cluster/world.ts';
import { cpuMs } from '../cpu-time.ts';

function up(count: number): number {
  const world = new World();
  const many = deployment(Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, service()])));
  const ms = cpuMs(() => {
    world.up(many);
    world.settle();
  });
  expect(allOf(world.view, 'task').filter((one) => one.status.state === 'running')).toHaveLength(count);
  return ms;
}

test('up of ten services costs less than 10 ms of deciding once the code is warm, and a hundred less than 20 times that', () => {
  for (let round = 0; round < 5; round += 1) up(10);
  const median = (count: number): number => Array.from({ length: 7 }, () => up(count)).sort((a, b) => a - b)[3] ?? Infinity;
  const ten = median(10);
  // NOTE: others may be at work on this machine, and take the processor's caches: three times the bar catches what grew.
  expect(ten).toBeLessThan(30);
  expect(median(100)).toBeLessThan(Math.max(ten, 3) * 30);
  if (process.env['SHOW_COST'] !== undefined) process.stdout.write(`ten ${ten.toFixed(2)} ms, hundred ${median(100).toFixed(2)} ms\n`);
});

test('a report about a task that is not there, or of another node, changes nothing', () => {
  const world = new World();
  world.up(deployment({ web: service() }));
  const [task] = allOf(world.view, 'task');
  const status = task?.status;
  if (task === undefined || status === undefined) throw new Error('no task');
  expect(decideReport(world.view, { nodeId: 'node1', tasks: [{ taskId: 'none', status }], removedVolumes: ['none'] })).toEqual([]);
  expect(decideReport(world.view, { nodeId: 'other', tasks: [{ taskId: task.id, status }], removedVolumes: [] })).toEqual([]);
});
