/** After time spent in vain, so many waits pass before the next try; twice as many each time. */
const pausesMin = 4;
const pausesMax = 1024;

/**
 * When to stay awake for what the other thread is about to do, instead of sleeping: to be woken takes 20 to 50 µs where the processor is halted
 * meanwhile, as in most virtual machines, and each write has two such waits. It is of use only where the wait is short, and where somebody else
 * wants the processor it is not; so it is bounded, and what was in vain is not soon tried again.
 */
export class Patience {
  /** From the last waits, of which each counts twice as much as the one before. */
  #expectedMs: number;
  readonly #awakeMsMax: number;
  readonly #monotonicMs: () => number;
  #pauses = 0;
  #pausesNext = pausesMin;

  constructor(awakeMsMax: number, monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#awakeMsMax = awakeMsMax;
    this.#expectedMs = awakeMsMax * 4;
  }

  /** Stays awake until it `isOver`, or for its time: then false, and also where it is not worth it. */
  wait(isOver: () => boolean): boolean {
    if (this.#expectedMs > this.#awakeMsMax) return false;
    if (this.#pauses > 0) {
      this.#pauses -= 1;
      return false;
    }
    const endMs = this.#monotonicMs() + this.#awakeMsMax;
    while (!isOver()) {
      if (this.#monotonicMs() < endMs) continue;
      this.#pauses = this.#pausesNext;
      this.#pausesNext = Math.min(pausesMax, this.#pausesNext * 2);
      return false;
    }
    this.#pausesNext = pausesMin;
    return true;
  }

  /** At the end of each wait, awake or asleep: how long it was. */
  took(ms: number): void {
    this.#expectedMs = (this.#expectedMs + Math.min(ms, this.#awakeMsMax * 4)) / 2;
  }
}
