import { at, facts, memoryBatchBytes, outcomes } from './log-memory.ts';
import type { LogMemory } from './log-memory.ts';
import { Patience } from './patience.ts';
import type { StorageAnswer, StorageJob } from './storage.ts';

export type BatchDeskOptions = {
  readonly memory: LogMemory;
  readonly onDurable: (id: number, answer: StorageAnswer) => void;
  /** The event loop may stay awake for an answer that is about to come. */
  readonly isEager: boolean;
  readonly monotonicMs: () => number;
};

/** A few times what a fast disk takes, and nothing beside a tick. */
const awakeMsMax = 0.3;
/** A write that comes so soon after the one before is one of a row. */
const followsMs = 1;

/** Whether the event loop waits for the answer: it is about to; not before it is asked to (`look`, `expect`); it does. */
type Waiting = 'due' | 'unasked' | 'begun';

/** The event loop's side of the shared memory. */
export class BatchDesk {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #facts: Float64Array<SharedArrayBuffer>;
  readonly #batch: Uint8Array<SharedArrayBuffer>;
  readonly #options: BatchDeskOptions;
  readonly #patience: Patience;
  readonly #untilNext: Patience;
  #id = 0;
  /** `done` before the batch that is there now. */
  #doneBefore = 0;
  #waiting: Waiting = 'begun';
  #isEager = false;
  #isNotified = false;
  #isLingering = false;
  #takenMs = -Infinity;

  constructor(options: BatchDeskOptions) {
    const { memory } = options;
    this.#words = new Int32Array(memory.words);
    this.#facts = new Float64Array(memory.words);
    this.#batch = new Uint8Array(memory.batch);
    this.#options = options;
    this.#patience = new Patience({ awakeMsMax, monotonicMs: options.monotonicMs });
    this.#untilNext = new Patience({ awakeMsMax, monotonicMs: options.monotonicMs });
  }

  /** False: one is there already, or this one is too large. */
  put(id: number, { batch, isLone, isBehindFrames, isAwaited }: Omit<Extract<StorageJob, { readonly kind: 'append' }>, 'kind'>): boolean {
    if (this.#id !== 0 || batch.length > memoryBatchBytes) return false;
    this.#id = id;
    this.#waiting = isAwaited ? 'due' : 'unasked';
    if (this.#options.isEager) this.#another();
    this.#isEager = isLone && isAwaited && this.#options.isEager && this.#options.monotonicMs() - this.#takenMs < followsMs;
    this.#batch.set(batch);
    this.#doneBefore = Atomics.load(this.#words, at.done);
    Atomics.store(this.#words, at.length, batch.length);
    Atomics.store(this.#words, at.isEager, this.#isEager ? 1 : 0);
    Atomics.store(this.#words, at.batch, id | 0);
    Atomics.add(this.#words, at.wake, 1);
    // NOTE: a thread that is woken may take this one's processor at once.
    this.#isNotified = !isBehindFrames;
    if (this.#isNotified) Atomics.notify(this.#words, at.wake);
    // NOTE: who submits does not expect the answer before this returns.
    queueMicrotask(this.#begin);
    return true;
  }

  look(): void {
    if (this.#id === 0 || this.#waiting !== 'unasked') return;
    this.#waiting = 'begun';
    if (this.#isDone) this.#take();
    else this.#await();
  }

  expect(): void {
    if (this.#id === 0 || this.#waiting !== 'unasked') return;
    this.#waiting = 'begun';
    queueMicrotask(this.#await);
  }

  wake(): void {
    Atomics.add(this.#words, at.wake, 1);
    Atomics.notify(this.#words, at.wake);
  }

  get #isDone(): boolean {
    return Atomics.load(this.#words, at.done) !== this.#doneBefore;
  }

  readonly #begin = (): void => {
    if (!this.#isNotified) Atomics.notify(this.#words, at.wake);
    // NOTE: another batch may lie here by now, whose own call of this is to come.
    if (this.#waiting !== 'due') return;
    this.#waiting = 'begun';
    if (this.#isEager && this.#patience.begin()) setImmediate(this.#stayAwake);
    else this.#await();
  };

  /** NOTE: in a round of the event loop of its own, again and again: the sockets are read between. */
  readonly #stayAwake = (): void => {
    const found = this.#patience.spend(() => this.#isDone);
    if (found === 'over') this.#take();
    else if (found === 'more') setImmediate(this.#stayAwake);
    else this.#await();
  };

  readonly #await = (): void => {
    const answered = Atomics.waitAsync(this.#words, at.done, this.#doneBefore);
    if (answered.async) void answered.value.then(this.#look);
    else this.#take();
  };

  /** NOTE: the thread raises `done` first and notifies then; a notification may be of the batch before, whose answer was seen in between. */
  readonly #look = (): void => {
    if (this.#isDone) this.#take();
    else this.#await();
  };

  #take(): void {
    const id = this.#id;
    this.#id = 0;
    const syncMs = this.#facts[facts.syncMs] ?? 0;
    this.#patience.took(syncMs);
    this.#takenMs = this.#options.monotonicMs();
    // A failure comes as a message.
    if (Atomics.load(this.#words, at.outcome) !== outcomes.durable) return;
    this.#options.onDurable(id, { kind: 'appended', segmentId: this.#facts[facts.segmentId] ?? 0, syncMs });
    this.#isLingering = this.#isEager && this.#id === 0 && this.#untilNext.begin();
    if (this.#isLingering) setImmediate(this.#linger);
  }

  /** Whoever was answered may write again at once: rounds of the event loop, in each of which the sockets are read. */
  readonly #linger = (): void => {
    if (!this.#isLingering) return;
    this.#isLingering = this.#untilNext.goOn();
    if (this.#isLingering) setImmediate(this.#linger);
  };

  #another(): void {
    this.#untilNext.took(this.#options.monotonicMs() - this.#takenMs);
    if (this.#isLingering) this.#untilNext.paid();
    this.#isLingering = false;
  }
}
