import type { Net } from '../net/net.ts';
import type { NodeNetworkState } from '../model/node-network.ts';

/**
 * Keeps the node's network equal to the wish. Whoever needs it applied waits for the next application that begins after the
 * request; requests that come while one is under way share the one after it, so ten containers cost two applications.
 */
export class NodeNetwork {
  readonly #net: Net;
  readonly #wish: () => NodeNetworkState;
  #running: Promise<void> | null = null;
  #queued: Promise<void> | null = null;

  constructor(options: { readonly net: Net; readonly wish: () => NodeNetworkState }) {
    this.#net = options.net;
    this.#wish = options.wish;
  }

  sync(): Promise<void> {
    if (this.#queued !== null) return this.#queued;
    const before = this.#running ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#queued = null;
        this.#running = next;
        return this.#net.apply(this.#wish());
      });
    this.#queued = next;
    return next;
  }

  /** Resolves when nothing is under way. */
  async settle(): Promise<void> {
    while (this.#queued !== null || this.#running !== null) {
      const current = this.#queued ?? this.#running;
      await current?.catch(() => undefined);
      if (this.#queued === null) this.#running = null;
    }
  }
}
