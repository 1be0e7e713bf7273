import { Worker } from 'node:worker_threads';
import { AppError } from '../../base/app-error.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import { BatchDesk } from './batch-desk.ts';
import { makeLogMemory } from './log-memory.ts';
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

/** Starts a thread for the log, for snapshots or for a backup, and waits until it has recovered what is there. `isEager`: see BatchDesk. */
export function startWorker(options: Omit<WorkerSetup, 'memory'> & { readonly isEager?: boolean }, onDeath: (error: AppError) => void): Promise<OpenedRunner> {
  const memory = options.role === 'log' ? makeLogMemory() : null;
  const { isEager = false, ...rest } = options;
  const setup: WorkerSetup = { ...rest, memory };
  const worker = new Worker(workerUrl(), { workerData: setup, name: `store-${setup.role}` });
  const waiting = new Map<number, Done>();
  const desk = memory === null ? null : new BatchDesk({ memory, isEager, monotonicMs: () => performance.now(), onDurable: (id, answer) => take(waiting, id)?.(null, answer) });
  let nextId = 1;
  let closed: (() => void) | undefined;
  let isEnded = false;
  const runner: JobRunner = {
    submit: (job, done) => {
      if (isEnded) {
        setImmediate(() => done(ended(), { kind: 'done' }));
        return;
      }
      waiting.set(nextId, done);
      if (job.kind !== 'append' || desk?.put(nextId, job) !== true) {
        worker.postMessage({ id: nextId, job }, movedOf(job));
        desk?.wake();
      }
      nextId += 1;
    },
    look: () => desk?.look(),
    expect: () => desk?.expect(),
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
      // NOTE: what was asked of it after it was told to end, as by a change of keys, would wait for ever.
      for (const id of [...waiting.keys()]) take(waiting, id)?.(ended(), { kind: 'done' });
    });
  });
}

function ended(): AppError {
  return new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' });
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
