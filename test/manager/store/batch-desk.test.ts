import { setImmediate as nextRound } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BatchDesk } from '../../../src/manager/store/batch-desk.ts';
import { at, facts, makeLogMemory, memoryBatchBytes, outcomes } from '../../../src/manager/store/log-memory.ts';
import { Patience } from '../../../src/manager/store/patience.ts';

/** The desk, and the thread's side of the memory in the hands of the test. */
function setUp(isEager: boolean) {
  const memory = makeLogMemory();
  const words = new Int32Array(memory.words);
  const times = new Float64Array(memory.words);
  const clock = { ms: 0 };
  const durable: number[] = [];
  const desk = new BatchDesk({ memory, isEager, monotonicMs: () => (clock.ms += 0.001), onDurable: (id) => void durable.push(id) });
  const raise = (outcome: number, syncMs = 0.1): void => {
    times[facts.syncMs] = syncMs;
    Atomics.store(words, at.outcome, outcome);
    Atomics.add(words, at.done, 1);
  };
  return { desk, durable, clock, words, raise, notify: () => Atomics.notify(words, at.done) };
}

const lone = { batch: Uint8Array.of(1, 2, 3), isLone: true, isBehindFrames: false, isAwaited: true };
/** Long enough for promises, for immediates and for what another thread would post. */
async function settle(): Promise<void> {
  for (let round = 0; round < 10; round += 1) await nextRound();
}

describe('a batch on the desk', () => {
  it('is durable when the thread says so, and never from within `put`', async () => {
    const { desk, durable, raise, notify } = setUp(false);
    expect(desk.put(1, lone)).toBe(true);
    raise(outcomes.durable);
    expect(durable).toEqual([]);
    await settle();
    expect(durable).toEqual([1]);
    desk.put(2, lone);
    await settle();
    expect(durable).toEqual([1]);
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([1, 2]);
  });

  it('is not made durable by a late notification of the batch before', async () => {
    const { desk, durable, raise, notify } = setUp(false);
    desk.put(1, lone);
    raise(outcomes.durable);
    await settle();
    desk.put(2, lone);
    await settle();
    notify();
    await settle();
    expect(durable).toEqual([1]);
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([1, 2]);
  });

  it('that nobody awaits is handed out when it is looked for, and not before', async () => {
    const { desk, durable, raise, notify } = setUp(false);
    desk.put(1, { ...lone, isAwaited: false });
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([]);
    desk.look();
    expect(durable).toEqual([1]);
    desk.look();
    expect(durable).toEqual([1]);
    expect(desk.put(2, lone)).toBe(true);
  });

  it('that was looked for too early comes by itself', async () => {
    const { desk, durable, raise, notify } = setUp(false);
    desk.put(1, { ...lone, isAwaited: false });
    desk.look();
    await settle();
    expect(durable).toEqual([]);
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([1]);
  });

  it('that is expected comes by itself, but not from within the call', async () => {
    const { desk, durable, raise, notify } = setUp(false);
    desk.put(1, { ...lone, isAwaited: false });
    raise(outcomes.durable);
    desk.expect();
    expect(durable).toEqual([]);
    await settle();
    expect(durable).toEqual([1]);
    desk.put(2, { ...lone, isAwaited: false });
    desk.expect();
    desk.look();
    await settle();
    expect(durable).toEqual([1]);
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([1, 2]);
  });

  it('taken before its own microtask ran leaves the next one alone', async () => {
    const { desk, durable, raise, notify } = setUp(false);
    desk.put(1, { ...lone, isAwaited: false, isBehindFrames: true });
    raise(outcomes.durable);
    desk.look();
    desk.put(2, { ...lone, isAwaited: false, isBehindFrames: true });
    await settle();
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([1]);
    desk.look();
    expect(durable).toEqual([1, 2]);
  });

  it('is refused while another is there, and when it is too large', async () => {
    const { desk, raise } = setUp(false);
    expect(desk.put(1, { ...lone, batch: new Uint8Array(memoryBatchBytes + 1) })).toBe(false);
    expect(desk.put(1, lone)).toBe(true);
    expect(desk.put(2, lone)).toBe(false);
    raise(outcomes.durable);
    await settle();
    expect(desk.put(2, lone)).toBe(true);
  });

  it('that failed is not durable', async () => {
    const { desk, durable, raise } = setUp(false);
    desk.put(1, lone);
    raise(outcomes.failed);
    await settle();
    expect(durable).toEqual([]);
    expect(desk.put(2, lone)).toBe(true);
  });

  it('of a row of lone ones is waited for awake, and one that comes late all the same by its notification', async () => {
    const { desk, durable, clock, words, raise, notify } = setUp(true);
    for (let id = 1; id <= 6; id += 1) {
      desk.put(id, lone);
      raise(outcomes.durable);
      await settle();
    }
    expect(Atomics.load(words, at.isEager)).toBe(1);
    desk.put(7, lone);
    await settle();
    expect(durable).toEqual([1, 2, 3, 4, 5, 6]);
    raise(outcomes.durable);
    notify();
    await settle();
    expect(durable).toEqual([1, 2, 3, 4, 5, 6, 7]);
    desk.put(8, { ...lone, isLone: false });
    expect(Atomics.load(words, at.isEager)).toBe(0);
    raise(outcomes.durable);
    await settle();
    clock.ms += 50;
    desk.put(9, lone);
    expect(Atomics.load(words, at.isEager)).toBe(0);
  });

  it('of a row keeps the event loop awake for the next one, for a moment', async () => {
    const { desk, durable, clock, raise } = setUp(true);
    const write = async (id: number): Promise<void> => {
      desk.put(id, lone);
      raise(outcomes.durable);
      while (durable.at(-1) !== id) await nextRound();
    };
    const looksAtClock = async (rounds: number): Promise<number> => {
      const before = clock.ms;
      for (let round = 0; round < rounds; round += 1) await nextRound();
      return Math.round((clock.ms - before) / 0.001);
    };
    await write(1);
    expect(await looksAtClock(20)).toBe(0);
    for (let id = 2; id <= 8; id += 1) await write(id);
    expect(await looksAtClock(20)).toBeGreaterThanOrEqual(19);
    expect(await looksAtClock(1000)).toBeLessThan(320);
    expect(await looksAtClock(20)).toBe(0);
  });
});

describe('patience', () => {
  /** Each look at the clock takes 0.01 ms. */
  function patient(): { readonly patience: Patience; readonly wait: (looksUntilOver: number) => string; readonly slices: () => number } {
    let nowMs = 0;
    let slices = 0;
    const patience = new Patience({ awakeMsMax: 0.3, monotonicMs: () => (nowMs += 0.01) });
    return {
      patience,
      slices: () => slices,
      wait: (looksUntilOver) => {
        if (!patience.begin()) return 'asleep';
        let looks = 0;
        for (slices = 1; ; slices += 1) {
          const found = patience.spend(() => (looks += 1) > looksUntilOver);
          if (found !== 'more') return found;
        }
      },
    };
  }

  it('is for short waits only', () => {
    const { patience, wait } = patient();
    expect(wait(0)).toBe('asleep');
    for (let i = 0; i < 5; i += 1) patience.took(0.1);
    expect(wait(1)).toBe('over');
    patience.took(20);
    expect(wait(0)).toBe('asleep');
  });

  it('lets others have their turn, and has an end', () => {
    const { patience, wait, slices } = patient();
    for (let i = 0; i < 5; i += 1) patience.took(0.1);
    expect(wait(Infinity)).toBe('vain');
    expect(slices()).toBeGreaterThanOrEqual(5);
    expect(slices()).toBeLessThanOrEqual(10);
  });

  it('has an end and rests too where each turn is somebody else\'s', () => {
    const { patience } = patient();
    for (let i = 0; i < 5; i += 1) patience.took(0.1);
    expect(patience.begin()).toBe(true);
    expect(patience.goOn()).toBe(true);
    let turns = 0;
    while (patience.goOn()) turns += 1;
    expect(turns).toBeLessThan(40);
    for (let count = 0; count < 4; count += 1) expect(patience.begin()).toBe(false);
    expect(patience.begin()).toBe(true);
  });

  it('rests after time spent in vain, each time twice as long, until it was of use again', () => {
    const { patience, wait } = patient();
    for (let i = 0; i < 5; i += 1) patience.took(0.1);
    const rests = (): number => {
      for (let count = 0; ; count += 1) if (wait(Infinity) === 'vain') return count;
    };
    expect([rests(), rests(), rests(), rests()]).toEqual([0, 4, 8, 16]);
    for (let count = 0; count < 32; count += 1) expect(wait(0)).toBe('asleep');
    expect(wait(0)).toBe('over');
    expect([rests(), rests()]).toEqual([0, 4]);
  });
});
