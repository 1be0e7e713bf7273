import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/app-error.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { decideHello } from '../../src/cluster/decide/report.ts';
import { decideStack } from '../../src/cluster/decide/stack.ts';
import { allOf } from '../../src/cluster/state/view.ts';
import { Planner } from '../../src/manager/planner.ts';
import { countingMakers, deployment, node, service } from '../cluster/world.ts';
import { memoryStore, type MemoryStore } from '../fakes/memory-store.ts';

type Scene = {
  readonly store: MemoryStore;
  readonly planner: Planner;
  /** Somebody else writes a service; the planner's `failures` next writes of what follows fail. */
  readonly wish: (projectName: string, failures: number, error?: AppError) => Promise<void>;
  readonly containers: () => string[];
  readonly turn: () => Promise<void>;
  /** Runs the one timer that waits, and answers how long it was. */
  readonly fire: () => Promise<number>;
  readonly waiting: () => number;
};

const full = new AppError({ code: 'MANAGER_STORE_FULL', message: 'no room' });

/** A planner over a store in memory, whose timers run only by hand. */
async function scene(): Promise<Scene> {
  const timers: { readonly ms: number; readonly fn: () => void; isDue: boolean }[] = [];
  const clock: Clock = {
    nowMs: () => 1000, monotonicMs: () => 0, sleep: () => new Promise(() => undefined),
    after: (ms, fn) => {
      const timer = { ms, fn, isDue: true };
      timers.push(timer);
      return () => void (timer.isDue = false);
    },
  };
  const store = memoryStore({ nowMs: clock.nowMs });
  const planner = new Planner({ store, clock, random: seededRandom(1), log: silentLog });
  const makers = countingMakers();
  const turn = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    await planner.settled();
  };
  const due = (): typeof timers => timers.filter((one) => one.isDue);
  await planner.submit((view) => ({ changes: decideHello(view, node), answer: null }));
  return {
    store, planner, turn,
    wish: async (projectName, failures, error = full) => {
      const unsubscribe = store.onCommit(() => {
        unsubscribe();
        store.failNext(failures, error);
      });
      await store.propose(decideStack(store.view(), deployment({ web: service() }, { name: projectName }), makers).changes);
      await turn();
    },
    containers: () => allOf(store.view(), 'task').map((task) => task.containerName).sort(),
    fire: async () => {
      const [timer] = due();
      if (timer === undefined) throw new Error('nothing is waited for');
      timer.isDue = false;
      timer.fn();
      await turn();
      return timer.ms;
    },
    waiting: () => due().length,
  };
}

describe('what follows from the state and can not be written', () => {
  test('is written later by itself, without a commit or a command in between', async () => {
    const one = await scene();
    await one.wish('shop', 1);
    expect(one.containers()).toEqual([]);
    await one.fire();
    expect(one.containers()).toEqual(['shop-web-1']);
    expect(one.waiting()).toBe(0);
  });

  test.for(['MANAGER_STORE_FULL', 'MANAGER_NO_LEADER', 'MANAGER_OUTCOME_UNKNOWN', 'MANAGER_NOT_LEADER'] as const)('whatever the reason was: %s', async (code) => {
    const one = await scene();
    await one.wish('shop', 1, new AppError({ code, message: 'no' }));
    await one.fire();
    expect(one.containers()).toEqual(['shop-web-1']);
  });

  test('is no storm while the store refuses: one write a wait, and the waits grow to half a minute', async () => {
    const one = await scene();
    for (const name of ['a', 'b', 'c']) {
      await one.wish(name, 1000);
      one.store.failNext(0, full);
    }
    const waits: number[] = [];
    for (let count = 0; count < 9; count += 1) {
      expect(one.waiting()).toBe(1);
      one.store.failNext(1000, full);
      const before = one.store.proposals();
      waits.push(await one.fire());
      expect(one.store.proposals() - before).toBe(1);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    one.store.failNext(0, full);
    await one.fire();
    expect(one.containers()).toEqual(['a-web-1', 'b-web-1', 'c-web-1']);
    // And the next trouble begins with a short wait again.
    await one.wish('d', 1);
    expect(await one.fire()).toBe(500);
  });

  test('is written at once when the store takes something else', async () => {
    const one = await scene();
    await one.wish('shop', 1);
    await one.planner.submit((view) => ({ changes: decideHello(view, { ...node, daemonVersion: '0.2.0' }), answer: null }));
    await one.turn();
    expect(one.containers()).toEqual(['shop-web-1']);
    expect(one.waiting()).toBe(0);
  });

  test('is not asked for again when the planner is closed', async () => {
    const one = await scene();
    await one.wish('shop', 1);
    expect(one.waiting()).toBe(1);
    await one.planner.close();
    expect(one.waiting()).toBe(0);
  });
});
