import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');

/** What starts by itself: the command, the daemon, and each worker thread. Workers are found beside the daemon by their name. */
const entries: Readonly<Record<string, string>> = {
  flotilla: 'src/cli/main.ts',
  daemon: 'src/daemon/main.ts',
  'store-ops': 'src/daemon/store-ops.ts',
  'wal-worker': 'src/manager/store/wal-worker.ts',
  'unpack-worker': 'src/engine/image/unpack-worker.ts',
};

/** Bundles into dist/: one chunk for each command, so that a command loads only what it needs. */
export async function bundle(): Promise<void> {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const input = Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(join(root, file))));
  if (Object.keys(input).length === 0) return;
  const build = await rolldown({
    input: Object.fromEntries(Object.entries(input).map(([name, file]) => [name, join(root, file)])),
    platform: 'node',
    // koffi brings a native addon that is found from its own folder.
    external: [/^node:/, 'koffi'],
    logLevel: 'warn',
  });
  await build.write({
    dir: join(root, 'dist'),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    minify: { compress: true, mangle: false, codegen: true },
  });
  await build.close();
}
