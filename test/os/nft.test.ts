import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAppError } from '../../src/base/app-error.ts';
import { runNft } from '../../src/os/nft.ts';

let dir = '';
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'nft-'))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What `runNft` says of a program that does this in nft's place. */
async function failureOf(body: string | null): Promise<{ readonly message: string; readonly hint: string | undefined }> {
  const program = join(dir, body === null ? 'none' : `nft-${Math.random()}`);
  if (body !== null) {
    writeFileSync(program, `#!/bin/sh\n${body}\n`);
    chmodSync(program, 0o755);
  }
  try {
    await runNft('table inet x {}\n', program);
  } catch (error) {
    if (!isAppError(error, 'OS_NFT')) throw error;
    return { message: error.message, hint: error.hint };
  }
  return { message: 'no error', hint: undefined };
}

test.for([
  ['a command that is killed names the signal', 'kill -KILL $$', /ended by SIGKILL/],
  ['one that crashes names its signal, and what it said before', 'echo half a word >&2; kill -SEGV $$', /ended by SIGSEGV.*: half a word$/],
  ['one that refuses is quoted, with its code', 'cat >/dev/null; echo "Error: syntax error" >&2; exit 1', /^nft refused the rules \(code 1\): Error: syntax error$/],
  ['one that refuses without a word says so much', 'exit 3', /^nft refused the rules \(code 3\)$/],
  ['one that does not read its input is no error of ours', 'exit 0', /^no error$/],
] as const)('%s', async ([, body, message]) => {
  expect((await failureOf(body)).message).toMatch(message);
});

test('it reads its rules from a regular file, and all of them: some versions refuse everything else', async () => {
  expect((await failureOf('[ -f /dev/stdin ] && [ "$(cat /dev/stdin)" = "table inet x {}" ] && [ "$(cat)" = "table inet x {}" ]')).message).toBe('no error');
});

test('one that is not installed comes with the line that installs it', async () => {
  expect(await failureOf(null)).toMatchObject({ message: expect.stringContaining('ENOENT'), hint: 'apt-get install nftables' });
});
