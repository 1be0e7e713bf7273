import { AppError } from '../../base/app-error.ts';
import type { Sealer } from './seal.ts';
import { decodeRecordHeader, isRecordWhole, recordAad, recordAlignBytes, recordHeaderBytes, recordSpanBytes, sectorBytes, segmentHeaderBytes, segmentSeed, viewOf } from './wal-format.ts';
import type { RecordHeader, SegmentHeader } from './wal-format.ts';

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
  const view = viewOf(bytes);
  const batches: Uint8Array[] = [];
  let at = segmentHeaderBytes;
  let sequence = header.firstSequence;
  let chain = header.chain;
  const finish = (tornBytes: number): ScannedSegment => ({ batches, endAt: at, nextSequence: sequence, chain, tornBytes });
  for (;;) {
    const verdict = judge(bytes, view, at, { seed, declaredBytes: header.sizeBytes });
    if (verdict === 'end') return finish(0);
    if (verdict === 'torn' || verdict === 'damaged') {
      if (!options.isLast) throw damaged(options.path, at, 'a segment before the last one does not verify');
      if (verdict === 'damaged') throw damaged(options.path, at, 'a record that was whole once does not verify');
      if (hasRecordAfter(bytes, view, at + recordAlignBytes, { seed, sequence })) throw damaged(options.path, at, 'a record does not verify, and later ones do');
      return finish(lastNonZero(bytes) + 1 - at);
    }
    const record = verdict;
    if (record.sequence !== sequence || record.chain !== chain) throw damaged(options.path, at, 'a record is out of order');
    const sealed = bytes.subarray(at + recordHeaderBytes, at + recordHeaderBytes + record.payloadBytes);
    const { sealer } = options;
    const plain = sealer.isPlain ? sealed : sealer.open(sequence, recordAad(chain, sequence, record.keyId), sealed);
    if (plain === undefined) throw damaged(options.path, at, 'a record was not written with this data key');
    batches.push(plain);
    at += recordSpanBytes(record.payloadBytes);
    sequence += 1;
    chain = record.ownCrc;
  }
}

/** The header of a whole record, or what is there instead. */
function judge(bytes: Uint8Array, view: DataView, at: number, segment: { readonly seed: number; readonly declaredBytes: number }): RecordHeader | 'end' | 'torn' | 'damaged' {
  const isCutShort = bytes.length < segment.declaredBytes;
  const headEnd = at + recordHeaderBytes;
  if (headEnd > bytes.length) return isZero(bytes, at, bytes.length) ? 'end' : isCutShort ? 'torn' : 'damaged';
  if (isZero(bytes, at, headEnd)) return isZero(bytes, headEnd, bytes.length) ? 'end' : 'torn';
  const header = decodeRecordHeader(bytes, view, at, segment.seed);
  // NOTE: a header lies in one sector, so a torn write leaves it whole or zero; anything else is a flipped bit.
  if (header === undefined) return 'damaged';
  if (isRecordWhole(bytes, at, header, segment.seed)) return header;
  const spanEnd = at + recordSpanBytes(header.payloadBytes);
  if (isCutShort && spanEnd > bytes.length) return 'torn';
  return hasZeroSector(bytes, at, Math.min(bytes.length, spanEnd)) ? 'torn' : 'damaged';
}

/** True where some disk sector, as far as it lies in the span, is all zero. A whole record has none: its end mark is not zero and its payload is text or sealed. */
function hasZeroSector(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    if (isZero(bytes, at, next)) return true;
    at = next;
  }
  return false;
}

function hasRecordAfter(bytes: Uint8Array, view: DataView, start: number, before: { readonly seed: number; readonly sequence: number }): boolean {
  for (let at = start; at + recordHeaderBytes <= bytes.length; at += recordAlignBytes) {
    const header = decodeRecordHeader(bytes, view, at, before.seed);
    if (header !== undefined && header.sequence > before.sequence && isRecordWhole(bytes, at, header, before.seed)) return true;
  }
  return false;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  // NOTE: what is not zero mostly shows at once.
  for (let at = start; at < Math.min(end, start + recordHeaderBytes); at += 1) if (bytes[at] !== 0) return false;
  return end - start <= recordHeaderBytes || lastNonZero(bytes.subarray(start, end)) < 0;
}

const zeros: Buffer = Buffer.alloc(64 * 1024);
const blockSizes: readonly number[] = [zeros.length, 4096, 256];

/** The position of the last byte that is not zero, or -1. Zero blocks are skipped by comparison, as most of a segment is zero. */
export function lastNonZero(bytes: Uint8Array): number {
  let end = bytes.length;
  for (const size of blockSizes) while (end >= size && zeros.compare(bytes, end - size, end, 0, size) === 0) end -= size;
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
