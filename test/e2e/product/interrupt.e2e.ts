import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useWorld } from './use-world.ts';
import { home, type World } from './world.ts';

// Ctrl-C while something is going on: the terminal is as it was, the prompt doesn't come back before what it promises, and the exit code is 130.
let world: World;
useWorld((made) => void (world = made));

/** `slow` never gets healthy, so that `later` never starts. It takes its time to stop, and says so. */
const waiting = (name: string): string => `
name: ${name}
services:
  slow:
    image: busybox
    command: [sh, -c, "trap 'sleep 0.5; echo last words; exit 3' TERM; echo ready; while :; do sleep 0.05; done"]
    healthcheck: {test: [CMD, "false"], interval: 50ms, retries: 10000}
  later: {image: busybox, command: [sleep, infinity], stop_signal: KILL, depends_on: {slow: {condition: service_healthy}}}
`;

async function states(cwd: string): Promise<string[]> {
  const lines = (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line): { Service: string; State: string } => JSON.parse(line)).map((row) => `${row.Service} ${row.State}`).sort();
}

/** Runs a command on a terminal of its own and types Ctrl-C once it has printed the words. Answers all that the terminal got. */
async function interrupted(cwd: string, args: readonly string[], words: string): Promise<{ readonly code: number | null; readonly shown: string }> {
  const env = { ...process.env, FLOTILLA_ROOT: join(world.dir, 'root'), FLOTILLA_RUN: join(world.dir, 'run'), FLOTILLA_CONFIG: join(world.dir, 'config.json'), HOME: world.dir, TERM: 'xterm', NO_COLOR: '' };
  const child: ChildProcess = spawn('script', ['-qec', `${join(home, 'bin', 'flotilla')} ${args.join(' ')}`, '/dev/null'], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  let shown = '';
  let hasTyped = false;
  child.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    if (hasTyped || !shown.includes(words)) return;
    hasTyped = true;
    child.stdin?.write('\u0003');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, shown };
}

test('up -d: the cursor is back, and it is said that the rest goes on', async () => {
  const cwd = world.project({ 'compose.yaml': waiting('behind') });
  const { code, shown } = await interrupted(cwd, ['compose', 'up', '-d'], 'Container behind-slow-1 Waiting');
  expect(code, shown).toBe(130);
  expect(shown.lastIndexOf('\u001b[?25h')).toBeGreaterThan(shown.lastIndexOf('\u001b[?25l'));
  expect(shown).toContain('CLI_INTERRUPTED');
  expect(await states(cwd)).toEqual(['later created', 'slow running']);
  await world.ok(['compose', 'down', '-t', '0'], { cwd });
}, 60_000);

test('up, attached, while it waits: all is stopped when the prompt comes back, and no last word is lost', async () => {
  const cwd = world.project({ 'compose.yaml': waiting('before') });
  const { code, shown } = await interrupted(cwd, ['compose', 'up'], 'Container before-slow-1 Waiting');
  expect(code, shown).toBe(130);
  expect(await states(cwd)).toEqual(['later created', 'slow exited']);
  // oxlint-disable-next-line no-control-regex
  const plain = shown.replace(/\u001b\[[\d;]*m/g, '');
  for (const words of ['slow-1  | ready', 'Gracefully Stopping', 'slow-1  | last words', 'slow-1 exited with code 3']) expect(plain).toContain(words);
  expect(shown.lastIndexOf('\u001b[?25h')).toBeGreaterThan(shown.lastIndexOf('\u001b[?25l'));
  await world.ok(['compose', 'down', '-t', '0'], { cwd });
}, 60_000);

test('down: what was begun is finished without the command', async () => {
  const cwd = world.project({ 'compose.yaml': waiting('away') });
  await world.ok(['compose', 'up', '-d', 'slow'], { cwd });
  const { code, shown } = await interrupted(cwd, ['compose', 'down'], 'Container away-slow-1 Stopping');
  expect(code, shown).toBe(130);
  await world.ok(['compose', 'down'], { cwd });
  expect(await states(cwd)).toEqual([]);
}, 60_000);
