import { expect, test, vi } from 'vitest';
import type { Output } from '../../src/cli/context.ts';
import { createProgressPrinter, type ProgressPrinter } from '../../src/cli/print/progress.ts';
import type { ProgressEvent } from '../../src/model/progress.ts';

/** A terminal that knows what the printer uses: line ends, up, erase below, erase line, hide and show. What leaves at the top is in `scrolled`. */
class Terminal implements Output {
  readonly isTty = true;
  readonly scrolled: string[] = [];
  readonly #columns: number;
  readonly #rows: number;
  #lines: string[] = [''];
  #row = 0;
  isCursorHidden = false;

  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#rows = rows;
  }

  columns = (): number => this.#columns;
  rows = (): number => this.#rows;

  write = (text: string | Uint8Array): void => {
    // oxlint-disable-next-line no-control-regex
    for (const [, sequence, one] of String(text).matchAll(/(\u001b\[[?\d;]*[A-Za-z])|([^])/gu)) {
      if (sequence !== undefined) this.#obey(sequence);
      else if (one === '\n') this.#down();
      else if (one === '\r') this.#lines[this.#row] = '';
      else if (one !== undefined) this.#put(one);
    }
  };

  screen(): string[] {
    return this.#lines.map((line) => line.trimEnd()).filter((line, index, all) => line !== '' || index < all.length - 1);
  }

  #put(one: string): void {
    if ([...(this.#lines[this.#row] ?? '')].length >= this.#columns) this.#down();
    this.#lines[this.#row] = (this.#lines[this.#row] ?? '') + one;
  }

  #down(): void {
    this.#row += 1;
    this.#lines[this.#row] = '';
    if (this.#row < this.#rows) return;
    this.scrolled.push(this.#lines.shift() ?? '');
    this.#row -= 1;
  }

  #obey(sequence: string): void {
    const count = Number(/\d+/.exec(sequence)?.[0] ?? 1);
    if (sequence.endsWith('A')) this.#row = Math.max(0, this.#row - count);
    else if (sequence.endsWith('J')) this.#lines = this.#lines.slice(0, this.#row + 1);
    else if (sequence.endsWith('K')) this.#lines[this.#row] = '';
    else if (sequence === '\u001b[?25l') this.isCursorHidden = true;
    else if (sequence === '\u001b[?25h') this.isCursorHidden = false;
  }
}

function onTerminal(columns: number, rows: number): { readonly terminal: Terminal; readonly printer: ProgressPrinter; readonly tick: () => void } {
  vi.useFakeTimers();
  const terminal = new Terminal(columns, rows);
  return { terminal, printer: createProgressPrinter({ mode: 'tty', out: terminal, title: 'up', isColoured: true, nowMs: () => 0, isDryRun: false }), tick: () => void vi.advanceTimersByTime(100) };
}

const line = (id: string, status: ProgressEvent['status'], text: string): ProgressEvent => ({ kind: 'progress', id, status, text });

test('more lines than the terminal has rows: nothing is scrolled away while it draws, and the end has them all', () => {
  const { terminal, printer, tick } = onTerminal(60, 8);
  for (let index = 1; index <= 20; index += 1) printer.event(line(`Container c-${index}`, index === 17 ? 'working' : 'done', index === 17 ? 'Waiting' : 'Started'));
  for (let ticks = 0; ticks < 30; ticks += 1) tick();
  expect(terminal.scrolled).toEqual([]);
  expect(terminal.screen()).toHaveLength(7);
  expect(terminal.screen().join('\n')).toContain('Container c-17 Waiting');
  expect(terminal.screen().at(-1)).toBe(' ... 15 more');
  printer.event(line('Container c-17', 'done', 'Healthy'));
  printer.finish();
  const all = [...terminal.scrolled, ...terminal.screen()].map((one) => one.trimEnd());
  expect(all[0]).toBe('[+] up 20/20');
  expect(all.slice(1).map((one) => /c-\d+/.exec(one)?.[0])).toEqual(Array.from({ length: 20 }, (_, index) => `c-${index + 1}`));
});

test.for([80, 40, 24, 12, 5])('in %i columns no line is wider, so that none is drawn twice', (columns) => {
  const { terminal, printer, tick } = onTerminal(columns, 24);
  printer.event({ ...line('Container application-with-a-long-name-1', 'working', 'Creating'), details: 'and a long word of explanation that has no room anywhere' });
  printer.event(line('Image registry.example.com/team/application:2026-11-21', 'working', 'Pulling'));
  printer.event({ ...line('0123456789ab', 'working', 'Downloading'), parentId: 'Image registry.example.com/team/application:2026-11-21', currentBytes: 1_000_000, totalBytes: 100_000_000 });
  for (let ticks = 0; ticks < 5; ticks += 1) tick();
  expect(terminal.screen()).toHaveLength(3);
});

test('a warning stands above the lines, which are not drawn twice', () => {
  const { terminal, printer, tick } = onTerminal(60, 24);
  printer.event(line('Network n', 'done', 'Created'));
  tick();
  printer.event({ kind: 'warning', code: 'CLUSTER_ORPHANS', message: 'found containers' });
  tick();
  printer.finish();
  expect(terminal.screen().map((one) => one.trim().split(/ {2,}/)[0])).toEqual(['WARN CLUSTER_ORPHANS: found containers', '[+] up 1/1', '✔ Network n Created']);
});

test('the cursor is hidden while it draws, and shown at the end', () => {
  const { terminal, printer, tick } = onTerminal(60, 24);
  printer.event(line('Network n', 'working', 'Creating'));
  tick();
  expect(terminal.isCursorHidden).toBe(true);
  printer.finish();
  expect(terminal.isCursorHidden).toBe(false);
});

test('what containers say stands above the lines, and is not drawn over', () => {
  const { terminal, printer, tick } = onTerminal(60, 24);
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    printer.event(line(`Container c-${index}`, 'working', 'Starting'));
    tick();
    printer.aside?.(() => terminal.write(`c-${index} | ${text}\n`));
  }
  printer.finish();
  expect(terminal.screen().slice(0, 4)).toEqual(['c-0 | one', 'c-1 | two', 'c-2 | three', '[+] up 0/3']);
  expect(terminal.screen()).toHaveLength(7);
});

test('a layer that two images share is told of as the first one\'s only', () => {
  let text = '';
  const out: Output = { isTty: false, write: (part) => void (text += String(part)), columns: () => 80, rows: () => 24 };
  const printer = createProgressPrinter({ mode: 'plain', out, title: 'pull', isColoured: false, nowMs: () => 0, isDryRun: false });
  const layer = (parentId: string, status: ProgressEvent['status'], word: string): void => printer.event({ kind: 'progress', id: '0123456789ab', parentId, status, text: word });
  layer('Image a', 'working', 'Waiting');
  layer('Image b', 'working', 'Waiting');
  layer('Image a', 'done', 'Pull complete');
  layer('Image b', 'working', 'Waiting');
  layer('Image b', 'done', 'Already exists');
  layer('Image b', 'error', 'Error');
  expect(text).toBe(' 0123456789ab Waiting \n 0123456789ab Pull complete \n 0123456789ab Error \n');
});
