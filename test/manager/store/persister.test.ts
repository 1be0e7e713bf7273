import { expect, it } from 'vitest';
import { AppError } from '../../../src/base/app-error.ts';
import { StoreMetrics } from '../../../src/manager/store/metrics.ts';
import { Persister } from '../../../src/manager/store/persister.ts';
import type { JobRunner, StorageAnswer, StorageJob } from '../../../src/manager/store/storage.ts';
import { realClock } from '../../../src/os/real-clock.ts';

type Done = (error: AppError | null, answer: StorageAnswer) => void;

/** A persister whose log's thread and timers are in the hands of the test. */
function setUp() {
  const asked: string[] = [];
  const waiting: Done[] = [];
  const timers: (() => void)[] = [];
  const runner: JobRunner = {
    submit: (job: StorageJob, done) => {
      asked.push(job.kind === 'append' && !job.isAwaited ? 'unasked' : 'awaited');
      waiting.push(done);
    },
    look: () => void asked.push('look'), expect: () => void asked.push('expect'), close: (done) => done(),
  };
  const after = (_ms: number, ring: () => void): (() => void) => {
    timers.push(ring);
    return () => undefined;
  };
  const persister = new Persister({
    runner, clock: { ...realClock, after }, batchBytesMax: 1e6, metrics: new StoreMetrics(), mutations: new Set(),
    onAppended: () => undefined, onFinished: () => undefined, onFull: () => undefined, onFatal: () => undefined,
  });
  const write = (id: number, isAwaited: boolean): void => {
    const entry = { index: id, term: 1, kind: 'normal', data: Uint8Array.of(id) } as const;
    persister.addJob({ id, entries: [entry], hardState: null, snapshot: null, mustSync: true, messagesAfterPersist: [] }, isAwaited, () => void asked.push(`finished ${id}`));
    persister.start();
  };
  const answer = (error: AppError | null): void => waiting.shift()?.(error, { kind: 'appended', segmentId: 1, syncMs: 0.1 });
  return { asked, timers, write, answer };
}

it('what waits behind a batch that nobody awaits makes it awaited', () => {
  const { asked, write, answer } = setUp();
  write(1, false);
  expect(asked).toEqual(['unasked']);
  write(2, false);
  expect(asked).toEqual(['unasked', 'expect']);
  answer(null);
  expect(asked).toEqual(['unasked', 'expect', 'unasked', 'finished 1']);
});

it('a batch that one awaits is awaited whole', () => {
  const { asked, write, answer } = setUp();
  write(1, false);
  write(2, false);
  write(3, true);
  answer(null);
  expect(asked.filter((one) => one !== 'expect')).toEqual(['unasked', 'awaited', 'finished 1']);
});

it('a batch that is tried again after the disk was full is awaited: the answers of others have come meanwhile', () => {
  const { asked, timers, write, answer } = setUp();
  write(1, false);
  answer(new AppError({ code: 'OS_DISK_FULL', message: 'full' }));
  for (const ring of timers.splice(0)) ring();
  expect(asked).toEqual(['unasked', 'awaited']);
  answer(null);
  expect(asked).toEqual(['unasked', 'awaited', 'finished 1']);
});
