/** The thread that serves it now: the one of this life of the member. */
type Served = { readonly isIdle: () => boolean; readonly kick: () => void };

/** How fast one thread of a member is. It outlives the thread: a member that starts anew finds the same disk. */
export class Lane {
  #served: Served = { isIdle: () => true, kick: () => undefined };
  #heldJobs = 0;
  #delayMs: () => number = () => 0;

  serve(served: Served): void {
    this.#served = served;
  }

  get isIdle(): boolean {
    return this.#served.isIdle();
  }

  get isHeld(): boolean {
    return this.#heldJobs > 0;
  }

  delayMs(): number {
    return this.#delayMs();
  }

  /** Each job takes so much longer. */
  slow(delayMs: () => number): void {
    this.#delayMs = delayMs;
  }

  /** Nothing is done until so many jobs wait, or `release`; then all at once. */
  hold(jobs: number): void {
    this.#heldJobs = jobs;
  }

  queued(count: number): void {
    if (this.#heldJobs > 0 && count >= this.#heldJobs) this.#heldJobs = 0;
  }

  release(): void {
    this.#heldJobs = 0;
    this.#served.kick();
  }

  calm(): void {
    this.#delayMs = () => 0;
    this.release();
  }
}
