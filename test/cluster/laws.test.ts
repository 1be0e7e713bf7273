import { describe, expect, test } from 'vitest';
import { decideDown, decideRemove, decideRestart, decideScale, decideStart, decideStop } from '../../src/cluster/decide/commands.ts';
import { Draft } from '../../src/cluster/decide/draft.ts';
import { projectNames, settleAll } from '../../src/cluster/decide/settle.ts';
import { allOf, servicesOfProject } from '../../src/cluster/state/view.ts';
import type { Service } from '../../src/model/project.ts';
import { countingMakers, dependsOn, deployment, service, World } from './world.ts';
import { fc } from '../property.ts';

const names = ['a', 'b', 'c'] as const;
const conditions = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;

/** Each service may need those before it in the alphabet, so that no file has a circle. */
const services = fc.record({
  a: definition([]),
  b: definition(['a']),
  c: definition(['a', 'b']),
});

function definition(needs: readonly string[]): fc.Arbitrary<Service> {
  return fc.record({
    command: fc.constantFrom(null, ['x'], ['y']),
    scale: fc.constantFrom(1, 1, 2),
    restart: fc.constantFrom('no', 'always'),
    published: fc.constantFrom(undefined, '8000', '9000-9009'),
    networks: fc.subarray(['front', 'back'], { minLength: 1 }),
    needs: fc.subarray([...needs]),
    condition: fc.constantFrom(...conditions),
    isTied: fc.boolean(),
  }).map((one) => service({
    command: one.command, scale: one.scale, restart: one.restart,
    healthcheck: { test: ['CMD', 'true'] },
    networks: Object.fromEntries(one.networks.map((key) => [key, null])),
    ...(one.published === undefined ? {} : { ports: [{ target: 80, published: one.published, protocol: 'tcp' }] }),
    depends_on: dependsOn(Object.fromEntries(one.needs.map((name) => [name, one.condition])), { restart: one.isTied }),
  }));
}

const projectName = fc.constantFrom('p', 'q');
const some = fc.subarray([...names]);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('up' as const), projectName, services, forceRecreate: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('stop', 'start', 'restart', 'remove'), projectName, some }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('down' as const), projectName, removeVolumes: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('scale' as const), projectName, replicas: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('behave' as const), service: fc.constantFrom(...names), behaviour: fc.constantFrom({}, { health: 'healthy' as const }, { health: 'unhealthy' as const }, { exits: 0 }, { exits: 1 }, { rejects: true }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reboot' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('ticks' as const), count: fc.integer({ min: 1, max: 4 }), isLate: fc.boolean() }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(world: World, one: Step): void {
  switch (one.kind) {
    case 'up':
      world.up(deployment(one.services, { name: one.projectName, options: { forceRecreate: one.forceRecreate }, project: { networks: { front: { ipam: {} }, back: { ipam: {}, internal: true } } } }));
      return;
    case 'ticks':
      for (let count = 0; count < one.count; count += 1) world.tick(one.isLate);
      return;
    case 'behave':
      world.behaviours[one.service] = one.behaviour;
      return;
    case 'reboot':
      world.reboot();
      return;
    case 'down':
      world.decide((view) => decideDown(view, { projectName: one.projectName, services: [], stopGraceMs: null, removeVolumes: one.removeVolumes, removeOrphans: true, fileServices: null }));
      return;
    case 'scale':
      if (servicesOfProject(world.view, one.projectName).some((two) => two.name === 'a')) world.decide((view) => decideScale(view, { projectName: one.projectName, replicas: { a: one.replicas } }));
      return;
    default: {
      const known = servicesOfProject(world.view, one.projectName).filter((two) => two.desired !== 'removed').map((two) => two.name);
      const chosen = one.some.filter((name) => known.includes(name));
      if (chosen.length === 0) return;
      const options = { projectName: one.projectName, services: chosen, stopGraceMs: null };
      if (one.kind === 'stop') world.decide((view) => decideStop(view, options));
      else if (one.kind === 'start') world.decide((view) => decideStart(view, options).changes);
      else if (one.kind === 'restart') world.decide((view) => decideRestart(view, { ...options, withDependents: true }));
      else world.decide((view) => decideRemove(view, { ...options, isStopping: true, removeVolumes: false }).changes);
    }
  }
}

/** What holds at every moment. */
function checkAlways(world: World): void {
  const tasks = allOf(world.view, 'task');
  const addresses = tasks.flatMap((task) => task.attachments.map((one) => `${one.networkId} ${one.ip}`));
  expect(new Set(addresses).size, 'an address was given twice').toBe(addresses.length);
  const subnets = allOf(world.view, 'network').flatMap((one) => one.subnet ?? []);
  expect(new Set(subnets).size, 'a subnet was given twice').toBe(subnets.length);
  const held = new Map<string, string>();
  for (const task of tasks) {
    for (const port of task.ports) {
      const key = `${port.hostIp}:${port.hostPort}`;
      expect(held.get(key) ?? task.serviceId, 'a port belongs to two services').toBe(task.serviceId);
      held.set(key, task.serviceId);
    }
  }
  // A full pass finds nothing that the passes over what has changed have missed.
  const draft = new Draft(world.view, world.nowMs);
  settleAll(draft, projectNames(world.view), countingMakers());
  expect(draft.changes(), 'a second run has something to say').toEqual([]);
}

describe('whatever is asked for, in whatever order', () => {
  test('deciding comes to an end, nothing is given twice, a second run is silent, and the node ends as wished', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const world = new World();
        for (const name of names) world.behaviours[name] = { health: 'healthy' };
        for (const one of steps) {
          play(world, one);
          checkAlways(world);
        }
        // Faults stop: everything is healthy, and whoever was refused asks again.
        for (const name of names) world.behaviours[name] = { health: 'healthy' };
        world.settle();
        checkAlways(world);
        for (const project of ['p', 'q']) {
          for (const one of servicesOfProject(world.view, project)) {
            const tasks = allOf(world.view, 'task').filter((task) => task.serviceId === one.id);
            expect(one.desired, 'a service on its way out is stuck').not.toBe('removed');
            if (one.desired === 'stopped') expect(tasks.filter((task) => task.status.state === 'running'), 'a stopped service runs').toEqual([]);
            expect(tasks.filter((task) => task.desired === 'removed'), 'a task on its way out is stuck').toEqual([]);
          }
        }
        world.decide((view) => ['p', 'q'].flatMap((name) => decideDown(view, { projectName: name, services: [], stopGraceMs: null, removeVolumes: true, removeOrphans: true, fileServices: null })));
        world.settle();
        expect(world.bodies.size, 'containers are left over').toBe(0);
        for (const kind of ['task', 'service', 'network', 'project'] as const) expect(allOf(world.view, kind), 'objects are left over').toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
