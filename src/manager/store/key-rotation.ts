import { AppError } from '../../base/app-error.ts';
import type { Secret } from '../../base/secret.ts';
import type { Disk } from '../../os/disk.ts';
import { addDataKey, dropKeys, makeUnlockKey, rewrapKeys } from './key-file.ts';
import type { OpenedKeys } from './key-file.ts';
import type { StoreNode } from './node.ts';
import type { JobRunner, StorageAnswer, StorageJob } from './storage.ts';

export type KeyRotationOptions = {
  readonly disk: Disk;
  readonly dir: string;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly opened: OpenedKeys;
  readonly unlockKey: Secret | null;
  /** The log's and the snapshots' runner; one where they are the same. */
  readonly runners: readonly JobRunner[];
  readonly node: StoreNode;
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
    options.node.snapshots.onCleaned = () => {
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
    const { disk, dir, randomBytes, node } = this.#options;
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
    this.#onAll({ kind: 'use-keys', keys: this.#opened.dataKeys }, (error) => {
      if (error !== null) done(error);
      // NOTE: the last two snapshots and the log between them may need an old key; dropped is what nothing names any more.
      else node.snapshots.request((failed) => (failed === null ? this.#dropUnused(done) : done(failed)));
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

  #dropUnused(done: (error: AppError | null) => void): void {
    this.#onAll({ kind: 'keys-in-use' }, (error, answers) => {
      if (error !== null) {
        done(error);
        return;
      }
      const inUse = answers.flatMap((answer) => (answer.kind === 'key-ids' ? answer.keyIds : []));
      try {
        this.#opened = dropKeys(this.#options.disk, this.#options.dir, this.#opened, inUse);
        done(null);
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        done(thrown);
      }
    });
  }

  #onAll(job: StorageJob, done: (error: AppError | null, answers: readonly StorageAnswer[]) => void): void {
    const answers: StorageAnswer[] = [];
    let firstError: AppError | null = null;
    let waiting = this.#options.runners.length;
    for (const runner of this.#options.runners) {
      runner.submit(job, (error, answer) => {
        firstError ??= error;
        answers.push(answer);
        waiting -= 1;
        if (waiting === 0) done(firstError, answers);
      });
    }
  }
}
