import { readSegment } from '../../src/manager/store/wal-segment.ts';
import type { ReadSegment, SegmentToRead } from '../../src/manager/store/wal-segment.ts';

type Remembered = { readonly asked: SegmentToRead; readonly key: Uint8Array | undefined; readonly read: ReadSegment };

/** By the memory that the simulated disk keeps a file in: it hands out another once the file changes. */
const remembered = new WeakMap<ArrayBufferLike, Remembered>();

/**
 * Reads a segment as the shipping code does, and the same bytes only once: members that start over and over read the same old
 * segments each time. A part of the file, another key, or the question whether it is the last make it another reading.
 */
export function readSegmentOnce(asked: SegmentToRead): ReadSegment {
  const known = remembered.get(asked.bytes.buffer);
  if (known !== undefined && isSameAsked(known.asked, asked) && isSameKey(known.key, keyOf(asked, known.read))) return known.read;
  const read = readSegment(asked);
  remembered.set(asked.bytes.buffer, { asked, key: keyOf(asked, read), read });
  return read;
}

function isSameAsked(a: SegmentToRead, b: SegmentToRead): boolean {
  return a.bytes.byteOffset === b.bytes.byteOffset && a.bytes.length === b.bytes.length && a.isLast === b.isLast && a.path === b.path && a.name === b.name && a.memberId === b.memberId && a.clusterId === b.clusterId;
}

function keyOf(asked: SegmentToRead, read: ReadSegment): Uint8Array | undefined {
  return asked.keys.keys.get(read.header.keyId);
}

function isSameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
}
