import { spawn } from 'node:child_process';
import { AppError } from '../base/app-error.ts';

/** Runs one script of the nft command: one transaction, all or nothing (4–10 ms). Errors: OS_NFT with the command's own words. */
export async function runNft(script: string): Promise<void> {
  const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  const words: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => words.length < 64 && words.push(chunk));
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // NOTE: a child that ends before it has read everything breaks the pipe; its own words say why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(script);
  const code = await exit.catch((cause: unknown) => {
    throw new AppError({ code: 'OS_NFT', message: 'the command nft could not be run', hint: 'apt-get install nftables', cause });
  });
  if (code !== 0) throw new AppError({ code: 'OS_NFT', message: `nft refused the rules: ${Buffer.concat(words).toString('utf8').trim().slice(0, 2000)}` });
}
