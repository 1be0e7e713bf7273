import { Worker } from 'node:worker_threads';
import { AppError } from '../../base/app-error.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import { at, facts, makeLogMemory, memoryBatchBytes, outcomes } from './log-memory.ts';
import type { LogMemory } from './log-memory.ts';
import type { DataKeys } from './seal.ts';
import type { JobRunner, StorageAnswer, StorageJob } from './storage.ts';

export type WorkerSetup = {
  /** What the thread owns: the log; the snapshots; nothing, and it writes one backup. */
  readonly role: 'log' | 'bulk' | 'backup';
  readonly dir: string;
  readonly clusterId: string;
  readonly memberId: string;
  readonly segmentSizeBytes: number;
  readonly keys: DataKeys;
  /** Of the log's thread. */
  readonly memory: LogMemory | null;
};

export type WorkerReply =
  | { readonly kind: 'opened'; readonly batches: readonly Uint8Array[]; readonly notes: readonly string[]; readonly batchBytesMax: number }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: StorageAnswer }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined }
  | { readonly kind: 'closed' };

export type OpenedRunner = { readonly runner: JobRunner; readonly batches: readonly Uint8Array[]; readonly notes: readonly string[]; readonly batchBytesMax: number };

type Done = (error: AppError | null, answer: StorageAnswer) => void;

/** Starts a thread for the log, for snapshots or for a backup, and waits until it has recovered what is there. */
export function startWorker(options: Omit<WorkerSetup, 'memory'>, onDeath: (error: AppError) => void): Promise<OpenedRunner> {
  const memory = options.role === 'log' ? makeLogMemory() : null;
  const setup: WorkerSetup = { ...options, memory };
  const worker = new Worker(workerUrl(), { workerData: setup, name: `store-${setup.role}` });
  const waiting = new Map<number, Done>();
  const desk = memory === null ? null : new BatchDesk(memory, (id, answer) => take(waiting, id)?.(null, answer));
  let nextId = 1;
  let closed: (() => void) | undefined;
  let isEnded = false;
  const runner: JobRunner = {
    submit: (job, done) => {
      waiting.set(nextId, done);
      if (job.kind !== 'append' || desk?.put(nextId, job.batch) !== true) {
        worker.postMessage({ id: nextId, job }, movedOf(job));
        desk?.wake();
      }
      nextId += 1;
    },
    close: (done) => {
      closed = done;
      if (isEnded) done();
      else {
        worker.postMessage({ id: 0, job: null });
        desk?.wake();
      }
    },
  };
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const died = (error: AppError): void => {
      if (closed !== undefined) {
        if (isEnded) closed();
      }
      else if (isOpen) onDeath(error);
      else reject(error);
    };
    worker.on('message', (reply: WorkerReply) => {
      if (reply.kind === 'answer') take(waiting, reply.id)?.(null, reply.answer);
      else if (reply.kind === 'failed') {
        const error = new AppError({ code: reply.code, message: reply.message, hint: reply.hint });
        if (reply.id === 0) {
          void worker.terminate();
          reject(error);
        } else take(waiting, reply.id)?.(error, { kind: 'done' });
      } else if (reply.kind === 'opened') {
        isOpen = true;
        resolve({ runner, batches: reply.batches, notes: reply.notes, batchBytesMax: reply.batchBytesMax });
      }
    });
    worker.on('error', (cause) => died(new AppError({ code: 'BASE_INTERNAL', message: `the thread of the store stopped: ${String(cause)}`, cause })));
    worker.on('exit', () => {
      isEnded = true;
      died(new AppError({ code: 'BASE_INTERNAL', message: 'the thread of the store ended' }));
    });
  });
}

/** The event loop's side of the shared memory. */
class BatchDesk {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #facts: Float64Array<SharedArrayBuffer>;
  readonly #batch: Uint8Array<SharedArrayBuffer>;
  readonly #onDurable: (id: number, answer: StorageAnswer) => void;
  #id = 0;

  constructor(memory: LogMemory, onDurable: (id: number, answer: StorageAnswer) => void) {
    this.#words = new Int32Array(memory.words);
    this.#facts = new Float64Array(memory.words);
    this.#batch = new Uint8Array(memory.batch);
    this.#onDurable = onDurable;
  }

  /** False: one is there already, or this one is too large. */
  put(id: number, batch: Uint8Array): boolean {
    if (this.#id !== 0 || batch.length > memoryBatchBytes) return false;
    this.#id = id;
    this.#batch.set(batch);
    const done = Atomics.load(this.#words, at.done);
    Atomics.store(this.#words, at.length, batch.length);
    Atomics.store(this.#words, at.batch, id | 0);
    this.wake();
    const answered = Atomics.waitAsync(this.#words, at.done, done);
    // NOTE: never from within `put`: who submits does not expect the answer before it returns.
    if (answered.async) void answered.value.then(this.#take);
    else queueMicrotask(this.#take);
    return true;
  }

  wake(): void {
    Atomics.add(this.#words, at.wake, 1);
    Atomics.notify(this.#words, at.wake);
  }

  readonly #take = (): void => {
    const id = this.#id;
    this.#id = 0;
    // A failure comes as a message.
    if (Atomics.load(this.#words, at.outcome) !== outcomes.durable) return;
    this.#onDurable(id, { kind: 'appended', segmentId: this.#facts[facts.segmentId] ?? 0, syncMs: this.#facts[facts.syncMs] ?? 0 });
  };
}

/** The bytes of a batch move to the thread instead of being copied. */
function movedOf(job: StorageJob): ArrayBuffer[] {
  return job.kind === 'append' ? [job.batch.buffer] : [];
}

function take(waiting: Map<number, Done>, id: number): Done | undefined {
  const done = waiting.get(id);
  waiting.delete(id);
  return done;
}

/** The worker's file: TypeScript beside this one in the source tree, JavaScript beside the chunks in the bundle. */
function workerUrl(): URL {
  return import.meta.url.endsWith('.ts') ? new URL('./wal-worker.ts', import.meta.url) : new URL(import.meta.url.includes('/chunks/') ? '../wal-worker.js' : './wal-worker.js', import.meta.url);
}
