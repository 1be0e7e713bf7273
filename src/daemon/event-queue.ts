/**
 * Turns pushes into an async iteration. Bounded by its consumer: `push` answers a promise that resolves when there is room,
 * so that a producer of many lines waits for a slow reader instead of filling memory.
 */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #itemsMax: number;
  #wakeReader: (() => void) | null = null;
  #waiting: (() => void)[] = [];
  #end: { readonly error: unknown } | null = null;

  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax;
  }

  get isEnded(): boolean {
    return this.#end !== null;
  }

  push(item: T): Promise<void> {
    if (this.#end !== null) return Promise.resolve();
    this.#items.push(item);
    this.#wakeReader?.();
    if (this.#items.length < this.#itemsMax) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** What was pushed is still delivered; then the iteration ends, or throws. */
  end(error: unknown = null): void {
    this.#end ??= { error };
    this.#wakeReader?.();
    this.#releaseWriters();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        while (this.#items.length > 0) {
          const item = this.#items.shift();
          if (this.#items.length < this.#itemsMax) this.#releaseWriters();
          if (item !== undefined) yield item;
        }
        if (this.#end !== null) {
          if (this.#end.error !== null) throw this.#end.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
        this.#wakeReader = null;
      }
    } finally {
      this.end();
      this.#items.length = 0;
    }
  }

  #releaseWriters(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
