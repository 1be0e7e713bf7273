import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const outputBytesMax = 64 * 1024 * 1024;

export type DebianPackage = { readonly name: string; readonly version: string };

/**
 * What `names` need on an empty system, by apt's own solver, without `dropped`.
 * Nothing of this machine's installed packages plays a part, so the same archive gives the same list everywhere.
 */
export async function closureOf(names: readonly string[], dropped: readonly string[], cacheDir: string): Promise<DebianPackage[]> {
  const status = join(cacheDir, 'empty-status');
  await writeFile(status, '');
  const { stdout } = await apt(['-o', `Dir::State::status=${status}`, '-o', `Dir::Cache::archives=${cacheDir}`, '-s', '-y', '--no-install-recommends', 'install', ...names]);
  const found = Array.from(stdout.matchAll(/^Inst (\S+) \((\S+) /gm), (match) => ({ name: (match[1] ?? '').split(':')[0] ?? '', version: match[2] ?? '' }));
  return found.filter((one) => !dropped.includes(one.name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Downloads what the cache does not hold yet; answers the files in the order of `packages`. */
export async function download(packages: readonly DebianPackage[], cacheDir: string): Promise<string[]> {
  const archives = join(cacheDir, 'archives');
  await mkdir(archives, { recursive: true });
  const present = async (): Promise<Map<string, string>> => {
    const files = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
    return new Map(files.map((name) => [decodeURIComponent(name.split('_').slice(0, 2).join('=')), join(archives, name)]));
  };
  const have = await present();
  const missing = packages.map((one) => `${one.name}=${one.version}`).filter((one) => !have.has(one));
  if (missing.length > 0) await apt(['download', ...missing], archives);
  const now = await present();
  return packages.map((one) => {
    const file = now.get(`${one.name}=${one.version}`);
    if (file === undefined) throw new Error(`apt-get download gave no file for ${one.name}=${one.version}`);
    return file;
  });
}

/** Unpacks the packages' files into `root`, without running any of their scripts. */
export async function extract(files: readonly string[], root: string): Promise<void> {
  for (const file of files) {
    await run('/bin/sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -x -p --keep-directory-symlink --no-same-owner --warning=no-timestamp -f - -C "$2"', 'sh', file, root]);
  }
}

async function apt(args: readonly string[], cwd?: string): Promise<{ stdout: string }> {
  // NOTE: root's sandbox user could not write into our cache; apt still checks every file against the signed lists.
  const options = ['-o', 'APT::Sandbox::User=root', '-o', 'Debug::NoLocking=true', '-o', 'Acquire::Retries=3'];
  try {
    return await run('apt-get', [...options, ...args], { ...(cwd === undefined ? {} : { cwd }), maxBuffer: outputBytesMax, env: { ...process.env, LC_ALL: 'C' } });
  } catch (error) {
    if (process.getuid?.() !== 0) throw new Error(`apt-get ${args.join(' ').slice(0, 200)} failed; are the package lists there? run: sudo apt-get update`, { cause: error });
    await run('apt-get', ['update', '-q'], { maxBuffer: outputBytesMax });
    return await run('apt-get', [...options, ...args], { ...(cwd === undefined ? {} : { cwd }), maxBuffer: outputBytesMax, env: { ...process.env, LC_ALL: 'C' } });
  }
}
