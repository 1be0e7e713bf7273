import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openOwnLog } from '../../src/os/own-log.ts';

let dir = '';
let file = '';
const fds: number[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'own-log-'));
  file = join(dir, 'daemon.log');
});
afterEach(() => {
  for (const fd of fds.splice(0)) closeSync(fd);
  rmSync(dir, { recursive: true, force: true });
});

const bytesMax = 100_000;
const lost = (lines: number): string => `${JSON.stringify({ lost: lines })}\n`;

function open(): number {
  const fd = openSync(file, 'a');
  fds.push(fd);
  return fd;
}

function numbers(path: string): number[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => Number(JSON.parse(line).at));
}

describe('a log file of our own', () => {
  test('stays below its bound however much is written; every line is whole, and none between the first and the last that are kept is missing', () => {
    const write = openOwnLog({ fd: open(), file, bytesMax, lost });
    let largest = 0;
    for (let at = 0; at < 10_000; at += 1) {
      write(`${JSON.stringify({ at, text: 'x'.repeat(at % 200) })}\n`);
      largest = Math.max(largest, statSync(file).size);
    }
    expect(largest).toBeLessThan(bytesMax * 1.2);
    expect(statSync(`${file}.1`).size).toBeLessThan(bytesMax * 1.2);
    const kept = [...numbers(`${file}.1`), ...numbers(file)];
    expect(kept.at(-1)).toBe(9_999);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => 10_000 - kept.length + index));
    expect(existsSync(`${file}.1.part`)).toBe(false);
  });

  test('that has grown large before is cut with the first line, and its past is kept once', () => {
    writeFileSync(file, 'before\n'.repeat(100_000));
    const write = openOwnLog({ fd: open(), file, bytesMax, lost });
    write('first\n');
    expect(readFileSync(file, 'utf8')).toBe('first\n');
    expect(statSync(`${file}.1`).size).toBe(700_000);
  });

  test('counts what others write to it', () => {
    const write = openOwnLog({ fd: open(), file, bytesMax, lost });
    write('first\n');
    appendFileSync(file, 'the runtime\'s last words\n'.repeat(8_000));
    for (let at = 0; at < 200; at += 1) write(`${'y'.repeat(100)}\n`);
    expect(statSync(file).size).toBeLessThan(bytesMax * 1.2);
  });

  test('that can not be copied is cut all the same: the bound goes before the past', () => {
    mkdirSync(`${file}.1`);
    const write = openOwnLog({ fd: open(), file, bytesMax, lost });
    for (let at = 0; at < 3_000; at += 1) write(`${'z'.repeat(100)}\n`);
    expect(statSync(file).size).toBeLessThan(bytesMax * 1.2);
    expect(existsSync(`${file}.1.part`)).toBe(false);
  });
});

test('a log that somebody else keeps is left as it is', () => {
  const write = openOwnLog({ fd: open(), file: null, bytesMax, lost });
  for (let at = 0; at < 3_000; at += 1) write(`${'z'.repeat(100)}\n`);
  expect(statSync(file).size).toBe(303_000);
});

describe('where nothing can be written', () => {
  const writer = join(import.meta.dirname, 'own-log-writer.ts');
  test.for([
    ['a full disk', 'exec 2>/dev/full; exec "$0" "$1" 1000 -'],
    ['a reader that has gone', 'exec 2> >(exec true); wait $!; exec "$0" "$1" 1000 -'],
    ['no standard error at all', 'exec 2>&-; exec "$0" "$1" 1000 -'],
  ] as const)('the process goes on: %s', ([, script]) => {
    const ran = spawnSync('bash', ['-c', script, process.execPath, writer], { encoding: 'utf8' });
    expect(ran.stdout).toBe('alive');
    expect(ran.status).toBe(0);
  });

  test('what was lost is counted as soon as there is room again', () => {
    // NOTE: a read-only descriptor refuses as a full disk does, and can be given room by opening it anew.
    const fd = openSync('/dev/null', 'r');
    const write = openOwnLog({ fd, file: null, bytesMax, lost });
    for (const line of ['a\n', 'b\n', 'c\n']) write(line);
    closeSync(fd);
    expect(open()).toBe(fd);
    write('d\n');
    expect(readFileSync(file, 'utf8')).toBe('{"lost":3}\nd\n');
  });
});
