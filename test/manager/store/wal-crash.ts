// make wal-crash [KILLS=200]: a store process killed with -9 again and again, on a full disk, and with syncs that fail.
// Acknowledgements are written down by this process, outside. Last line: `N passed, N failed`.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Answers = { readonly child: ChildProcess; readonly waitFor: (pattern: RegExp) => Promise<RegExpMatchArray>; readonly gone: Promise<number | null>; readonly lines: readonly string[] };

const root = mkdtempSync(join(tmpdir(), 'wal-crash-'));
const kills = Number(process.env['KILLS'] ?? 200);
let passed = 0;
let failed = 0;

/** `wrap`: what the writer runs under. It says `start N` (all of 1…N are there), then `ack N` for each durable write, `no CODE`, `alarms …`. */
function writer(dir: string, wrap: readonly string[] = []): Answers {
  const [file = '', ...args] = [...wrap, process.execPath, join(import.meta.dirname, 'crash-writer.ts'), dir];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let listeners: (() => void)[] = [];
  let rest = '';
  const wake = (): void => {
    const now = listeners;
    listeners = [];
    for (const listener of now) listener();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => void (complaints = `${complaints}${chunk.toString()}`.slice(-2000)));
  let isGone = false;
  const gone = new Promise<number | null>((resolve) => child.on('close', (code) => {
    isGone = true;
    resolve(code);
    wake();
  }));
  const waitFor = async (pattern: RegExp): Promise<RegExpMatchArray> => {
    for (let at = 0; ; at += 1) {
      while (at >= lines.length) {
        if (isGone) throw new Error(`the writer ended before it said ${pattern}: ${lines.slice(-3).join(' | ')} ${complaints}`);
        await new Promise<void>((resolve) => listeners.push(resolve));
      }
      const match = pattern.exec(lines[at] ?? '');
      if (match !== null) return match;
    }
  };
  return { child, waitFor, gone, lines };
}

function lastAck(answers: Answers): number {
  return Number(/^ack (\d+)$/.exec(answers.lines.findLast((text) => text.startsWith('ack ')) ?? '')?.[1] ?? 0);
}

/** What was acknowledged before must be there now; how far it goes. */
async function startedAfter(answers: Answers, acknowledged: number): Promise<number> {
  const there = Number((await answers.waitFor(/^start (\d+)$/))[1]);
  if (there < acknowledged) throw new Error(`${acknowledged} was acknowledged, ${there} is there`);
  return there;
}

async function check(name: string, run: () => Promise<string>): Promise<void> {
  try {
    process.stdout.write(`ok   ${name}: ${await run()}\n`);
    passed += 1;
  } catch (error) {
    process.stdout.write(`FAIL ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    failed += 1;
  }
}

await check('kill -9', async () => {
  const dir = join(root, 'kill');
  let acknowledged = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const one = writer(dir);
    try {
      const there = await startedAfter(one, acknowledged);
      await one.waitFor(new RegExp(`^ack ${there + 1 + ((kill * 37) % 90)}$`));
    } finally {
      one.child.kill('SIGKILL');
      await one.gone;
    }
    acknowledged = lastAck(one);
  }
  const last = writer(dir);
  await startedAfter(last, acknowledged);
  last.child.kill('SIGKILL');
  await last.gone;
  return `${kills} kills, ${acknowledged} acknowledged writes, all there`;
});

if (process.getuid?.() !== 0) process.stdout.write('left out, it needs root: a full disk on ext4\n');
else {
  await check('a full disk', async () => {
    const [image, dir] = [join(root, 'disk.img'), join(root, 'disk')];
    mkdirSync(dir);
    execFileSync('truncate', ['-s', '48M', image]);
    execFileSync('mkfs.ext4', ['-q', '-F', image]);
    execFileSync('mount', ['-o', 'loop', image, dir]);
    let one: Answers | null = null;
    try {
      one = writer(join(dir, 'store'));
      await startedAfter(one, 0);
      await one.waitFor(/^ack 20$/);
      execFileSync('sh', ['-c', `dd if=/dev/zero of=${dir}/junk bs=64k 2>/dev/null; true`]);
      await one.waitFor(/^no MANAGER_STORE_FULL$/);
      await one.waitFor(/^alarms .*disk-full/);
      const before = lastAck(one);
      rmSync(join(dir, 'junk'));
      await one.waitFor(new RegExp(`^ack ${before + 50}$`));
      one.child.kill('SIGKILL');
      await one.gone;
      const acknowledged = lastAck(one);
      one = writer(join(dir, 'store'));
      await startedAfter(one, acknowledged);
      return `refused with the alarm after ${before}, went on when there was room; all ${acknowledged} there after a kill`;
    } finally {
      one?.child.kill('SIGKILL');
      await one?.gone;
      execFileSync('umount', ['-l', dir]);
    }
  });
}

if (!existsSync('/usr/bin/strace')) process.stdout.write('left out, it needs strace: a sync that fails\n');
else {
  await check('a sync that fails', async () => {
    const dir = join(root, 'eio');
    let acknowledged = 0;
    for (const when of [30, 60, 90]) {
      const one = writer(dir, ['/usr/bin/strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${when}+`]);
      await startedAfter(one, acknowledged);
      const code = await one.gone;
      if (code !== 9) throw new Error(`the process ended with ${code}, not by itself with 9`);
      acknowledged = Math.max(acknowledged, lastAck(one));
    }
    const last = writer(dir);
    await startedAfter(last, acknowledged);
    last.child.kill('SIGKILL');
    await last.gone;
    return `3 times the process ended; all ${acknowledged} acknowledged writes are there`;
  });
}

rmSync(root, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
