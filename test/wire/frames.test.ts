import { expect, test } from 'vitest';
import { encodeFrame, frameReader } from '../../src/wire/frames.ts';

const frames = [[0, 'in'], [3, ''], [1, 'x'.repeat(300)], [2, 'y'.repeat(70_000)], [255, 'z']] as const;
const stream = Buffer.concat(frames.map(([type, text]) => encodeFrame(type, Buffer.from(text))));

test.for([1, 2, 4, 5, 6, 1000, 65_536, stream.length])('frames are the same when the stream comes in pieces of %i bytes', (pieceBytes) => {
  const got: [number, string][] = [];
  const read = frameReader(({ type, payload }) => void got.push([type, Buffer.from(payload).toString()]));
  // NOTE: a piece of one byte at a time costs the square of a frame.
  const bytes = pieceBytes < 1000 ? stream.subarray(0, 400) : stream;
  for (let at = 0; at < bytes.length; at += pieceBytes) expect(read(bytes.subarray(at, at + pieceBytes))).toBe(true);
  expect(got).toEqual(frames.slice(0, pieceBytes < 1000 ? 3 : frames.length));
});

test('a frame at the limit is read; one above, or with the highest bit of its length, ends the connection', () => {
  const limit = 1024 * 1024;
  const lengths: number[] = [];
  const reading = (): ((chunk: Uint8Array) => boolean) => frameReader(({ payload }) => void lengths.push(payload.length));
  expect(reading()(encodeFrame(1, new Uint8Array(limit)))).toBe(true);
  expect(lengths).toEqual([limit]);
  expect(reading()(encodeFrame(1, new Uint8Array(limit + 1)).subarray(0, 5))).toBe(false);
  expect(reading()(Uint8Array.from([1, 0x80, 0, 0, 0]))).toBe(false);
  expect(reading()(Uint8Array.from([1, 0xff, 0xff, 0xff, 0xff]))).toBe(false);
});
