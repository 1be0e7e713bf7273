import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPty } from '../../../src/os/pty.ts';
import { eventually, home, makeWorld, type World } from './world.ts';

// A person at a terminal (docker compose exec, up): every key goes through, every line comes back as it was, the terminal is left as it was found.
let world: World;
let cwd: string;
beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'compose.yaml': 'services: {web: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}' });
  await world.ok(['compose', 'up', '-d'], { cwd });
}, 60_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

type Terminal = { readonly screen: () => string; readonly type: (keys: string) => void; readonly resize: (columns: number, rows: number) => void; readonly ended: Promise<number | null>; readonly sees: (text: string | RegExp) => Promise<void> };

/** Runs a shell line in a session that has a terminal of its own, as a terminal's window does. */
function terminal(line: string): Terminal {
  const pty = openPty();
  let screen = '';
  pty.onData((chunk) => (screen += Buffer.from(chunk).toString()));
  pty.resize(90, 30);
  const child = spawn('setsid', ['--ctty', '--wait', 'sh', '-c', line], {
    cwd, stdio: [pty.slaveFd, pty.slaveFd, pty.slaveFd],
    env: { ...process.env, TERM: 'xterm', FLOTILLA_ROOT: join(world.dir, 'root'), FLOTILLA_RUN: join(world.dir, 'run'), FLOTILLA_CONFIG: join(world.dir, 'config.json'), HOME: world.dir, NO_COLOR: '1', PATH: `${join(home, 'bin')}:${process.env['PATH'] ?? ''}` },
  });
  pty.closeSlave();
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code))).then(async (code) => {
    await pty.ended;
    pty.close();
    return code;
  });
  return {
    screen: () => screen,
    type: (keys) => pty.write(Buffer.from(keys)),
    resize: (columns, rows) => pty.resize(columns, rows),
    ended,
    sees: async (text) => {
      await eventually(() => screen, (now) => (typeof text === 'string' ? now.includes(text) : text.test(now)), 15_000);
    },
  };
}

describe('exec on a terminal', () => {
  test('a shell: it echoes, has the size of the window and follows it, and ends with its code', async () => {
    const at = terminal('flotilla compose exec web sh');
    await at.sees('# ');
    at.type('echo he""llo; stty size\r');
    await at.sees(/hello\r\n30 90\r\n/);
    at.resize(121, 40);
    await eventually(() => {
      at.type('stty size\r');
      return at.screen();
    }, (now) => now.includes('40 121\r\n'), 10_000);
    at.type('exit 7\r');
    expect(await at.ended).toBe(7);
    expect(at.screen()).not.toContain('\r\r\n');
  });
  test('Ctrl-C interrupts the program in the container, not the command; Ctrl-\\ and Ctrl-Z go there too', async () => {
    const at = terminal('flotilla compose exec web sh -c \'trap "echo int" INT; trap "echo quit" QUIT; trap "echo stop" TSTP; echo armed; while :; do read -r x && echo got $x && [ "$x" = end ] && exit 3; done\'');
    await at.sees('armed\r\n');
    at.type('\u0003');
    await at.sees('int\r\n');
    at.type('\u001c');
    await at.sees('quit\r\n');
    at.type('\u001a');
    await at.sees('stop\r\n');
    at.type('end\r');
    await at.sees('got end');
    expect(await at.ended).toBe(3);
  });
  test('Ctrl-D ends the input; a program that Ctrl-C kills ends with 130', async () => {
    // Typed as soon as anything is seen: at some moment of each start, which is another one each time.
    for (let round = 0; round < 12; round += 1) {
      const reads = terminal('flotilla compose exec web cat');
      reads.type('one line\r');
      await reads.sees(/one line\r\none line\r\n/);
      reads.type('\u0004');
      expect(await reads.ended).toBe(0);
    }
    const sleeps = terminal('flotilla compose exec web sh -c "echo here; exec sleep 1000"');
    await sleeps.sees('here');
    sleeps.type('\u0003');
    expect(await sleeps.ended).toBe(130);
  });
  test('the terminal is as it was, after a good end, a bad one and a command that is not there', async () => {
    for (const [command, code] of [['true', 0], ['sh -c "exit 9"', 9], ['no-such-program', 127]] as const) {
      const at = terminal(`before=$(stty -g); flotilla compose exec web ${command}; code=$?; [ "$before" = "$(stty -g)" ] && echo as before; exit $code`);
      expect(await at.ended, command).toBe(code);
      expect(at.screen()).toContain('as before\r\n');
      expect(at.screen()).not.toContain('\r\r\n');
    }
  });
  test('-T has no terminal though there is one; a pipe on one side takes it away too', async () => {
    const plain = terminal('flotilla compose exec -T web tty; echo code $?');
    await plain.sees(/not a tty\r\ncode 1/);
    await plain.ended;
    const piped = terminal('echo in | flotilla compose exec web sh -c "cat; tty"; echo code $?');
    await piped.sees(/in\r\nnot a tty\r\ncode 1/);
    await piped.ended;
  });
  test('the container goes away under it: the command ends', async () => {
    const other = terminal('cd $(mktemp -d) && printf "services: {gone: {image: busybox, command: [sleep, infinity], stop_signal: KILL}}" > compose.yaml && flotilla compose up -d >/dev/null 2>&1; (sleep 1.5; flotilla compose down -t 0 >/dev/null 2>&1) & flotilla compose exec gone sh -c "echo in there; sleep 1000"; echo code $?; wait');
    await other.sees('in there');
    await other.sees(/code 137\r\n/);
    await other.ended;
  });
});

test('up on a terminal: Ctrl-C reaches it once, what runs is stopped, and the last words are shown', async () => {
  const at = terminal('trap : INT; cd $(mktemp -d) && printf \'services: {one: {image: busybox, command: [sh, -c, "trap \\"echo last words; exit 0\\" TERM; echo ready; while :; do sleep 0.05; done"]}}\' > compose.yaml && flotilla compose up; code=$?; flotilla compose ps -a --format json; flotilla compose down >/dev/null 2>&1; exit $code');
  await at.sees('ready');
  at.type('\u0003');
  await at.sees('Gracefully Stopping... press Ctrl+C again to force');
  await at.sees('last words');
  await at.ended;
  expect(at.screen()).toMatch(/"State":"exited"/);
});
