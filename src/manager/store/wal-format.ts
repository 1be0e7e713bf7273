import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.ts';

/**
 * A segment of the log on disk, format 1. Little endian. A segment has a fixed size and is zero-filled before it is used.
 *
 *     0    8  magic "FLWAL\0\0\1"        64  16  salt, random, new for each segment
 *     8    4  format version             80   1  length of the cluster id (≤ 96)   81  …  cluster id
 *    12    4  id of the data key (0: none) 192  1  length of the member id (≤ 96)  193  …  member id
 *    16    8  segment id, never reused   508   4  crc32 of bytes 0–507
 *    24    8  sequence of the first record
 *    32    4  chain value before the first record
 *    40    8  size of the segment
 *
 * Records follow from byte 512, each aligned to 32 bytes, so that a record's header lies in one disk sector:
 *
 *     0   4  payload length             12   1  type (1: items)        24   4  id of the data key
 *     4   4  crc32 of the payload       16   8  sequence               28   4  crc32 of bytes 0–27, seeded by the segment
 *     8   4  chain: bytes 28–31 of the record before
 *    32   …  payload, then zeros, then 8 bytes of end mark
 *
 * One batch is one record and one sync, so whatever is valid after a damaged record proves that the damaged one was once durable.
 */
export const walFormatVersion = 1;
export const segmentHeaderBytes = 512;
export const recordHeaderBytes = 32;
export const recordAlignBytes = 32;
export const sectorBytes = 512;
const endMark: Uint8Array = Uint8Array.from([0xf1, 0x07, 0x11, 0x1a, 0xe0, 0x0d, 0xed, 0x5e]);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const magic: Uint8Array = Uint8Array.from([0x46, 0x4c, 0x57, 0x41, 0x4c, 0, 0, 1]);

export type SegmentHeader = {
  readonly segmentId: number;
  readonly keyId: number;
  readonly firstSequence: number;
  readonly chain: number;
  readonly sizeBytes: number;
  readonly salt: Uint8Array;
  readonly clusterId: string;
  readonly memberId: string;
};

export type RecordHeader = {
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly chain: number;
  readonly sequence: number;
  readonly keyId: number;
  /** The chain value for the next record. */
  readonly ownCrc: number;
};

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic, 0);
  view.setUint32(8, walFormatVersion, true);
  view.setUint32(12, header.keyId, true);
  putWide(view, 16, header.segmentId);
  putWide(view, 24, header.firstSequence);
  view.setUint32(32, header.chain, true);
  putWide(view, 40, header.sizeBytes);
  bytes.set(header.salt, 64);
  putText(bytes, 80, header.clusterId);
  putText(bytes, 192, header.memberId);
  view.setUint32(508, crc32(bytes.subarray(0, 508)), true);
  return bytes;
}

/** `undefined` where the bytes are not a segment header, or are damaged; `version` alone where the format is unknown. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | { readonly version: number } | undefined {
  if (bytes.length < segmentHeaderBytes || magic.some((byte, at) => bytes[at] !== byte)) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(508, true) !== crc32(bytes.subarray(0, 508))) return undefined;
  const version = view.getUint32(8, true);
  if (version !== walFormatVersion) return { version };
  return {
    keyId: view.getUint32(12, true),
    segmentId: getWide(view, 16),
    firstSequence: getWide(view, 24),
    chain: view.getUint32(32, true),
    sizeBytes: getWide(view, 40),
    salt: bytes.slice(64, 80),
    clusterId: getText(bytes, 80),
    memberId: getText(bytes, 192),
  };
}

/** Ties the records of a segment to it: bytes of an older use of the same blocks never verify. */
export function segmentSeed(header: SegmentHeader): number {
  return crc32(encoder.encode(header.clusterId), crc32(header.salt));
}

/** What a record adds around its payload, and the whole span it takes in the file. */
export function recordSpanBytes(payloadBytes: number): number {
  return Math.ceil((recordHeaderBytes + payloadBytes + endMark.length) / recordAlignBytes) * recordAlignBytes;
}

/** A record to write: its span in the file, and a view over the same bytes. */
export type RecordRoom = { readonly bytes: Uint8Array; readonly view: DataView };

export function makeRecordRoom(bytes: number): RecordRoom {
  const made = Buffer.allocUnsafeSlow(bytes);
  return { bytes: made, view: viewOf(made) };
}

/** Puts the rest of a record around the payload, which is in its place already: from byte 32 of the room on. Answers the chain value that the next one carries. */
export function finishRecord(room: RecordRoom, record: { readonly seed: number; readonly chain: number; readonly sequence: number; readonly keyId: number; readonly payloadBytes: number }): number {
  const { bytes, view } = room;
  const payloadEnd = recordHeaderBytes + record.payloadBytes;
  const end = recordSpanBytes(record.payloadBytes);
  view.setUint32(0, record.payloadBytes, true);
  view.setUint32(4, crc32(bytes.subarray(recordHeaderBytes, payloadEnd), record.seed), true);
  view.setUint32(8, record.chain, true);
  view.setUint32(12, 1, true);
  putWide(view, 16, record.sequence);
  view.setUint32(24, record.keyId, true);
  const ownCrc = crc32(bytes.subarray(0, 28), record.seed);
  view.setUint32(28, ownCrc, true);
  bytes.fill(0, payloadEnd, end - endMark.length);
  bytes.set(endMark, end - endMark.length);
  return ownCrc;
}

/** The header of a record at byte `at` of a segment; `view` is over the same bytes. `undefined` where it does not verify. */
export function decodeRecordHeader(bytes: Uint8Array, view: DataView, at: number, seed: number): RecordHeader | undefined {
  if (at + recordHeaderBytes > bytes.length) return undefined;
  const ownCrc = view.getUint32(at + 28, true);
  if (view.getUint8(at + 12) !== 1 || ownCrc !== crc32(bytes.subarray(at, at + 28), seed)) return undefined;
  return {
    payloadBytes: view.getUint32(at, true),
    payloadCrc: view.getUint32(at + 4, true),
    chain: view.getUint32(at + 8, true),
    sequence: getWide(view, at + 16),
    keyId: view.getUint32(at + 24, true),
    ownCrc,
  };
}

/** True where the payload and the end mark of the record at byte `at` are whole. */
export function isRecordWhole(bytes: Uint8Array, at: number, header: RecordHeader, seed: number): boolean {
  const end = at + recordSpanBytes(header.payloadBytes);
  if (end > bytes.length) return false;
  for (let i = 0; i < endMark.length; i += 1) if (bytes[end - endMark.length + i] !== endMark[i]) return false;
  return crc32(bytes.subarray(at + recordHeaderBytes, at + recordHeaderBytes + header.payloadBytes), seed) === header.payloadCrc;
}

/** What encryption binds to a record besides its bytes: who it is and what it follows. */
export function recordAad(chain: number, sequence: number, keyId: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, chain, true);
  putWide(view, 4, sequence);
  view.setUint32(12, keyId, true);
  return bytes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A whole number up to 2^53 in eight bytes. */
export function putWide(view: DataView, at: number, value: number): void {
  // NOTE: the message is made only where it is needed; this runs several times for each entry.
  if (!Number.isSafeInteger(value) || value < 0) assert(false, `a count on disk is a whole number, not ${value}`);
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function getWide(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}

function putText(bytes: Uint8Array, at: number, text: string): void {
  const encoded = encoder.encode(text);
  assert(encoded.length <= 96, `an id on disk has at most 96 bytes: ${text}`);
  bytes[at] = encoded.length;
  bytes.set(encoded, at + 1);
}

function getText(bytes: Uint8Array, at: number): string {
  return decoder.decode(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0)));
}
