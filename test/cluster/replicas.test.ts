import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { decideScale } from '../../src/cluster/decide/commands.ts';
import { decideStack } from '../../src/cluster/decide/stack.ts';
import { lowerNetwork } from '../../src/cluster/lower/network.ts';
import { emptyView, allOf } from '../../src/cluster/state/view.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import type { Service } from '../../src/model/project.ts';
import { buildElements } from '../../src/net/element-rules.ts';
import { checkState } from '../../src/net/checked-state.ts';
import { kernelNames } from '../../src/net/link-names.ts';
import { countingMakers, deployment, node, service, World } from './world.ts';

const fixed = { target: 80, published: '8080' };

function refused(fields: Partial<Service>, scale?: number): string[] {
  const { diagnostics, changes, isRefused } = decideStack(emptyView(), deployment({ web: service(fields) }, scale === undefined ? {} : { options: { scale: { web: scale } } }), countingMakers());
  expect(changes.length > 0).toBe(!isRefused);
  return diagnostics.filter((one) => one.severity === 'error').map((one) => `${one.code} ${one.path ?? ''}`);
}

describe('more containers than a published port leads to', () => {
  test.for<[name: string, fields: Partial<Service>, scale: number | undefined, at: string[]]>([
    ['as many as it leads to', { ports: [fixed] }, 240, []],
    ['one more', { ports: [fixed] }, 241, ['CLUSTER_SCALE_REFUSED services.web.ports[0]']],
    ['one more, by the file', { ports: [{ target: 9 }, fixed], deploy: { replicas: 241, resources: {}, placement: {} } }, undefined, ['CLUSTER_SCALE_REFUSED services.web.ports[1]']],
    ['one more, by `scale`', { ports: [fixed], scale: 241 }, undefined, ['CLUSTER_SCALE_REFUSED services.web.ports[0]']],
    ['without a published port there is no such bound', {}, 241, []],
    ['nor where each has a port of its own', { ports: [{ target: 80, published: '9000-9999' }] }, 241, []],
    ['nor where any free port will do', { ports: [{ target: 80 }] }, 241, []],
    ['nor in the host\'s network, where nothing is led', { ports: [fixed], network_mode: 'host' }, 241, []],
    ['two targets of each container count twice', { ports: [fixed, { target: 81, published: '8080' }] }, 121, ['CLUSTER_SCALE_REFUSED services.web.ports[1]']],
    ['two addresses of one port are two ports', { ports: [{ ...fixed, host_ip: '127.0.0.1' }, { ...fixed, host_ip: '127.0.0.2' }] }, 240, []],
  ])('%s', ([, fields, scale, at]) => {
    expect(refused(fields, scale)).toEqual(at);
  });

  test('is refused by `scale`, too, and nothing changes', () => {
    const world = new World();
    world.up(deployment({ web: service({ ports: [fixed] }) }));
    expect(() => decideScale(world.view, { projectName: 'shop', replicas: { web: 241 } })).toThrow(/at most 240/);
    expect(decideScale(world.view, { projectName: 'shop', replicas: { web: 240 } })).toHaveLength(1);
  });

  test('as many as are allowed all get their share', () => {
    const world = new World();
    world.up(deployment({ web: service({ ports: [fixed] }) }, { options: { scale: { web: 240 } } }));
    const state = checkState(lowerNetwork(assignmentOf(world.view, node.nodeId), () => ({ isRunning: true, isHealthy: true })));
    const led = buildElements(state, kernelNames('x')).filter((one) => one.set === 'port_many4').map((one) => JSON.stringify(one.data, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
    expect(new Set(led).size).toBe(240);
    expect(allOf(world.view, 'task')).toHaveLength(240);
  });
});

describe('a number of containers that is none', () => {
  test.for([[-1], [1.5], [Number.NaN], [1e9], [limits.replicasMax + 1]])('%d is refused before anything is made', ([replicas]) => {
    expect(refused({}, replicas)).toEqual(['CLUSTER_SCALE_REFUSED services.web.scale']);
    expect(refused({ deploy: { replicas: replicas ?? 0, resources: {}, placement: {} } })).toEqual(['CLUSTER_SCALE_REFUSED services.web.deploy.replicas']);
  });

  test('none at all is one', () => {
    expect(refused({}, 0)).toEqual([]);
  });
});
