import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { spawnAway } from '../../src/os/spawn-away.ts';

let dir: string;
let complaintsPath: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'flotilla-away-')));
  complaintsPath = join(dir, 'complaints');
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function shell(script: string, signal: AbortSignal = AbortSignal.timeout(10_000)): Promise<string> {
  const away = await spawnAway(['/bin/sh', '-c', script], { environment: { PATH: '/usr/bin:/bin', WORD: 'hello' }, cwd: dir, complaintsPath, signal });
  return away.answer;
}

test('the answer is the first line on descriptor 3, from a process that was forked away, while it lives on', async () => {
  const beganMs = Date.now();
  expect(await shell('(echo first >&3; echo second >&3; exec sleep 3) & exit 0')).toMatch(/^first/);
  expect(Date.now() - beganMs).toBeLessThan(2_500);
});

test('it gets the environment, the directory and the file for complaints that were asked for, and no descriptor besides', async () => {
  // NOTE: without `$(…)`, which has a pipe of the shell's own. What a shell keeps for itself is above 9.
  expect(await shell('for one in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$one ] || open="$open $one"; done; echo "$WORD $PWD$open" >&3; echo alas >&2')).toBe(`hello ${dir} 0 1 2 3`);
  expect(readFileSync(complaintsPath, 'utf8')).toBe('alas\n');
});

test('every signal is as by default, though Node ignores some', async () => {
  expect(await shell('grep -E "^Sig(Ign|Blk)" /proc/$$/status | tr "\\n\\t" "  " >&3; echo >&3')).toBe('SigBlk: 0000000000000000 SigIgn: 0000000000000000');
});

test('where it ends without a line the answer is empty', async () => {
  expect(await shell('exit 3')).toBe('');
});

test('what does not exist can not be started, and the error says so', async () => {
  const started = spawnAway([join(dir, 'nothing')], { environment: {}, cwd: dir, complaintsPath, signal: AbortSignal.timeout(1_000) });
  await expect(started).rejects.toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

test('many that are started at once do not get in each other\'s way', async () => {
  const words = Array.from({ length: 20 }, (_, index) => `word${index}`);
  expect(await Promise.all(words.map((word) => shell(`echo ${word} >&3`)))).toEqual(words);
});

test('its first process leaves no zombie, also when it is given up', async () => {
  await shell('exit 0');
  const reason = new Error('enough');
  await expect(shell('exec sleep 60', AbortSignal.abort(reason))).rejects.toBe(reason);
  // Each thread has children of its own.
  const children = readdirSync('/proc/self/task').flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter((one) => one !== ''));
  const zombies = children.filter((pid) => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  expect(zombies).toEqual([]);
});
