import { randomBytes } from 'node:crypto';
import type { AppError } from '../../base/app-error.ts';
import type { Secret } from '../../base/secret.ts';
import { realDisk } from '../../os/disk.ts';
import { addDataKey, dropKeys, makeUnlockKey, rewrapKeys } from './key-file.ts';
import type { OpenedKeys } from './key-file.ts';
import type { StoreNode } from './node.ts';
import type { JobRunner, StorageAnswer, StorageJob } from './storage.ts';

/**
 * Changes the keys of the files while the store runs. A new data key is durable in the key file before anything uses it; then new records
 * are written with it, a snapshot is made, and when no file needs an old key any more, it is dropped. A crash in between leaves all keys there.
 */
export class KeyRotation {
  readonly #options: { readonly dir: string; readonly unlockKey: Secret | null; readonly runners: readonly JobRunner[]; readonly node: StoreNode };
  #opened: OpenedKeys;
  #unlockKey: Secret | null;

  constructor(options: { readonly dir: string; readonly opened: OpenedKeys; readonly unlockKey: Secret | null; readonly runners: readonly JobRunner[]; readonly node: StoreNode }) {
    this.#options = options;
    this.#opened = options.opened;
    this.#unlockKey = options.unlockKey;
  }

  get isAutolocked(): boolean {
    return this.#opened.file.isAutolocked;
  }

  get keyCount(): number {
    return this.#opened.file.keys.length;
  }

  async rotate(): Promise<void> {
    const { dir, node } = this.#options;
    this.#opened = addDataKey({ disk: realDisk, dir, opened: this.#opened, unlockKey: this.#unlockKey, randomBytes });
    await this.#onAll({ kind: 'use-keys', keys: this.#opened.dataKeys });
    // NOTE: the last two snapshots and the log between them may need an old key; dropped is what nothing names any more.
    await new Promise<void>((resolve, reject) => node.snapshots.request((error) => (error === null ? resolve() : reject(error))));
    await this.#dropUnused();
  }

  /** Autolock on: answers the unlock key, which is nowhere else. */
  async lock(): Promise<Secret> {
    const unlockKey = makeUnlockKey(randomBytes);
    this.#opened = rewrapKeys({ disk: realDisk, dir: this.#options.dir, opened: this.#opened, nextUnlockKey: unlockKey, randomBytes });
    this.#unlockKey = unlockKey;
    // NOTE: data keys that once lay open on this disk are replaced too.
    await this.rotate();
    return unlockKey;
  }

  unlock(): void {
    this.#opened = rewrapKeys({ disk: realDisk, dir: this.#options.dir, opened: this.#opened, nextUnlockKey: null, randomBytes });
    this.#unlockKey = null;
  }

  async #dropUnused(): Promise<void> {
    const inUse: number[] = [];
    for (const answer of await this.#onAll({ kind: 'keys-in-use' })) if (answer.kind === 'key-ids') inUse.push(...answer.keyIds);
    this.#opened = dropKeys(realDisk, this.#options.dir, this.#opened, inUse);
  }

  #onAll(job: StorageJob): Promise<StorageAnswer[]> {
    return Promise.all(this.#options.runners.map((runner) => new Promise<StorageAnswer>((resolve, reject) => {
      runner.submit(job, (error: AppError | null, answer) => (error === null ? resolve(answer) : reject(error)));
    })));
  }
}
