import { watch } from 'node:fs';

/** Calls `onName` with the name of each entry of a directory that comes, goes or changes (inotify). The answer stops it. */
export function watchDir(dir: string, onName: (name: string) => void, onError: (error: unknown) => void): () => void {
  const watcher = watch(dir, { persistent: false }, (_, name) => {
    if (name !== null) onName(name);
  });
  watcher.on('error', onError);
  return () => watcher.close();
}
