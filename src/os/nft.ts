import { closeSync } from 'node:fs';
import { AppError } from '../base/app-error.ts';
import { memoryFile } from './memory-file.ts';
import { type ChildEnd, run } from './spawn.ts';

/**
 * Runs one script of the nft command: one transaction, all or nothing (4–10 ms). In: `program`, another one in tests.
 * Errors: OS_NFT with the command's own words, or with the signal that ended it.
 */
export async function runNft(script: string, program: string = 'nft'): Promise<void> {
  // NOTE: what Node calls a pipe is a socket, and nft 1.0.8 and 1.0.9 (Ubuntu 24.04) read none: "Not a regular file".
  const rules = memoryFile('nft', script);
  const end = await run([program, '-f', '-'], { inputFd: rules }).catch((cause: unknown) => {
    const code = systemCode(cause);
    throw new AppError({ code: 'OS_NFT', message: `the command nft could not be run: ${code ?? String(cause)}`, ...(code === 'ENOENT' ? { hint: 'apt-get install nftables' } : {}), cause });
  }).finally(() => closeSync(rules));
  if (end.code !== 0) throw new AppError({ code: 'OS_NFT', message: `${howItEnded(end)}${wordsOf(end.stderr)}` });
}

/** NOTE: a command that was killed has told nothing of the rules: whether the kernel took them is to be looked at. */
function howItEnded(end: ChildEnd): string {
  return end.signal === null ? `nft refused the rules (code ${end.code})` : `nft was ended by ${end.signal} before it said whether the kernel took the rules`;
}

function wordsOf(stderr: string): string {
  const words = stderr.trim().slice(0, 2000);
  return words === '' ? '' : `: ${words}`;
}

function systemCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
