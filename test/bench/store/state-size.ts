import { join } from 'node:path';
import { leads, openAlone, putTask, runningTasks } from './many-tasks.ts';

/**
 * `node --expose-gc state-size.ts fill DIR COUNT`: what COUNT tasks in the store add to heap and process, in bytes.
 * `node state-size.ts prepare DIR TASKS ENTRIES`: a data directory with a snapshot of so many tasks and so many entries after it.
 * `node state-size.ts start DIR`: how long it takes until the store of that directory leads.
 */
const [verb, dir = '', first = '0', second = '0'] = process.argv.slice(2);
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

if (verb === 'fill') {
  const count = Number(first);
  const task = runningTasks(count);
  const store = await openAlone(join(dir, 'fill'));
  await leads(store);
  const memory = (): { heapBytes: number; rssBytes: number } => {
    globalThis.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heapBytes: heapUsed + external, rssBytes: rss };
  };
  const before = memory();
  for (let at = 0; at < count; at += 100) await store.propose(Array.from({ length: 100 }, (_, more) => putTask(task(at + more))));
  await store.makeSnapshot();
  const after = memory();
  say({ heapBytes: after.heapBytes - before.heapBytes, rssBytes: after.rssBytes - before.rssBytes, tasks: store.view().tables.task.size });
  await store.close();
} else if (verb === 'prepare') {
  const count = Number(first);
  const task = runningTasks(count);
  const store = await openAlone(dir, { snapshotEntries: 1_000_000, snapshotBytes: 1e12 });
  await leads(store);
  for (let at = 0; at < count; at += 200) await store.propose(Array.from({ length: Math.min(200, count - at) }, (_, more) => putTask(task(at + more))));
  // Twice, with an entry between: the log goes back to the older of two snapshots.
  await store.makeSnapshot();
  await store.propose([putTask(task(0))]);
  await store.makeSnapshot();
  const snapshotBytes = store.metrics().snapshotBytes;
  for (let at = 0; at < Number(second); at += 100) await Promise.all(Array.from({ length: 100 }, (_, more) => store.propose([putTask(task((at + more) % count))])));
  await store.close();
  say({ snapshotBytes });
} else {
  const began = performance.now();
  const store = await openAlone(dir, { snapshotEntries: 1_000_000, snapshotBytes: 1e12 });
  await leads(store);
  await store.read();
  const ms = performance.now() - began;
  say({ ms, tasks: store.view().tables.task.size, revision: store.view().revision });
  await store.close();
}
process.exit(0);
