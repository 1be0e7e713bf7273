import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openKeys, readKeyFile } from '../../../src/manager/store/key-file.ts';
import { KeyRotation } from '../../../src/manager/store/key-rotation.ts';
import type { JobRunner, StorageAnswer, StorageJob } from '../../../src/manager/store/storage.ts';
import { realDisk } from '../../../src/os/disk.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keys-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A thread whose jobs the test runs one by one. */
class Thread {
  readonly #jobs: { readonly job: StorageJob; readonly done: (answer: StorageAnswer) => void }[] = [];
  readonly #perform: (job: StorageJob) => StorageAnswer;

  constructor(perform: (job: StorageJob) => StorageAnswer) {
    this.#perform = perform;
  }

  readonly runner: JobRunner = {
    submit: (job, done) => void this.#jobs.push({ job, done: (answer) => done(null, answer) }),
    look: () => undefined,
    expect: () => undefined,
    close: (done) => done(),
  };

  get waiting(): readonly string[] {
    return this.#jobs.map(({ job }) => job.kind);
  }

  runAll(): void {
    for (let next = this.#jobs.shift(); next !== undefined; next = this.#jobs.shift()) next.done(this.#perform(next.job));
  }
}

/** Two threads over one directory of snapshot files and one log: which key each file was written with. */
function rotating(): { readonly rotation: KeyRotation; readonly bulk: Thread; readonly log: Thread; readonly clean: () => void; readonly files: { snapshots: number[]; segments: number[] } } {
  const opened = openKeys({ disk: realDisk, dir, unlockKey: null, randomBytes });
  const files = { snapshots: [1], segments: [1] };
  const perform = (job: StorageJob): StorageAnswer => {
    if (job.kind === 'keys-in-use') return { kind: 'key-ids', keyIds: [...files.snapshots, ...files.segments] };
    if (job.kind === 'snapshot-keep') files.snapshots = files.snapshots.slice(-job.indexes.length);
    if (job.kind === 'compact') files.segments = files.segments.slice(-1);
    return { kind: 'done' };
  };
  const [bulk, log] = [new Thread(perform), new Thread(perform)];
  const snapshots = { onCleaned: (): void => undefined, request: (done: (error: null) => void): void => done(null) };
  const rotation = new KeyRotation({ disk: realDisk, dir, randomBytes, opened, unlockKey: null, logRunner: log.runner, bulkRunner: bulk.runner, snapshots });
  const clean = (): void => {
    bulk.runner.submit({ kind: 'snapshot-keep', indexes: [1] }, () => undefined);
    log.runner.submit({ kind: 'compact', index: 1 }, () => undefined);
    snapshots.onCleaned();
  };
  return { rotation, bulk, log, clean, files };
}

function settle(one: ReturnType<typeof rotating>): void {
  while (one.bulk.waiting.length + one.log.waiting.length > 0) {
    one.log.runAll();
    one.bulk.runAll();
  }
}

function keyIds(): number[] {
  return readKeyFile(realDisk, dir)?.keys.map((key) => key.id) ?? [];
}

test('the log is asked for the keys it uses only when the snapshots\' thread has removed the old ones', () => {
  const one = rotating();
  one.rotation.rotate(() => undefined);
  settle(one);
  expect(keyIds()).toEqual([1, 2]);
  // The state was saved again, and the log goes on, with the new key; the old snapshot still waits for its removal in a slow thread.
  one.files.snapshots.push(2);
  one.files.segments.push(2);
  one.clean();
  one.log.runAll();
  expect(one.log.waiting).toEqual([]);
  expect(keyIds()).toEqual([1, 2]);
  settle(one);
  expect(one.files).toEqual({ snapshots: [2], segments: [2] });
  expect(keyIds()).toEqual([2]);
});

test('a key that was current when the threads were asked stays, though another change of keys has begun meanwhile', () => {
  const one = rotating();
  one.rotation.rotate(() => undefined);
  settle(one);
  one.files.snapshots = [];
  one.files.segments = [];
  one.clean();
  one.bulk.runAll();
  // Asked, not answered: now the keys are changed again. What the threads write until they hear of it is written with key 2.
  one.rotation.rotate(() => undefined);
  one.log.runAll();
  expect(keyIds()).toEqual([2, 3]);
});
