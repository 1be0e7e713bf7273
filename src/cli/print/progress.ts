import type { ChangeEvent, ProgressEvent } from '../../model/progress.ts';
import type { Output } from '../context.ts';
import { plainText } from './plain-text.ts';

export type ProgressMode = 'tty' | 'plain' | 'json' | 'quiet';

/** Prints a stream of changes. `finish` leaves the terminal as it was found. */
export type ProgressPrinter = {
  readonly event: (event: ChangeEvent) => void;
  readonly finish: () => void;
  /** Lets something else write to the same terminal, above the lines that are redrawn. */
  readonly aside?: (write: () => void) => void;
};

export function createProgressPrinter(options: {
  readonly mode: ProgressMode;
  readonly out: Output;
  readonly title: string;
  readonly isColoured: boolean;
  readonly nowMs: () => number;
  readonly isDryRun: boolean;
}): ProgressPrinter {
  switch (options.mode) {
    case 'quiet':
      return plainly({ event: (event) => printWarning(options.out, event), finish: () => undefined });
    case 'plain':
      return plainly(plainPrinter(options.out, options.isDryRun));
    case 'json':
      return { event: (event) => options.out.write(`${JSON.stringify(jsonLine(event, options.isDryRun))}\n`), finish: () => undefined };
    case 'tty':
      return plainly(ttyPrinter(options));
  }
}

/** Names and messages come from files and registries: see plain-text.ts. JSON escapes them itself. */
function plainly(printer: ProgressPrinter): ProgressPrinter {
  const firstParents = new Map<string, string>();
  return {
    ...printer,
    event: (event) => {
      if (event.kind === 'progress' && event.parentId !== undefined) {
        // A layer that several images share is told of once, as the first one's.
        const parent = firstParents.get(event.id) ?? event.parentId;
        firstParents.set(event.id, parent);
        if (parent !== event.parentId && event.status !== 'error') return;
      }
      if (event.kind === 'warning') printer.event({ ...event, message: plainText(event.message) });
      else if (event.kind === 'progress') printer.event({ ...event, id: plainText(event.id), ...(event.details === undefined ? {} : { details: plainText(event.details) }) });
      else printer.event(event);
    },
  };
}

/** Leaves the lines of images and their layers out, errors apart. */
export function withoutPulls(printer: ProgressPrinter): ProgressPrinter {
  return { ...printer, event: (event) => (event.kind === 'progress' && event.status !== 'error' && (event.parentId ?? event.id).startsWith('Image ') ? undefined : printer.event(event)) };
}

/** Leaves the warning out that containers are there whose service is gone from the file. */
export function withoutOrphans(printer: ProgressPrinter): ProgressPrinter {
  return { ...printer, event: (event) => (event.kind === 'warning' && event.code === 'CLUSTER_ORPHANS' ? undefined : printer.event(event)) };
}

function printWarning(out: Output, event: ChangeEvent): void {
  if (event.kind === 'warning') out.write(`WARN ${event.code}: ${event.message}\n`);
}

function plainPrinter(out: Output, isDryRun: boolean): ProgressPrinter {
  const last = new Map<string, string>();
  return {
    event: (event) => {
      printWarning(out, event);
      if (event.kind !== 'progress') return;
      // Bytes of a download are not lines: only what is said anew is printed.
      const text = ` ${event.id} ${event.text} ${event.currentBytes === undefined ? (event.details ?? '') : ''}`;
      if (last.get(event.id) === text) return;
      last.set(event.id, text);
      out.write(`${isDryRun ? ' DRY-RUN MODE - ' : ''}${text}\n`);
    },
    finish: () => undefined,
  };
}

function jsonLine(event: ChangeEvent, isDryRun: boolean): unknown {
  if (event.kind === 'warning') return { warning: true, code: event.code, message: event.message };
  if (event.kind === 'done') return { done: true };
  return {
    ...(isDryRun ? { 'dry-run': true } : {}),
    id: event.id, parent_id: event.parentId, status: event.status, text: event.text, details: event.details,
    current: event.currentBytes, total: event.totalBytes,
    percent: event.currentBytes === undefined || event.totalBytes === undefined || event.totalBytes === 0 ? undefined : Math.floor((event.currentBytes / event.totalBytes) * 100),
  };
}

type Line = { readonly first: number; event: ProgressEvent; doneAt: number | null };

const spinner = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';

/**
 * Redraws the block of lines in place: each 100 ms, for the clocks. It never gets higher than the terminal, since a cursor can't go back to
 * what was scrolled away; the last drawing, which nothing follows, has every line.
 */
function ttyPrinter(options: { readonly out: Output; readonly title: string; readonly isColoured: boolean; readonly nowMs: () => number }): ProgressPrinter {
  const { out } = options;
  const lines = new Map<string, Line>();
  let drawn = 0;
  let tick = 0;
  let timer: NodeJS.Timeout | null = null;
  const toTop = (): string => (drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`);
  const draw = (isLast: boolean): void => {
    const columns = Math.max(1, out.columns());
    const roots = [...lines.values()].filter((line) => line.event.parentId === undefined);
    const done = roots.filter((line) => line.event.status !== 'working').length;
    // The header, the line below the block that the cursor stands on, and the line that tells of more.
    const shown = isLast ? roots : mostWanted(roots, Math.max(1, out.rows() - 3));
    const text = [`[+] ${options.title} ${done}/${roots.length}`.slice(0, columns), ...shown.map((line) => lineText(line, lines, { columns, nowMs: options.nowMs(), tick, isColoured: options.isColoured }))];
    if (roots.length > shown.length) text.push(` ... ${roots.length - shown.length} more`.slice(0, columns));
    out.write(`${timer === null ? '' : '\u001b[?25l'}${toTop()}${text.join('\n')}\n${isLast ? '\u001b[?25h' : ''}`);
    drawn = text.length;
  };
  const onTick = (): void => {
    tick += 1;
    draw(false);
  };
  const aside = (write: () => void): void => {
    if (drawn > 0) out.write(toTop());
    drawn = 0;
    write();
    if (lines.size > 0) draw(false);
  };
  return {
    aside,
    event: (event) => {
      if (event.kind === 'warning') aside(() => out.write(`${paint('33;1', `WARN ${event.code}: ${event.message}`, options.isColoured)}\n`));
      if (event.kind !== 'progress') return;
      const known = lines.get(event.id);
      const nowMs = options.nowMs();
      if (known === undefined) lines.set(event.id, { first: nowMs, event, doneAt: event.status === 'working' ? null : nowMs });
      else {
        known.event = event;
        known.doneAt = event.status === 'working' ? null : nowMs;
      }
      timer ??= setInterval(onTick, 100);
    },
    finish: () => {
      if (timer !== null) clearInterval(timer);
      timer = null;
      if (lines.size > 0) draw(true);
      lines.clear();
    },
  };
}

/** At most so many, in their order: what failed or is at work before what is done, and of that the latest. */
function mostWanted(lines: readonly Line[], max: number): readonly Line[] {
  if (lines.length <= max) return lines;
  const rank = (line: Line): number => ({ error: 0, warning: 0, working: 1, done: 2 })[line.event.status];
  const wanted = new Set(lines.toSorted((a, b) => rank(a) - rank(b) || (b.doneAt ?? 0) - (a.doneAt ?? 0)).slice(0, max));
  return lines.filter((line) => wanted.has(line));
}

function lineText(line: Line, all: ReadonlyMap<string, Line>, at: { readonly columns: number; readonly nowMs: number; readonly tick: number; readonly isColoured: boolean }): string {
  const { event } = line;
  const [mark, colour] =
    event.status === 'working' ? [spinner[at.tick % spinner.length] ?? ' ', '36'] : event.status === 'done' ? ['✔', '32'] : event.status === 'warning' ? ['!', '33;1'] : ['✘', '31;1'];
  const timerText = `${(((line.doneAt ?? at.nowMs) - line.first) / 1000).toFixed(1)}s`;
  const bars = event.status === 'working' ? layerBars([...all.values()].filter((one) => one.event.parentId === event.id)) : '';
  // Mark and clock have a space on either side; where that leaves too little, there is no clock.
  const hasClock = at.columns - timerText.length - 6 >= 12;
  const room = Math.max(1, hasClock ? at.columns - timerText.length - 6 : at.columns - 4);
  const long = `${event.id}${bars} ${event.text}${event.details === undefined || event.details === '' ? '' : ` ${event.details}`}`;
  const fitting = [long, `${event.id}${bars} ${event.text}`, `${event.id} ${event.text}`].find((body) => body.length <= room);
  const body = fitting ?? `${event.id.slice(0, Math.max(3, room - event.text.length - 4))}... ${event.text}`.slice(0, room);
  return ` ${paint(colour, mark, at.isColoured)} ${hasClock ? `${body.padEnd(room)} ${paint('34', timerText, at.isColoured)}` : body}`;
}

const braille = '⠀⡀⣀⣄⣤⣦⣶⣷⣿';

/** One cell a layer, filled as it comes in, and the sum of the bytes. */
function layerBars(children: readonly Line[]): string {
  const sized = children.filter((line) => line.event.totalBytes !== undefined);
  if (children.length === 0) return '';
  const cells = children.map((line) => {
    if (line.event.status !== 'working') return braille.at(-1);
    const part = (line.event.currentBytes ?? 0) / Math.max(1, line.event.totalBytes ?? 1);
    return braille[Math.min(braille.length - 1, Math.floor(part * (braille.length - 1)))];
  });
  const sum = (pick: (event: ProgressEvent) => number | undefined): number => sized.reduce((total, line) => total + (pick(line.event) ?? 0), 0);
  const bytes = sized.length === 0 ? '' : ` ${megabytes(sum((event) => event.currentBytes))} / ${megabytes(sum((event) => event.totalBytes))}`;
  return ` [${cells.join('')}]${bytes}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)}MB`;
}

function paint(code: string, text: string, isColoured: boolean): string {
  return isColoured ? `\u001b[${code}m${text}\u001b[0m` : text;
}
