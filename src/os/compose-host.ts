import { existsSync, lstatSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type FoundFile =
  | { readonly kind: 'file'; readonly content: Uint8Array }
  | { readonly kind: 'directory' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly message: string };

/** What is at a path. */
export function readPlace(path: string): FoundFile {
  try {
    if (statSync(path).isDirectory()) return { kind: 'directory' };
    return { kind: 'file', content: readFileSync(path) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error ? String(error.code) : '';
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'missing' } : { kind: 'unreadable', message: error.message };
  }
}

/** Standard input, to its end. */
export function readStandardInput(): Uint8Array {
  return readFileSync(0);
}

export function namesIn(folder: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(folder));
  } catch {
    // A folder that can't be listed holds nothing for us.
    return new Set();
  }
}

/** The path with its first symbolic link followed: `/a/link/b` becomes `/target/b`. */
export function followFirstLink(path: string): string {
  let at = '/';
  for (const part of path.split('/').filter((one) => one !== '')) {
    at = join(at, part);
    if (!existsSync(at)) return path;
    if (lstatSync(at).isSymbolicLink()) return path.replace(at, realpathSync(at));
  }
  return path;
}
