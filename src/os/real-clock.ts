import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';

/** The clock of the machine. */
export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, signal === undefined ? {} : { signal }),
  after: (ms, fn, isBackground = false) => {
    const timer = setTimeout(fn, ms);
    if (isBackground) timer.unref();
    return () => clearTimeout(timer);
  },
};
