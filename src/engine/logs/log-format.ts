import type { LogLine } from '../../model/container.ts';

/**
 * One line of the monitor's log: `<RFC 3339 time> <stdout|stderr> <F|P> <text>`, where P says that the program's line goes on in the next.
 * null for what is no such line (the first after a cut, a line torn by a crash).
 */
export function parseLogLine(line: string): LogLine | null {
  const timeEnd = line.indexOf(' ');
  const streamEnd = line.indexOf(' ', timeEnd + 1);
  const tagEnd = line.indexOf(' ', streamEnd + 1);
  if (timeEnd < 1 || streamEnd < 0) return null;
  const time = line.slice(0, timeEnd);
  const stream = line.slice(timeEnd + 1, streamEnd);
  const tag = tagEnd < 0 ? line.slice(streamEnd + 1) : line.slice(streamEnd + 1, tagEnd);
  const timeMs = Date.parse(time.replace(/(\.\d{3})\d*/, '$1'));
  if (Number.isNaN(timeMs) || (stream !== 'stdout' && stream !== 'stderr') || (tag !== 'F' && tag !== 'P')) return null;
  return { stream, timeMs, time, text: tagEnd < 0 ? '' : line.slice(tagEnd + 1), isPartial: tag === 'P' };
}

const newline = 10;

/** Splits chunks of bytes at newlines; the bytes of a line are decoded whole, so that no character is torn. A line is cut at `lineBytesMax`. */
export function lineSplitter(lineBytesMax: number): { readonly push: (chunk: Uint8Array) => string[]; readonly rest: () => string } {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const take = (): string => {
    const text = Buffer.concat(pending).toString('utf8');
    pending = [];
    pendingBytes = 0;
    return text;
  };
  return {
    push: (chunk) => {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        pending.push(Buffer.from(chunk.subarray(start, end)));
        lines.push(take());
        start = end + 1;
      }
      if (start < chunk.length) {
        const rest = chunk.subarray(start, Math.min(chunk.length, start + Math.max(0, lineBytesMax - pendingBytes)));
        pending.push(Buffer.from(rest));
        pendingBytes += rest.length;
      }
      return lines;
    },
    rest: take,
  };
}
