import { AppError } from '../../base/app-error.ts';
import type { Secret } from '../../base/secret.ts';
import type { Disk } from '../../os/disk.ts';
import { addDataKey, dropKeys, makeUnlockKey, rewrapKeys } from './key-file.ts';
import type { OpenedKeys } from './key-file.ts';
import type { SnapshotMaker } from './snapshot-maker.ts';
import type { JobRunner, StorageAnswer, StorageJob } from './storage.ts';
import type { HostMutations } from './store-limits.ts';

export type KeyRotationOptions = {
  readonly disk: Disk;
  readonly dir: string;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly opened: OpenedKeys;
  readonly unlockKey: Secret | null;
  readonly logRunner: JobRunner;
  /** The same as the log's where one thread does both. */
  readonly bulkRunner: JobRunner;
  readonly snapshots: Pick<SnapshotMaker, 'onCleaned' | 'request'>;
  readonly mutations?: HostMutations;
};

/**
 * Changes the keys of the files while the store runs. A new data key is durable in the key file before anything uses it; then new records
 * are written with it, a snapshot is made, and when no file needs an old key any more, it is dropped: at the latest after two more
 * snapshots, as the last two are kept and the log back to the older. A crash in between leaves all keys there.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions;
  #opened: OpenedKeys;
  #unlockKey: Secret | null;
  #failure: AppError | null = null;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
    this.#opened = options.opened;
    this.#unlockKey = options.unlockKey;
    options.snapshots.onCleaned = () => {
      if (this.keyCount > 1) this.#dropUnused((error) => void (this.#failure = error));
    };
  }

  /** What the last change of keys could not finish. */
  get failure(): AppError | null {
    return this.#failure;
  }

  get isAutolocked(): boolean {
    return this.#opened.file.isAutolocked;
  }

  get keyCount(): number {
    return this.#opened.file.keys.length;
  }

  rotate(finished: (error: AppError | null) => void): void {
    const { disk, dir, randomBytes, snapshots } = this.#options;
    const done = (error: AppError | null): void => {
      this.#failure = error;
      finished(error);
    };
    try {
      this.#opened = addDataKey({ disk, dir, opened: this.#opened, unlockKey: this.#unlockKey, randomBytes });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      done(error);
      return;
    }
    this.#inTurn({ kind: 'use-keys', keys: this.#opened.dataKeys }, (error) => {
      if (error !== null) done(error);
      // NOTE: the last two snapshots and the log between them may need an old key; dropped is what nothing names any more.
      else snapshots.request((failed) => (failed === null ? this.#dropUnused(done) : done(failed)));
    });
  }

  /**
   * Autolock on: `done` gets the unlock key, which is nowhere else. Data keys that once lay open on this disk are replaced too; where that
   * fails the store is locked all the same, so the key is handed out and `failure` says the rest.
   */
  lock(done: (unlockKey: Secret) => void): void {
    const { disk, dir, randomBytes } = this.#options;
    const unlockKey = makeUnlockKey(randomBytes);
    // A disk error here throws before anything changed: the old key file stays.
    this.#opened = rewrapKeys({ disk, dir, opened: this.#opened, nextUnlockKey: unlockKey, randomBytes });
    this.#unlockKey = unlockKey;
    this.rotate(() => done(unlockKey));
  }

  unlock(): void {
    const { disk, dir, randomBytes } = this.#options;
    this.#opened = rewrapKeys({ disk, dir, opened: this.#opened, nextUnlockKey: null, randomBytes });
    this.#unlockKey = null;
  }

  /**
   * NOTE: the snapshots' thread is asked first: its answer comes behind the removal of old snapshots, which may be all that names an old key. Then the
   * log's, behind its compaction. A key that is current now stays, and so do all that are added
   * before the answers are there: until the threads hear of the last change of several they write with the keys of those before it.
   */
  #dropUnused(done: (error: AppError | null) => void): void {
    const { currentId } = this.#opened.file;
    this.#inTurn({ kind: 'keys-in-use' }, (error, answers) => {
      if (error !== null) {
        done(error);
        return;
      }
      const isKept = (id: number): boolean => id === currentId || (id > currentId && this.#options.mutations?.has('host-key-between-dropped') !== true);
      const newer = this.#opened.file.keys.map((key) => key.id).filter(isKept);
      const inUse = [...newer, ...answers.flatMap((answer) => (answer.kind === 'key-ids' ? answer.keyIds : []))];
      try {
        this.#opened = dropKeys(this.#options.disk, this.#options.dir, this.#opened, inUse);
        done(null);
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        done(thrown);
      }
    });
  }

  /** The snapshots' thread, and when it has answered, the log's. */
  #inTurn(job: StorageJob, done: (error: AppError | null, answers: readonly StorageAnswer[]) => void): void {
    const { logRunner, bulkRunner } = this.#options;
    bulkRunner.submit(job, (bulkError, bulkAnswer) => {
      if (bulkError !== null || logRunner === bulkRunner) done(bulkError, [bulkAnswer]);
      else logRunner.submit(job, (logError, logAnswer) => done(logError, [bulkAnswer, logAnswer]));
    });
  }
}
