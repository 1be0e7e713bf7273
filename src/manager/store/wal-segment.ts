import { AppError } from '../../base/app-error.ts';
import { batchFacts } from './log-items.ts';
import type { BatchFacts } from './log-items.ts';
import { fileSealer } from './seal.ts';
import type { DataKeys } from './seal.ts';
import { decodeSegmentHeader, segmentHeaderBytes } from './wal-format.ts';
import type { SegmentHeader } from './wal-format.ts';
import { scanSegment } from './wal-scan.ts';
import type { ScannedSegment } from './wal-scan.ts';

export type SegmentToRead = {
  readonly path: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly keys: DataKeys;
  readonly isLast: boolean;
  readonly clusterId: string;
  readonly memberId: string;
};

export type ReadSegment = { readonly header: SegmentHeader; readonly scanned: ScannedSegment; /** One for each batch. */ readonly facts: readonly BatchFacts[] };

export type SegmentReader = (segment: SegmentToRead) => ReadSegment;

/** What a whole segment holds; nothing but what is given decides. Errors: MANAGER_WAL_DAMAGED, MANAGER_WAL_FOREIGN, MANAGER_STORE_KEY_UNKNOWN. */
export function readSegment(segment: SegmentToRead): ReadSegment {
  const { path, bytes, keys, isLast } = segment;
  const header = readHeader(segment);
  const sealer = fileSealer({ keys, keyId: header.keyId, salt: header.salt, fileId: header.segmentId, what: path });
  const scanned = scanSegment({ path, bytes, header, sealer, isLast });
  return { header, scanned, facts: scanned.batches.map(batchFacts) };
}

export function segmentName(id: number): string {
  return `${id.toString(16).padStart(16, '0')}.wal`;
}

export function isSegmentName(name: string): boolean {
  return /^[0-9a-f]{16}\.wal$/.test(name);
}

function readHeader({ path, name, bytes, clusterId, memberId }: SegmentToRead): SegmentHeader {
  const header = decodeSegmentHeader(bytes.subarray(0, segmentHeaderBytes));
  if (header === undefined) {
    throw new AppError({ code: 'MANAGER_WAL_DAMAGED', message: `${path} has a damaged header`, hint: 'flotilla store recover --rejoin, or restore a backup', at: { kind: 'object', object: path } });
  }
  if ('version' in header) {
    throw new AppError({ code: 'MANAGER_WAL_FOREIGN', message: `${path} has format ${header.version}, this version reads format 1`, hint: 'start the version of Flotilla that wrote it', at: { kind: 'object', object: path } });
  }
  if (header.clusterId !== clusterId || header.memberId !== memberId || segmentName(header.segmentId) !== name) {
    throw new AppError({
      code: 'MANAGER_WAL_FOREIGN',
      message: `${path} belongs to member ${header.memberId} of cluster ${header.clusterId}, segment ${header.segmentId}; this is member ${memberId} of cluster ${clusterId}`,
      hint: 'put the right data directory back',
      at: { kind: 'object', object: path },
    });
  }
  return header;
}
