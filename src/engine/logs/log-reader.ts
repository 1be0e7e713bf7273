import { dirname } from 'node:path';
import type { LogLine } from '../../model/container.ts';
import { fdFiles } from '../../os/files.ts';
import { factsQuick, existsQuick } from '../../os/quick-files.ts';
import { watchDir } from '../../os/watch-dir.ts';
import type { LogOptions } from '../engine.ts';
import { lineSplitter, parseLogLine } from './log-format.ts';
import { logFiles } from './log-keeper.ts';

const chunkBytes = 64 * 1024;
const lineBytesMax = 1024 * 1024;
const newline = 10;

/** A log and the end of the container that writes it. */
export type LogSource = {
  readonly path: string;
  readonly hasLog: boolean;
  readonly hasEnded: () => boolean;
  /** Calls back once when it has ended; the answer takes that back. */
  readonly onEnd: (done: () => void) => () => void;
};

type Position = { readonly fd: number; readonly inode: number; offset: number };

/**
 * The lines of a container, oldest first. With `follow` it goes on until the container has ended and all is read, across
 * changes of the file; it waits for inotify, never for a clock. With `tailLines` only the end of the files is read.
 */
export async function* readLogs(source: LogSource, options: LogOptions): AsyncGenerator<LogLine> {
  if (!source.hasLog) return;
  const wake = waker(source, options);
  let at: Position | null = null;
  try {
    const files = logFiles(source.path);
    const start = options.tailLines === null ? { file: 0, offset: 0 } : tailStart(files, options.tailLines);
    for (let index = start.file; index < files.length; index += 1) {
      if (at !== null) fdFiles.close(at.fd);
      at = openAt(files[index] ?? source.path, index === start.file ? start.offset : 0);
      if (at === null) continue;
      for (const line of readToEnd(at)) {
        if (isPast(line, options)) return;
        if (isWanted(line, options)) yield line;
        if (options.signal?.aborted === true) return;
      }
    }
    if (options.follow) yield* follow(source, options, wake, () => at, (next) => (at = next));
  } finally {
    wake.stop();
    if (at !== null) fdFiles.close(at.fd);
  }
}

async function* follow(source: LogSource, options: LogOptions, wake: Waker, get: () => Position | null, set: (at: Position | null) => void): AsyncGenerator<LogLine> {
  const splitter = lineSplitter(lineBytesMax);
  for (;;) {
    const round = wake.round();
    const hasEnded = source.hasEnded();
    if (!hasEnded) wake.listen();
    for (;;) {
      const at = get() ?? openAt(source.path, 0);
      set(at);
      if (at === null) break;
      for (const chunk of chunks(at)) {
        for (const text of splitter.push(chunk)) {
          const line = parseLogLine(text);
          if (line === null) continue;
          if (isPast(line, options)) return;
          if (isWanted(line, options)) yield line;
          if (options.signal?.aborted === true) return;
        }
      }
      // What the old file got to its end is read; if another took its place, that one is next.
      const current = factsQuick(source.path);
      if (current === null || current.inode === at.inode) break;
      if (at.offset < fdFiles.sizeBytes(at.fd)) continue;
      fdFiles.close(at.fd);
      set(openAt(source.path, 0));
    }
    if (hasEnded || options.signal?.aborted === true) return;
    await wake.changedSince(round);
  }
}

type Waker = { readonly listen: () => void; readonly round: () => number; readonly changedSince: (round: number) => Promise<void>; readonly stop: () => void };

/** Counts what happens to the log, to its container and to the caller's patience, so that nothing between a look and a wait is missed. */
function waker(source: LogSource, options: LogOptions): Waker {
  let count = 0;
  let notify: () => void = () => undefined;
  const bump = (): void => {
    count += 1;
    notify();
  };
  const dir = dirname(source.path);
  const stops: (() => void)[] = [];
  if (options.follow) {
    if (existsQuick(dir)) stops.push(watchDir(dir, bump, bump));
    options.signal?.addEventListener('abort', bump, { once: true });
    stops.push(() => options.signal?.removeEventListener('abort', bump));
  }
  let takeBack: () => void = () => undefined;
  return {
    // NOTE: of the present run: one who reads slowly may have missed an end and the start after it.
    listen: () => {
      takeBack();
      takeBack = source.onEnd(bump);
    },
    round: () => count,
    changedSince: async (round) => {
      if (count === round) await new Promise<void>((resolve) => (notify = resolve));
    },
    stop: () => {
      takeBack();
      stops.forEach((one) => one());
    },
  };
}

/** Where the last `lines` lines begin: looks from the end, chunk by chunk, through as many files as it takes. */
function tailStart(files: readonly string[], lines: number): { readonly file: number; readonly offset: number } {
  if (lines <= 0) return { file: files.length - 1, offset: endOf(files.at(-1)) };
  let left = lines;
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const at = openAt(files[index] ?? '', 0);
    if (at === null) continue;
    try {
      const found = lineFromEnd(at.fd, left);
      if (found.offset !== null) return { file: index, offset: found.offset };
      left -= found.lines;
    } finally {
      fdFiles.close(at.fd);
    }
  }
  return { file: 0, offset: 0 };
}

/** Where the last `wanted` lines of one file begin, or null and how many it has. Parts of a line count as one, with its end. */
function lineFromEnd(fd: number, wanted: number): { readonly offset: number | null; readonly lines: number } {
  let lines = 0;
  let after = fdFiles.sizeBytes(fd);
  for (const start of lineStarts(fd)) {
    if (isWholeLine(fd, start)) {
      if (lines === wanted) return { offset: after, lines };
      lines += 1;
    }
    after = start;
  }
  return { offset: lines === wanted ? 0 : null, lines };
}

/** The offset of every line, from the last to the first. */
function* lineStarts(fd: number): Generator<number> {
  const size = fdFiles.sizeBytes(fd);
  const chunk = new Uint8Array(chunkBytes);
  for (let to = size; to > 0; ) {
    const from = Math.max(0, to - chunkBytes);
    const got = fdFiles.read(fd, chunk.subarray(0, to - from), from);
    for (let at = got - 1; at >= 0; at -= 1) if (chunk[at] === newline && from + at + 1 < size) yield from + at + 1;
    to = from;
  }
  if (size > 0) yield 0;
}

/** True where the line at the offset ends a program's line (tag F). */
function isWholeLine(fd: number, offset: number): boolean {
  const head = new Uint8Array(64);
  const got = fdFiles.read(fd, head, offset);
  return / (?:stdout|stderr) F(?: |$|\n)/.test(Buffer.from(head.subarray(0, got)).toString('latin1'));
}

function endOf(file: string | undefined): number {
  return file === undefined ? 0 : (factsQuick(file)?.sizeBytes ?? 0);
}

function openAt(path: string, offset: number): Position | null {
  if (!existsQuick(path)) return null;
  const fd = fdFiles.openRead(path);
  return { fd, inode: factsQuick(`/proc/self/fd/${fd}`)?.inode ?? 0, offset };
}

function* chunks(at: Position): Generator<Uint8Array> {
  for (;;) {
    const chunk = new Uint8Array(chunkBytes);
    const got = fdFiles.read(at.fd, chunk, at.offset);
    if (got === 0) return;
    at.offset += got;
    yield chunk.subarray(0, got);
  }
}

/** Whole lines up to the present end; a line that is still being written is left for later. */
function* readToEnd(at: Position): Generator<LogLine> {
  const splitter = lineSplitter(lineBytesMax);
  for (const chunk of chunks(at)) {
    for (const text of splitter.push(chunk)) {
      const line = parseLogLine(text);
      if (line !== null) yield line;
    }
  }
  at.offset -= Buffer.byteLength(splitter.rest());
}

function isWanted(line: LogLine, options: LogOptions): boolean {
  return options.sinceMs === null || line.timeMs >= options.sinceMs;
}

function isPast(line: LogLine, options: LogOptions): boolean {
  return options.untilMs !== null && line.timeMs > options.untilMs;
}
