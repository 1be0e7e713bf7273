/**
 * One piece of work for everyone who asks for the same key while it runs. Each may leave by its own signal;
 * when the last has left, the work is told to stop.
 */
export class SharedWork<T, P> {
  readonly #running = new Map<string, { readonly promise: Promise<T>; readonly stop: AbortController; readonly listeners: Set<(progress: P) => void>; waiters: number }>();

  async run(key: string, options: { readonly signal: AbortSignal | undefined; readonly onProgress: (progress: P) => void; readonly work: (signal: AbortSignal, onProgress: (progress: P) => void) => Promise<T> }): Promise<T> {
    options.signal?.throwIfAborted();
    const known = this.#running.get(key);
    const one = known !== undefined && !known.stop.signal.aborted ? known : this.#start(key, options.work);
    one.waiters += 1;
    one.listeners.add(options.onProgress);
    try {
      return await leaveOnAbort(one.promise, options.signal);
    } finally {
      one.listeners.delete(options.onProgress);
      one.waiters -= 1;
      if (one.waiters === 0) one.stop.abort(new DOMException('nobody waits for it any more', 'AbortError'));
    }
  }

  /** Stops all that runs and waits until it has. */
  async close(): Promise<void> {
    const all = [...this.#running.values()];
    for (const one of all) one.stop.abort(new DOMException('the work is closed', 'AbortError'));
    await Promise.allSettled(all.map((one) => one.promise));
  }

  #start(key: string, work: (signal: AbortSignal, onProgress: (progress: P) => void) => Promise<T>): { readonly promise: Promise<T>; readonly stop: AbortController; readonly listeners: Set<(progress: P) => void>; waiters: number } {
    const stop = new AbortController();
    const listeners = new Set<(progress: P) => void>();
    // It begins a step later, when who asked for it listens.
    const promise = Promise.resolve().then(() =>
      work(stop.signal, (progress) => {
        for (const listener of listeners) listener(progress);
      }),
    );
    const one = { promise, stop, listeners, waiters: 0 };
    this.#running.set(key, one);
    const forget = (): void => {
      if (this.#running.get(key) === one) this.#running.delete(key);
    };
    promise.then(forget, forget);
    return one;
  }
}

/** The promise's answer, or at once the signal's reason. */
export async function leaveOnAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let onAbort = (): void => undefined;
  const left = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
