import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../../base/app-error.ts';
import { realDisk } from '../../os/disk.ts';
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
  port.on('message', (message: { readonly id: number; readonly job: StorageJob | null }) => {
    if (message.job === null) {
      storage.close();
      reply({ kind: 'closed' }, []);
      port.close();
      return;
    }
    try {
      reply({ kind: 'answer', id: message.id, answer: storage.perform(message.job) }, []);
    } catch (error) {
      reply({ kind: 'failed', id: message.id, ...fieldsOf(error) }, []);
    }
  });
}

function fieldsOf(error: unknown): { readonly code: AppError['code']; readonly message: string; readonly hint: string | undefined } {
  if (error instanceof AppError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'BASE_INTERNAL', message: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error), hint: undefined };
}

const setup: WorkerSetup = workerData;
main(setup);
