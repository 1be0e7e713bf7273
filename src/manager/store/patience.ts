/** After time spent in vain, so many waits pass before the next try; twice as many each time. */
const pausesMin = 4;
const pausesMax = 1024;
/** So long nobody else gets his turn. */
const sliceMs = 0.03;

export type PatienceOptions = { /** So long it stays awake at most. */ readonly awakeMsMax: number; readonly monotonicMs: () => number };

/**
 * When to stay awake for what the other thread is about to do, instead of sleeping: to be woken takes 20 to 50 µs where the processor is halted
 * meanwhile, as in most virtual machines, and each write has two such waits. It is of use only where the wait is short, and where somebody else
 * wants the processor it is not; so it is bounded, and what was in vain is not soon tried again.
 */
export class Patience {
  readonly #options: PatienceOptions;
  /** From the last waits, of which each counts twice as much as the one before. */
  #expectedMs: number;
  #endMs = 0;
  #pauses = 0;
  #pausesNext = pausesMin;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#expectedMs = options.awakeMsMax * 4;
  }

  /** At the begin of a wait: false where it is not worth it. */
  begin(): boolean {
    if (this.#expectedMs > this.#options.awakeMsMax) return false;
    if (this.#pauses > 0) {
      this.#pauses -= 1;
      return false;
    }
    this.#endMs = this.#options.monotonicMs() + this.#options.awakeMsMax;
    return true;
  }

  /** Stays awake for a moment: `more` where it may be tried again, after others had their turn; `vain` where the time is over. */
  spend(isOver: () => boolean): 'over' | 'more' | 'vain' {
    const { monotonicMs } = this.#options;
    let nowMs = monotonicMs();
    const sliceEndMs = nowMs + sliceMs;
    while (!isOver()) {
      if (this.#isVain(nowMs)) return 'vain';
      if (nowMs >= sliceEndMs) return 'more';
      nowMs = monotonicMs();
    }
    this.paid();
    return 'over';
  }

  /** The same where only others can bring what is waited for: true as long as they may have another turn. */
  goOn(): boolean {
    return !this.#isVain(this.#options.monotonicMs());
  }

  #isVain(nowMs: number): boolean {
    if (nowMs < this.#endMs) return false;
    this.#pauses = this.#pausesNext;
    this.#pausesNext = Math.min(pausesMax, this.#pausesNext * 2);
    return true;
  }

  /** What was waited for awake came. */
  paid(): void {
    this.#pausesNext = pausesMin;
  }

  /** At the end of each wait, awake or asleep: how long it was. */
  took(ms: number): void {
    this.#expectedMs = (this.#expectedMs + Math.min(ms, this.#options.awakeMsMax * 4)) / 2;
  }
}
