import type { Net } from '../net/net.ts';
import type { NodeNetworkState } from '../model/node-network.ts';

/**
 * Keeps the node's network equal to the wish. Whoever needs it applied waits for the next application that begins after the
 * request; requests that come while one is under way share the one after it, so ten containers cost two applications. What nobody
 * waits for is applied when the turn of the loop is over, once for all of it.
 */
export class NodeNetwork {
  readonly #net: Net;
  readonly #wish: () => NodeNetworkState;
  #running: Promise<void> | null = null;
  #queued: Promise<void> | null = null;
  readonly #defer: (callback: () => void) => void;
  #isDeferred = false;
  /** The wish may be another than what was applied last, or that has failed. */
  #isStale = true;

  constructor(options: { readonly net: Net; readonly wish: () => NodeNetworkState; readonly defer: (callback: () => void) => void }) {
    this.#defer = options.defer;
    this.#net = options.net;
    this.#wish = options.wish;
  }

  /** The wish is another now; nobody waits for it. */
  changed(onError: (error: unknown) => void): void {
    this.#isStale = true;
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#defer(() => {
      this.#isDeferred = false;
      // Somebody may have waited for it meanwhile, and it is done.
      if (this.#isStale) this.sync().catch(onError);
    });
  }

  /** Resolves when what is wished now is in force: at once where it is. Rejects with what the application failed with. */
  ready(): Promise<void> {
    return this.#isStale || this.#running === null ? this.sync() : (this.#queued ?? this.#running);
  }

  sync(): Promise<void> {
    if (this.#queued !== null) return this.#queued;
    const before = this.#running ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#queued = null;
        this.#running = next;
        this.#isStale = false;
        return this.#net.apply(this.#wish()).catch((error: unknown) => {
          this.#isStale = true;
          throw error;
        });
      });
    this.#queued = next;
    return next;
  }

  /** Resolves when nothing is under way. */
  async settle(): Promise<void> {
    if (this.#isDeferred && this.#isStale) await this.sync().catch(() => undefined);
    while (this.#queued !== null || this.#running !== null) {
      const current = this.#queued ?? this.#running;
      await current?.catch(() => undefined);
      if (this.#queued === null) this.#running = null;
    }
  }
}
