import { describe, expect, test } from 'vitest';
import { freshMemory, nextStep, type StepInput } from '../../src/agent/step.ts';
import type { ContainerInfo, ContainerState } from '../../src/model/container.ts';

function container(state: ContainerState): ContainerInfo {
  return {
    id: 'c', name: 'c', image: 'i', imageId: 'i', labels: {}, state, pid: null, createdMs: 0, startedMs: null, finishedMs: null,
    exitCode: null, oomKilled: false, health: 'none', healthLog: [], command: [],
  };
}

const base: StepInput = { desired: 'running', restartCount: 0, hasSpec: true, container: null, memory: freshMemory, isRejected: false, isRestartPending: false };
const ran = { ...freshMemory, fulfilled: 'running' as const };

describe('the next step of a task', () => {
  test.for<[name: string, input: Partial<StepInput>, step: string]>([
    ['a wished container that is not there is prepared', {}, 'prepare'],
    ['so it is ahead of its gate', { desired: 'prepared' }, 'prepare'],
    ['ahead of its gate a made container waits', { desired: 'prepared', container: container('created') }, 'idle'],
    ['a made container is started', { container: container('created') }, 'start'],
    ['a running one is left alone', { container: container('running'), memory: ran }, 'idle'],
    ['a running one that was adopted is left alone', { container: container('running') }, 'idle'],
    ['one that ended by itself is the policy’s', { container: container('exited'), memory: ran }, 'consider-restart'],
    ['while the policy waits nothing is done', { container: container('exited'), memory: ran, isRestartPending: true }, 'idle'],
    ['when the policy gave up nothing is done', { container: container('exited'), memory: { ...ran, hasGivenUp: true } }, 'idle'],
    ['a new wish to run starts an ended one, policy or not', { container: container('exited'), memory: { ...ran, fulfilled: 'stopped', hasGivenUp: true } }, 'start'],
    ['a restart that was asked for is made', { container: container('running'), memory: ran, restartCount: 1 }, 'restart'],
    ['a restart that was asked for starts an ended one', { container: container('exited'), memory: ran, restartCount: 1 }, 'start'],
    ['a restart of one that never ran is its start', { container: container('created'), restartCount: 3 }, 'start'],
    ['a stop stops', { desired: 'stopped', container: container('running'), memory: ran }, 'stop'],
    ['a stopped one stays as it is', { desired: 'stopped', container: container('exited'), memory: ran }, 'idle'],
    ['made but not to be started', { desired: 'stopped' }, 'prepare'],
    ['a removal stops first', { desired: 'removed', container: container('running') }, 'stop'],
    ['a paused one is stopped too', { desired: 'removed', container: container('paused') }, 'stop'],
    ['then removes', { desired: 'removed', container: container('exited') }, 'remove'],
    ['then forgets', { desired: 'removed' }, 'forget'],
    ['what failed is not tried again for the same wish', { isRejected: true }, 'idle'],
    ['what failed can be removed', { desired: 'removed', isRejected: true, container: container('created') }, 'remove'],
    ['a removal that failed waits for its next attempt', { desired: 'removed', isRejected: true, isRestartPending: true, container: container('running') }, 'idle'],
    ['without its definition nothing is made', { hasSpec: false }, 'idle'],
  ])('%s', ([, input, step]) => {
    expect(nextStep({ ...base, ...input }).kind).toBe(step);
  });
});
