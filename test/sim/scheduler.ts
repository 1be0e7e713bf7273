/** A virtual clock with its queue of events: a binary heap by time, then by order of entry. */
export class Scheduler {
  #nowMs = 0;
  #sequence = 0;
  readonly #heap: Event[] = [];
  #hash = 0;
  eventCount = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Of the times and the order of all events so far. */
  get fingerprint(): string {
    return `${this.eventCount.toString(16)}.${(this.#hash >>> 0).toString(16).padStart(8, '0')}`;
  }

  at(timeMs: number, run: () => void): Event {
    this.#sequence += 1;
    const event: Event = { timeMs: Math.max(timeMs, this.#nowMs), sequence: this.#sequence, run };
    this.#push(event);
    return event;
  }

  after(delayMs: number, run: () => void): Event {
    return this.at(this.#nowMs + delayMs, run);
  }

  cancel(event: Event): void {
    event.run = null;
  }

  /** Runs the next event; false when there is none before `untilMs`. */
  step(untilMs: number): boolean {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.timeMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      if (first.run === null) continue;
      this.#nowMs = first.timeMs;
      this.eventCount += 1;
      this.#hash = Math.imul(this.#hash ^ first.sequence ^ Math.floor(first.timeMs * 1000), 0x01000193) + 1;
      first.run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, left)) child += 1;
      const smaller = heap[child];
      if (smaller === undefined || isBefore(last, smaller)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
  }
}

export type Event = { readonly timeMs: number; readonly sequence: number; run: (() => void) | null };

function isBefore(a: Event, b: Event): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence);
}
