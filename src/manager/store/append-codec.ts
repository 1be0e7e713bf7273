import { AppError } from '../../base/app-error.ts';
import type { Append, AppendResponse, Entry, Message } from '../../raft/types.ts';
import type { Envelope } from './host-messages.ts';
import { decodeItems, encodeItems } from './log-items.ts';
import { fromLogEntry, toLogEntry } from './persister.ts';
import { getWide, putWide, viewOf } from './wal-format.ts';

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
  const from = Buffer.byteLength(message.from);
  const to = Buffer.byteLength(message.to);
  const cluster = Buffer.byteLength(message.clusterId);
  if (from > 255 || to > 255 || cluster > 255) return null;
  const bulk = message.kind === 'append' ? bytesOf(message.entries) : nothing;
  const idsEnd = headBytes + from + to + cluster;
  const bytes = Buffer.allocUnsafeSlow(idsEnd + bulk.length);
  bytes[0] = appendFormat;
  bytes[1] = message.kind === 'append' ? kinds.append : kinds.answer;
  bytes[2] = from;
  bytes[3] = to;
  bytes[4] = cluster;
  const view = viewOf(bytes);
  const numbers = message.kind === 'append' ? [message.term, message.prevIndex, message.prevTerm, message.commit] : [message.term, message.index, message.hintIndex, message.hintTerm];
  numbers.forEach((value, at) => putWide(view, 5 + at * 8, value));
  bytes[37] = message.kind === 'append-response' && message.isReject ? 1 : 0;
  bytes.write(message.from, headBytes);
  bytes.write(message.to, headBytes + from);
  bytes.write(message.clusterId, headBytes + from + to);
  bytes.set(bulk, idsEnd);
  return bytes;
}

/** Errors: MANAGER_BAD_MESSAGE; MANAGER_WAL_DAMAGED where the entries cannot be read. The core checks the numbers again. */
export function decodeAppend(frame: Uint8Array): Envelope {
  if (frame.length < headBytes) throw bad('its head is too short');
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const [, kind, fromBytes = 0, toBytes = 0, clusterBytes = 0] = bytes;
  const idsEnd = headBytes + fromBytes + toBytes + clusterBytes;
  if (idsEnd > bytes.length) throw bad('its ids are cut off');
  const from = bytes.toString('utf8', headBytes, headBytes + fromBytes);
  const to = bytes.toString('utf8', headBytes + fromBytes, headBytes + fromBytes + toBytes);
  const clusterId = bytes.toString('utf8', headBytes + fromBytes + toBytes, idsEnd);
  const view = viewOf(bytes);
  const [term = 0, second = 0, third = 0, fourth = 0] = [5, 13, 21, 29].map((at) => safe(getWide(view, at)));
  const head = { from, to, term, clusterId };
  return { from, to, clusterId, message: { kind: 'raft', message: messageOf(kind ?? 0, head, [second, third, fourth], { isReject: bytes[37] === 1, bulk: bytes.subarray(idsEnd) }) } };
}

function messageOf(kind: number, head: Pick<Append, 'from' | 'to' | 'term' | 'clusterId'>, numbers: readonly [number, number, number], rest: { readonly isReject: boolean; readonly bulk: Uint8Array }): Message {
  const [second, third, fourth] = numbers;
  if (kind === kinds.append) return { kind: 'append', ...head, prevIndex: second, prevTerm: third, commit: fourth, entries: entriesOf(rest.bulk) };
  if (kind === kinds.answer && rest.bulk.length === 0) return { kind: 'append-response', ...head, index: second, isReject: rest.isReject, hintIndex: third, hintTerm: fourth } satisfies AppendResponse;
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

/** The entries keep one copy of their bytes together, not the message that they came in. */
function entriesOf(bulk: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  for (const item of bulk.length === 0 ? [] : decodeItems(bulk.slice(), 'shared')) {
    if (item.kind !== 'entries') throw bad('it carries something else than entries');
    for (const entry of item.entries) entries.push(fromLogEntry(entry));
  }
  return entries;
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw bad(`a number of ${value}`);
  return value;
}

function bad(what: string): AppError {
  return new AppError({ code: 'MANAGER_BAD_MESSAGE', message: `a message of a member is refused: ${what}` });
}
