/** Time as a value that can be injected. `nowMs` is wall-clock; `monotonicMs` never goes back. */
export type Clock = {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Calls `fn` once after `ms`; the answer cancels. The timer does not keep the process alive when `isBackground`. */
  readonly after: (ms: number, fn: () => void, isBackground?: boolean) => () => void;
};
