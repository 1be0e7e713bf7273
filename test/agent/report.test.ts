import { expect, test } from 'vitest';
import { Reporter } from '../../src/agent/report.ts';
import type { TaskState, TaskStatus } from '../../src/model/objects.ts';
import type { AgentMessage } from '../../src/wire/session.ts';

function status(state: TaskState): TaskStatus {
  return { state, desired: 'running', health: 'none', exitCode: null, startedMs: null, finishedMs: null, oomKilled: false, restarts: 0, restartCountDone: 0, error: null };
}

function reporter(): { reporter: Reporter; sent: AgentMessage[]; turn: () => void } {
  const sent: AgentMessage[] = [];
  const deferred: (() => void)[] = [];
  const session = { send: (message: AgentMessage) => void sent.push(message), onMessage: () => undefined, onClose: () => undefined, close: () => undefined };
  const made = new Reporter({ session, nodeId: 'n', defer: (callback) => void deferred.push(callback) });
  made.open();
  return {
    reporter: made,
    sent,
    turn: () => deferred.splice(0).forEach((callback) => callback()),
  };
}

test('what changes in one turn of the loop is one message, the last state of each task', () => {
  const { reporter: one, sent, turn } = reporter();
  one.tell('b', status('preparing'));
  one.tell('a', status('starting'));
  one.tell('a', status('running'));
  turn();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({ report: { tasks: [{ taskId: 'a', status: { state: 'running' } }, { taskId: 'b' }] } });
});

test('what is told again unchanged is not sent', () => {
  const { reporter: one, sent, turn } = reporter();
  one.tell('a', status('running'));
  turn();
  one.tell('a', status('running'));
  turn();
  expect(sent).toHaveLength(1);
});

test('a task that is forgotten in the same turn still has its last word sent', () => {
  const { reporter: one, sent, turn } = reporter();
  one.tell('a', status('removed'));
  one.forget('a');
  turn();
  expect(sent[0]).toMatchObject({ report: { tasks: [{ taskId: 'a', status: { state: 'removed' } }] } });
  one.tellAll();
  turn();
  expect(sent).toHaveLength(1);
});

test('what is told before the node has introduced itself is sent after it', () => {
  const sent: AgentMessage[] = [];
  const deferred: (() => void)[] = [];
  const one = new Reporter({ session: { send: (message) => void sent.push(message), onMessage: () => undefined, onClose: () => undefined, close: () => undefined }, nodeId: 'n', defer: (callback) => void deferred.push(callback) });
  one.tell('a', status('running'));
  one.tellVolumeRemoved('v');
  deferred.splice(0).forEach((callback) => callback());
  expect(sent).toEqual([]);
  one.open();
  deferred.splice(0).forEach((callback) => callback());
  expect(sent).toMatchObject([{ report: { tasks: [{ taskId: 'a' }], removedVolumes: ['v'] } }]);
});

test('what the host has come to reach goes out once, with what else there is to tell', () => {
  const { reporter: one, sent, turn } = reporter();
  one.tell('a', status('running'));
  one.tellHostSubnets(['10.8.0.0/24']);
  turn();
  one.tell('a', status('exited'));
  turn();
  expect(sent).toHaveLength(2);
  expect(sent[0]).toMatchObject({ report: { tasks: [{ taskId: 'a' }], hostSubnets: ['10.8.0.0/24'] } });
  expect(JSON.stringify(sent[1])).not.toContain('hostSubnets');
});
