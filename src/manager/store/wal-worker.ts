import { randomBytes } from 'node:crypto';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { AppError } from '../../base/app-error.ts';
import { realDisk } from '../../os/disk.ts';
import { at, facts, outcomes } from './log-memory.ts';
import type { LogMemory } from './log-memory.ts';
import { Patience } from './patience.ts';
import { snapshotChunkBytes } from './snapshot-file.ts';
import { Storage } from './storage.ts';
import type { StorageJob } from './storage.ts';
import type { WorkerReply, WorkerSetup } from './worker-runner.ts';

/** The thread that writes the log (or snapshots, or a backup): its calls are synchronous, so nothing that keeps the process busy delays a sync. */
function main(setup: WorkerSetup): void {
  const port = parentPort;
  if (port === null) return;
  const reply = (message: WorkerReply, moved: ArrayBuffer[]): void => port.postMessage(message, moved);
  const storage = new Storage({ ...setup, disk: realDisk, randomBytes, monotonicMs: () => performance.now(), snapshotChunkBytes });
  try {
    // NOTE: opening snapshots removes half-made ones, so only their owner may.
    if (setup.role === 'bulk') storage.openSnapshots();
    reply({ kind: 'opened', ...(setup.role === 'log' ? storage.openLog() : { batches: [], notes: [], batchBytesMax: 0 }) }, []);
  } catch (error) {
    reply({ kind: 'failed', id: 0, ...fieldsOf(error) }, []);
    return;
  }
  /** False: that was the last. */
  const take = (message: Message): boolean => {
    if (message.job === null) {
      storage.close();
      reply({ kind: 'closed' }, []);
      port.close();
      return false;
    }
    try {
      reply({ kind: 'answer', id: message.id, answer: storage.perform(message.job) }, []);
    } catch (error) {
      reply({ kind: 'failed', id: message.id, ...fieldsOf(error) }, []);
    }
    return true;
  };
  if (setup.memory === null) port.on('message', take);
  else serveLog({ port, memory: setup.memory, take, storage, failed: (id, error) => reply({ kind: 'failed', id, ...fieldsOf(error) }, []) });
}

type Message = { readonly id: number; readonly job: StorageJob | null };
type LogService = {
  readonly port: MessagePort;
  readonly memory: LogMemory;
  readonly take: (message: Message) => boolean;
  readonly storage: Storage;
  readonly failed: (id: number, error: unknown) => void;
};

/** What the event loop needs from one lone write to the next. */
const awakeMsMax = 0.15;

/** Jobs in the order of their numbers, from the shared memory or from the port; asleep between them. It never goes back to an event loop. */
function serveLog(service: LogService): void {
  const words = new Int32Array(service.memory.words);
  const times = new Float64Array(service.memory.words);
  const bytes = new Uint8Array(service.memory.batch);
  const patience = new Patience({ awakeMsMax, monotonicMs: () => performance.now() });
  let endMs = performance.now();
  for (let next = 1; ; ) {
    const wake = Atomics.load(words, at.wake);
    if (Atomics.load(words, at.batch) === (next | 0)) {
      const id = next;
      next += 1;
      let outcome: number = outcomes.failed;
      patience.took(performance.now() - endMs);
      try {
        const answer = service.storage.append(bytes.subarray(0, Atomics.load(words, at.length)));
        times[facts.syncMs] = answer.syncMs;
        times[facts.segmentId] = answer.segmentId;
        outcome = outcomes.durable;
      } catch (error) {
        service.failed(id, error);
      }
      Atomics.store(words, at.outcome, outcome);
      Atomics.add(words, at.done, 1);
      Atomics.notify(words, at.done);
      endMs = performance.now();
      // NOTE: only in time that is spent awake: before it falls asleep this thread may hold the processor that the event loop is woken on.
      if (outcome === outcomes.durable && Atomics.load(words, at.isEager) === 1) service.storage.prepareAppend();
      continue;
    }
    const received: { readonly message: Message } | undefined = receiveMessageOnPort(service.port);
    if (received === undefined) {
      const isAwake = Atomics.load(words, at.isEager) === 1 && isWokenSoon(patience, () => Atomics.load(words, at.wake) !== wake);
      if (!isAwake) Atomics.wait(words, at.wake, wake);
    } else if (!service.take(received.message)) return;
    else next = received.message.id + 1;
  }
}

/** The thread has nobody else to give a turn. */
function isWokenSoon(patience: Patience, isOver: () => boolean): boolean {
  if (!patience.begin()) return false;
  let found = patience.spend(isOver);
  while (found === 'more') found = patience.spend(isOver);
  return found === 'over';
}

function fieldsOf(error: unknown): { readonly code: AppError['code']; readonly message: string; readonly hint: string | undefined } {
  if (error instanceof AppError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'BASE_INTERNAL', message: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error), hint: undefined };
}

const setup: WorkerSetup = workerData;
main(setup);
