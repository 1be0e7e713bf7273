import { open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { errorName } from './libc.ts';

/**
 * Brings quickly written files to the disk a moment later, all that came together in one go: for what must outlive the machine in the
 * long run, but may be lost with it in the first moment, because it would only be made again.
 */
export type DiskKeeper = {
  /** Files that were written and directories whose names changed. `prepare` is called first, when their turn has come. What has gone by then is passed over. */
  readonly keep: (paths: readonly string[], prepare?: () => void) => void;
  /** Does now what is waiting; resolves when it is on the disk. */
  readonly settle: () => Promise<void>;
};

/** Ten containers that start together are over with it: what they wait for is the processors, not the disk. */
const delayMs = 300;

export function openDiskKeeper(options: { readonly clock: Clock; readonly log: Log }): DiskKeeper {
  const { clock, log } = options;
  /** A set keeps the order of its members: files come before the directories that were told of with them. */
  let paths = new Set<string>();
  let preparations: (() => void)[] = [];
  let cancel: (() => void) | null = null;
  let running: Promise<void> = Promise.resolve();

  const flush = async (): Promise<void> => {
    cancel?.();
    cancel = null;
    const [ready, wanted] = [preparations, paths];
    preparations = [];
    paths = new Set();
    for (const prepare of ready) attempt(prepare);
    for (const path of wanted) await sync(path).catch((error: unknown) => log.error('os.not-on-disk', { path, error: String(error) }));
  };
  const attempt = (prepare: () => void): void => {
    try {
      prepare();
    } catch (error) {
      log.error('os.not-on-disk', { error: String(error) });
    }
  };
  const settle = async (): Promise<void> => {
    running = running.then(flush);
    await running;
  };
  return {
    keep: (more, prepare) => {
      for (const path of more) paths.add(path);
      if (prepare !== undefined) preparations.push(prepare);
      cancel ??= clock.after(delayMs, () => void settle(), true);
    },
    settle,
  };
}

async function sync(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errorName(error) !== 'ENOENT' && errorName(error) !== 'ENOTDIR') throw error;
  }
}
