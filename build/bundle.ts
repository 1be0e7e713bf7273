import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type InputOptions, type OutputOptions, rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** What runs for long: the daemon, and each worker thread. Workers are found beside the daemon by their name. */
const daemons: Readonly<Record<string, string>> = {
  daemon: 'src/daemon/main.ts',
  'store-ops': 'src/daemon/store-ops.ts',
  'wal-worker': 'src/manager/store/wal-worker.ts',
  'unpack-worker': 'src/engine/image/unpack-worker.ts',
};

/** Parts of Node that cost milliseconds to load and that many commands never touch. */
const lazyBuiltins = ['child_process', 'crypto', 'fs/promises', 'http', 'module', 'net', 'tty', 'worker_threads'];

/** Bundles into dist/. */
export async function bundle(): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  await bundleCommand();
  await write(
    { input: inputOf(daemons) },
    { format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
  );
}

/**
 * The command, one chunk for each subcommand, so that it loads only what it needs. CommonJS: Node's loader of ES modules costs a short
 * command 20 ms, and importing `node:fs` as a module makes Node load its streams.
 */
async function bundleCommand(): Promise<void> {
  await write(
    { input: inputOf({ flotilla: 'src/cli/main.ts' }), plugins: [{ name: 'lazy-builtins', renderChunk: (code) => ({ code: lazily(code), map: null }) }] },
    { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: 'command/[name]-[hash].cjs', codeSplitting: { groups: together.map(({ name, test }) => ({ name, test })) } },
  );
}

/**
 * What is loaded by the same commands is one file each, with what it needs: to find, read and check a file costs a fifth of a millisecond.
 * The first that fits counts.
 */
const together: readonly { readonly name: string; readonly test: RegExp }[] = [
  { name: 'common', test: /src\/(?:cli\/(?:context|daemon-client|print\/(?:error|plain-text|table|human))|wire\/http-client|base\/(?:app-error|assert|parsed|limits|units))\.ts$/ },
  { name: 'compose', test: /src\/cli\/compose\/(?:program|settings|options)\.ts$/ },
  { name: 'project', test: /src\/cli\/(?:compose\/(?:load-project|up)|project-diagnostics)\.ts$/ },
];

function lazily(code: string): string {
  let isUsed = false;
  const replaced = code.replaceAll(/\brequire\((["'`])node:([a-z_/]+)\1\)/g, (call: string, _quote: string, name: string) => {
    if (!lazyBuiltins.includes(name)) return call;
    isUsed = true;
    return `lazyBuiltin("node:${name}")`;
  });
  return isUsed ? `const lazyBuiltin = (name) => new Proxy({}, { get: (_, key) => process.getBuiltinModule(name)[key] });\n${replaced}` : code;
}

async function write(input: InputOptions, output: OutputOptions): Promise<void> {
  const build = await rolldown({
    platform: 'node',
    // koffi brings a native addon that is found from its own folder.
    external: [/^node:/, 'koffi'],
    logLevel: 'warn',
    ...input,
  });
  await build.write({ dir: dist, minify: { compress: true, mangle: false, codegen: true }, ...output });
  await build.close();
}

function inputOf(entries: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(join(root, file))).map(([name, file]) => [name, join(root, file)]));
}
