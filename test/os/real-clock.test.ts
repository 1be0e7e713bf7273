import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { realClock } from '../../src/os/real-clock.ts';

// Node ends a timer of more than 2^31 - 1 ms (25 days) after one: an interval of 1000h kept a processor busy.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const day = 24 * 3600 * 1000;
test.for([10, 25 * day, 60 * day])('%d ms are waited for whole', async (ms) => {
  let calls = 0;
  realClock.after(ms, () => (calls += 1));
  await vi.advanceTimersByTimeAsync(ms - 1);
  expect(calls).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(calls).toBe(1);
});

test('a long wait can be taken back at any time', async () => {
  let calls = 0;
  const cancel = realClock.after(60 * day, () => (calls += 1));
  await vi.advanceTimersByTimeAsync(50 * day);
  cancel();
  await vi.advanceTimersByTimeAsync(50 * day);
  expect(calls).toBe(0);
});

test('beyond all time means never', async () => {
  let calls = 0;
  const cancel = realClock.after(1e24, () => (calls += 1));
  await vi.advanceTimersByTimeAsync(200 * day);
  expect(calls).toBe(0);
  cancel();
});
