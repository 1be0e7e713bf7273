/**
 * Memory that the log's thread and the event loop share, so that a batch goes over and its answer comes back without a message of a port:
 * those cost two copies, two system calls and a lock that both sides meet at. One batch at a time; what does not fit goes as a message.
 *
 *     int32  0 wake    grows when there is something to do: the thread sleeps on it
 *            1 batch   number of the job whose batch lies in `batch`
 *            2 length  of the batch
 *            3 done    grows when that batch was dealt with: the event loop waits for it, without blocking
 *            4 outcome 1: durable, see `facts`; 2: failed, a message says how
 *            5 is eager: 1: the next batch is likely to follow at once, so the thread may stay awake for it (see Patience)
 *   float64  4 how long write and sync took, in milliseconds
 *            5 the segment that was written
 */
export type LogMemory = { readonly words: SharedArrayBuffer; readonly batch: SharedArrayBuffer };
export const at = { wake: 0, batch: 1, length: 2, done: 3, outcome: 4, isEager: 5 } as const;
export const outcomes = { durable: 1, failed: 2 } as const;
/** Places in the float64 view. */
export const facts = { syncMs: 4, segmentId: 5 } as const;

export const memoryBatchBytes: number = 256 * 1024;

export function makeLogMemory(): LogMemory {
  return { words: new SharedArrayBuffer(64), batch: new SharedArrayBuffer(memoryBatchBytes) };
}
