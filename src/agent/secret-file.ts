import { AppError } from '../base/app-error.ts';
import type { Log } from '../base/log.ts';
import { ensureDir, readTextIfThere, removeFile, writeFileDurable } from '../os/files.ts';
import { mountMemory } from '../os/memory-dir.ts';
import { listMounts, unmount } from '../os/mount.ts';
import { isOnTmpfs } from '../os/quick-files.ts';

/** File systems that are gone with the power; another one in tests. */
export type MemoryFiles = {
  readonly isInMemory: (dir: string) => boolean;
  /** Gives a directory a file system of its own in memory. */
  readonly mount: (dir: string) => void;
  readonly unmount: (dir: string) => void;
};

const sizeBytesMax = 64 * 1024 * 1024;

export const memoryFiles: MemoryFiles = {
  isInMemory: isOnTmpfs,
  mount: (dir) => mountMemory(dir, { mode: 0o700, sizeBytesMax }),
  unmount: (dir) => {
    if (listMounts().some((one) => one.target === dir)) unmount(dir);
  },
};

/**
 * The content of secrets, by id, in a file that never lies on a disk: where the run directory does (FLOTILLA_RUN names a place that
 * is no tmpfs), its folder gets a file system in memory while there is a secret to keep. Where even that can't be had they are not kept at all.
 */
export class SecretFile {
  readonly #dir: string;
  readonly #log: Log;
  readonly #files: MemoryFiles;
  /** Null: nobody knows. A daemon that was killed between mounting and writing, or removing and unmounting, leaves the mount without the file. */
  #saved: string | null = null;

  private constructor(dir: string, log: Log, files: MemoryFiles) {
    this.#dir = dir;
    this.#log = log;
    this.#files = files;
  }

  static async open(options: { readonly runDir: string; readonly log: Log; readonly files: MemoryFiles }): Promise<SecretFile> {
    const { runDir, log, files } = options;
    const dir = `${runDir}/secrets`;
    await ensureDir(dir, 0o700);
    if (!files.isInMemory(runDir)) {
      const warning = new AppError({ code: 'AGENT_RUN_ON_DISK', message: `${runDir} lies on a disk: secrets are kept in a file system in memory of their own, or not at all`, hint: 'let FLOTILLA_RUN name a directory on a tmpfs, as /run is' });
      log.warn('agent.run-dir-on-disk', { code: warning.code, message: warning.message, hint: warning.hint });
    }
    return new SecretFile(dir, log, files);
  }

  /** Empty where there is no file, or none that can be read. */
  async load(): Promise<ReadonlyMap<string, string>> {
    const text = await readTextIfThere(this.#path());
    if (text === null) return new Map();
    try {
      const value: unknown = JSON.parse(text);
      this.#saved = text;
      return new Map(Object.entries(Object(value)).flatMap(([id, data]) => (typeof data === 'string' ? [[id, data] as const] : [])));
    } catch (error) {
      this.#log.warn('agent.memory-unreadable', { error: String(error) });
      return new Map();
    }
  }

  async save(secrets: ReadonlyMap<string, string>): Promise<void> {
    const text = secrets.size === 0 ? '' : JSON.stringify(Object.fromEntries([...secrets].sort((a, b) => (a[0] < b[0] ? -1 : 1))));
    if (text === this.#saved) return;
    if (text === '') await this.#clear();
    else if (this.#isInMemory()) await writeFileDurable(this.#path(), text, 0o600);
    else return;
    this.#saved = text;
  }

  async #clear(): Promise<void> {
    await removeFile(this.#path());
    this.#files.unmount(this.#dir);
  }

  #isInMemory(): boolean {
    if (this.#files.isInMemory(this.#dir)) return true;
    try {
      this.#files.mount(this.#dir);
      return true;
    } catch (error) {
      this.#log.error('agent.secrets-not-kept', { code: 'AGENT_SECRETS_NOT_KEPT', error: String(error), hint: 'after its next start this daemon waits for a manager before it makes containers that have secrets' });
      return false;
    }
  }

  #path(): string {
    return `${this.#dir}/content.json`;
  }
}
