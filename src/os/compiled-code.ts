import { statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';

/**
 * Keeps compiled code from one run to the next: beside the program for its owner, else in the user's own cache. Never in a
 * directory that others can write (Node's choice would be the temporary one): what lies there is run.
 */
export function keepCompiledCode(programDir: string, env: Readonly<Record<string, string | undefined>>): void {
  const isOwn = statSync(programDir).uid === process.getuid?.();
  enableCompileCache(isOwn ? `${programDir}/compiled` : `${env['XDG_CACHE_HOME'] ?? `${env['HOME'] ?? '/nonexistent'}/.cache`}/flotilla/compiled`);
}
