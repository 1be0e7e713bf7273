import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';

/** Node's timers take no more: what is longer ends at once. */
const timerMsMax = 2 ** 31 - 1;

/** The clock of the machine. */
export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    let leftMs = ms;
    do {
      const stepMs = Math.min(leftMs, timerMsMax);
      leftMs -= stepMs;
      await sleepFor(stepMs, undefined, signal === undefined ? {} : { signal });
    } while (leftMs > 0);
  },
  after: (ms, fn, isBackground = false) => {
    let leftMs = ms;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(leftMs, timerMsMax);
      leftMs -= stepMs;
      timer = setTimeout(() => (leftMs > 0 ? arm() : fn()), stepMs);
      if (isBackground) timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};
