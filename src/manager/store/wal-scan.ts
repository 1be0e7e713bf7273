import { AppError } from '../../base/app-error.ts';
import type { Sealer } from './seal.ts';
import { decodeRecordHeader, isRecordWhole, recordAad, recordAlignBytes, recordHeaderBytes, recordSpanBytes, sectorBytes, segmentHeaderBytes, segmentSeed } from './wal-format.ts';
import type { SegmentHeader } from './wal-format.ts';

export type ScannedSegment = {
  /** Payloads, opened. */
  readonly batches: readonly Uint8Array[];
  /** Where the next record would begin, with what sequence and chain. */
  readonly endAt: number;
  readonly nextSequence: number;
  readonly chain: number;
  /** Bytes of a torn last write after `endAt`; 0 where the end is clean. */
  readonly tornBytes: number;
};

/**
 * Reads all records of one segment.
 * A write that a crash tore is possible only in the last segment, only as its last record, and shows as at least one
 * disk sector still zero (segments are zero-filled ahead), or as a file cut short. Everything else that does not verify is damage
 * to what was once durable, and cutting there could lose acknowledged changes: it is refused.
 * Errors: MANAGER_WAL_DAMAGED, with the offset and the repair.
 */
export function scanSegment(options: { readonly path: string; readonly bytes: Uint8Array; readonly header: SegmentHeader; readonly sealer: Sealer; readonly isLast: boolean }): ScannedSegment {
  const { bytes, header } = options;
  const seed = segmentSeed(header);
  const batches: Uint8Array[] = [];
  let at = segmentHeaderBytes;
  let sequence = header.firstSequence;
  let chain = header.chain;
  const finish = (tornBytes: number): ScannedSegment => ({ batches, endAt: at, nextSequence: sequence, chain, tornBytes });
  for (;;) {
    const verdict = judge(bytes, at, seed, header.sizeBytes);
    if (verdict === 'end') return finish(0);
    if (verdict === 'torn' || verdict === 'damaged') {
      if (!options.isLast) throw damaged(options.path, at, 'a segment before the last one does not verify');
      if (verdict === 'damaged') throw damaged(options.path, at, 'a record that was whole once does not verify');
      if (hasRecordAfter(bytes, at + recordAlignBytes, seed, sequence)) throw damaged(options.path, at, 'a record does not verify, and later ones do');
      return finish(lastNonZero(bytes) + 1 - at);
    }
    const record = decodeRecordHeader(bytes.subarray(at, at + recordHeaderBytes), seed);
    if (record === undefined || record.sequence !== sequence || record.chain !== chain) throw damaged(options.path, at, 'a record is out of order');
    const sealed = bytes.subarray(at + recordHeaderBytes, at + recordHeaderBytes + record.payloadBytes);
    const plain = options.sealer.open(sequence, recordAad(chain, sequence, record.keyId), sealed);
    if (plain === undefined) throw damaged(options.path, at, 'a record was not written with this data key');
    batches.push(plain);
    at += recordSpanBytes(record.payloadBytes);
    sequence += 1;
    chain = record.ownCrc;
  }
}

function judge(bytes: Uint8Array, at: number, seed: number, declaredBytes: number): 'whole' | 'end' | 'torn' | 'damaged' {
  const isCutShort = bytes.length < declaredBytes;
  if (at + recordHeaderBytes > bytes.length) return lastNonZero(bytes.subarray(at)) < 0 ? 'end' : isCutShort ? 'torn' : 'damaged';
  const head = bytes.subarray(at, at + recordHeaderBytes);
  if (isZero(head)) return lastNonZero(bytes.subarray(at)) < 0 ? 'end' : 'torn';
  const header = decodeRecordHeader(head, seed);
  // NOTE: a header lies in one sector, so a torn write leaves it whole or zero; anything else is a flipped bit.
  if (header === undefined) return 'damaged';
  const span = bytes.subarray(at, Math.min(bytes.length, at + recordSpanBytes(header.payloadBytes)));
  if (isRecordWhole(span, header, seed)) return 'whole';
  if (isCutShort && at + recordSpanBytes(header.payloadBytes) > bytes.length) return 'torn';
  return hasZeroSector(bytes, at, at + span.length) ? 'torn' : 'damaged';
}

/** True where some disk sector, as far as it lies in the span, is all zero. A whole record has none: its end mark is not zero and its payload is text or sealed. */
function hasZeroSector(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    if (isZero(bytes.subarray(at, next))) return true;
    at = next;
  }
  return false;
}

function hasRecordAfter(bytes: Uint8Array, start: number, seed: number, sequence: number): boolean {
  for (let at = start; at + recordHeaderBytes <= bytes.length; at += recordAlignBytes) {
    const header = decodeRecordHeader(bytes.subarray(at, at + recordHeaderBytes), seed);
    if (header !== undefined && header.sequence > sequence && isRecordWhole(bytes.subarray(at, at + recordSpanBytes(header.payloadBytes)), header, seed)) return true;
  }
  return false;
}

function isZero(bytes: Uint8Array): boolean {
  return lastNonZero(bytes) < 0;
}

const zeros: Buffer = Buffer.alloc(64 * 1024);

/** The position of the last byte that is not zero, or -1. Zero blocks are skipped by comparison, as most of a segment is zero. */
export function lastNonZero(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end >= zeros.length && zeros.equals(bytes.subarray(end - zeros.length, end))) end -= zeros.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end - 1;
}

function damaged(path: string, at: number, what: string): AppError {
  return new AppError({
    code: 'MANAGER_WAL_DAMAGED',
    message: `${path} is damaged at byte ${at}: ${what}. Starting could lose changes that were acknowledged`,
    hint: 'with other managers alive: flotilla store recover --rejoin (a new member id, the state comes from them); with none: restore a backup with flotilla store restore',
    at: { kind: 'object', object: path },
  });
}
