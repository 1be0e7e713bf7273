import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { refreshHost } from '../../src/daemon/refresh-host.ts';
import type { NodeObject } from '../../src/model/objects.ts';

function scene(known: readonly string[], now: readonly string[]): { readonly ended: () => boolean; readonly commit: (subnets: readonly string[]) => Promise<void>; readonly late: () => Promise<void>; readonly listeners: () => number } {
  const listeners = new Set<() => void>();
  const timers: (() => void)[] = [];
  let [subnets, isEnded] = [known, false];
  const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => undefined, after: (_ms, fn) => (timers.push(fn), () => undefined) };
  const queries = {
    // NOTE: of a node only these are asked for.
    node: () => ({ hostSubnets: subnets }) as NodeObject,
    onCommit: (listener: () => void) => (listeners.add(listener), () => void listeners.delete(listener)),
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  void refreshHost({ agent: { refreshHost: async () => now }, queries, clock, nodeId: 'n' }).then(() => (isEnded = true));
  return {
    ended: () => isEnded, listeners: () => listeners.size,
    commit: async (next) => {
      await turn();
      subnets = next;
      for (const listener of [...listeners]) listener();
      await turn();
    },
    late: async () => {
      await turn();
      for (const timer of timers) timer();
      await turn();
    },
  };
}

describe('before a deployment', () => {
  test('nothing is waited for where nothing is new', async () => {
    const one = scene(['10.0.0.0/8'], ['10.0.0.0/8']);
    await new Promise((resolve) => setImmediate(resolve));
    expect([one.ended(), one.listeners()]).toEqual([true, 0]);
  });

  test('what is new is waited for until it is committed, and other commits are not taken for it', async () => {
    const one = scene([], ['10.8.0.0/24']);
    await one.commit([]);
    expect(one.ended()).toBe(false);
    await one.commit(['10.8.0.0/24']);
    expect([one.ended(), one.listeners()]).toEqual([true, 0]);
  });

  test('a manager that does not write is not waited for without end', async () => {
    const one = scene([], ['10.8.0.0/24']);
    await one.late();
    expect([one.ended(), one.listeners()]).toEqual([true, 0]);
  });
});
