import { AppError } from '../../base/app-error.ts';
import { assert } from '../../base/assert.ts';
import type { Append, AppendResponse, Entry, Message } from '../../raft/types.ts';
import type { Envelope } from './host-messages.ts';
import { decodeItems, encodeItems } from './log-items.ts';
import { fromLogEntry, toLogEntry } from './persister.ts';

/**
 * The two messages that every entry causes, as bytes, format 2, little endian; all others are JSON (format 1).
 *     0  1  format    1  1  kind: 1 append, 2 answer    2  1, 3  1, 4  1  lengths of from, to, cluster id (UTF-8, ≤ 255)
 *     append   5  8 term   13  8 previous index    21  8 previous term    29  8 commit        37  1 zero
 *     answer   5  8 term   13  8 index             21  8 hint index       29  8 hint term     37  1 is a refusal
 *    38  …  from, to, cluster id    …  entries as in the log, to the end
 */
export const appendFormat = 2;
const kinds = { append: 1, answer: 2 } as const;
const headBytes = 38;
const nothing = new Uint8Array(0);

/** Null: another kind of message, or one whose inner sender, receiver or cluster differ from the outer. */
export function encodeAppend(envelope: Envelope): Uint8Array | null {
  if (envelope.message.kind !== 'raft') return null;
  const { message } = envelope.message;
  if (message.kind !== 'append' && message.kind !== 'append-response') return null;
  if (message.from !== envelope.from || message.to !== envelope.to || message.clusterId !== envelope.clusterId) return null;
  const ids = idBytesOf(message);
  if (ids === null) return null;
  const bulk = message.kind === 'append' ? bytesOf(message.entries) : nothing;
  const idsEnd = headBytes + ids.bytes.length;
  const bytes = Buffer.allocUnsafe(idsEnd + bulk.length);
  bytes[0] = appendFormat;
  bytes[2] = ids.lengths[0];
  bytes[3] = ids.lengths[1];
  bytes[4] = ids.lengths[2];
  if (message.kind === 'append') {
    bytes[1] = kinds.append;
    putNumbers(bytes, message.term, message.prevIndex, message.prevTerm, message.commit);
    bytes[37] = 0;
  } else {
    bytes[1] = kinds.answer;
    putNumbers(bytes, message.term, message.index, message.hintIndex, message.hintTerm);
    bytes[37] = message.isReject ? 1 : 0;
  }
  bytes.set(ids.bytes, headBytes);
  if (bulk.length > 0) bytes.set(bulk, idsEnd);
  return bytes;
}

/** Errors: MANAGER_BAD_MESSAGE; MANAGER_WAL_DAMAGED where the entries cannot be read. The core checks the numbers again. */
export function decodeAppend(frame: Uint8Array): Envelope {
  if (frame.length < headBytes) throw bad('its head is too short');
  const bytes = Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const ids = idsOf(bytes);
  const { from, to, clusterId } = ids;
  return { from, to, clusterId, message: { kind: 'raft', message: messageOf(bytes, ids, headBytes + ids.bytes.length) } };
}

type Names = Pick<Append, 'from' | 'to' | 'clusterId'>;
type Ids = Names & { readonly lengths: readonly [number, number, number]; readonly bytes: Uint8Array };

/** The ids of the last messages, by receiver and by place: the same come again and again, and are made from text, or read as text, once. */
const written: Map<string, Ids> = new Map();
const read: Ids[] = [];
const knownMax = 16;
let readCount = 0;

/** Null where one is too long. */
function idBytesOf({ from, to, clusterId }: Names): Ids | null {
  const known = written.get(to);
  if (known?.from === from && known.clusterId === clusterId) return known;
  const lengths = [Buffer.byteLength(from), Buffer.byteLength(to), Buffer.byteLength(clusterId)] as const;
  if (lengths.some((length) => length > 255)) return null;
  const ids = { from, to, clusterId, lengths, bytes: Buffer.concat([from, to, clusterId].map((id) => Buffer.from(id))) };
  if (written.size >= knownMax) written.clear();
  written.set(to, ids);
  return ids;
}

function idsOf(bytes: Buffer): Ids {
  for (const known of read) if (isSameIds(known, bytes)) return known;
  const lengths = [bytes[2] ?? 0, bytes[3] ?? 0, bytes[4] ?? 0] as const;
  const fromEnd = headBytes + lengths[0];
  const toEnd = fromEnd + lengths[1];
  const idsEnd = toEnd + lengths[2];
  if (idsEnd > bytes.length) throw bad('its ids are cut off');
  const ids = {
    from: bytes.toString('utf8', headBytes, fromEnd), to: bytes.toString('utf8', fromEnd, toEnd), clusterId: bytes.toString('utf8', toEnd, idsEnd),
    lengths, bytes: new Uint8Array(bytes.subarray(headBytes, idsEnd)),
  };
  read[readCount % knownMax] = ids;
  readCount += 1;
  return ids;
}

function isSameIds(known: Ids, bytes: Buffer): boolean {
  const { lengths, bytes: ids } = known;
  if (bytes[2] !== lengths[0] || bytes[3] !== lengths[1] || bytes[4] !== lengths[2] || headBytes + ids.length > bytes.length) return false;
  for (let at = 0; at < ids.length; at += 1) if (ids[at] !== bytes[headBytes + at]) return false;
  return true;
}

function messageOf(bytes: Buffer, ids: Names, idsEnd: number): Message {
  const { from, to, clusterId } = ids;
  const term = numberAt(bytes, 5);
  const second = numberAt(bytes, 13);
  const third = numberAt(bytes, 21);
  const fourth = numberAt(bytes, 29);
  const kind = bytes[1] ?? 0;
  if (kind === kinds.append) return { kind: 'append', from, to, term, clusterId, prevIndex: second, prevTerm: third, commit: fourth, entries: entriesOf(bytes, idsEnd) };
  if (kind === kinds.answer && idsEnd === bytes.length) return { kind: 'append-response', from, to, term, clusterId, index: second, isReject: bytes[37] === 1, hintIndex: third, hintTerm: fourth } satisfies AppendResponse;
  throw bad(`kind ${kind}`);
}

/** What was encoded last: two followers mostly get the same. */
let last: { readonly first: Entry; readonly last: Entry; readonly bytes: Uint8Array } | null = null;
const keptBytesMax = 256 * 1024;

function bytesOf(entries: readonly Entry[]): Uint8Array {
  const [first] = entries;
  const end = entries.at(-1);
  if (first === undefined || end === undefined) return nothing;
  // NOTE: an entry is never changed, and between two of one log there is one way: the same ends are the same entries.
  if (last?.first === first && last.last === end) return last.bytes;
  const bytes = encodeItems([{ kind: 'entries', entries: entries.map(toLogEntry) }]);
  last = bytes.length > keptBytesMax ? null : { first, last: end, bytes };
  return bytes;
}

/** The entries keep the memory that the message came in where that holds little else, or else one copy of their bytes together. */
function entriesOf(bytes: Buffer, at: number): Entry[] {
  const entries: Entry[] = [];
  if (at === bytes.length) return entries;
  const bulk = new Uint8Array(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  const isMostly = bulk.length * 2 >= bytes.buffer.byteLength;
  for (const item of decodeItems(isMostly ? bulk : bulk.slice(), 'shared')) {
    if (item.kind !== 'entries') throw bad('it carries something else than entries');
    for (const entry of item.entries) entries.push(fromLogEntry(entry));
  }
  return entries;
}

function putNumbers(bytes: Buffer, term: number, second: number, third: number, fourth: number): void {
  putNumber(bytes, 5, term);
  putNumber(bytes, 13, second);
  putNumber(bytes, 21, third);
  putNumber(bytes, 29, fourth);
}

function putNumber(bytes: Buffer, at: number, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) assert(false, `a number of a message is whole, not ${value}`);
  bytes.writeUInt32LE(value % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function numberAt(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
  if (!Number.isSafeInteger(value)) throw bad(`a number of ${value}`);
  return value;
}

function bad(what: string): AppError {
  return new AppError({ code: 'MANAGER_BAD_MESSAGE', message: `a message of a member is refused: ${what}` });
}
