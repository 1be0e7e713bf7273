import { AppError } from '../../base/app-error.ts';
import type { Entry, Message } from '../../raft/types.ts';
import { appendFormat, decodeAppend, encodeAppend } from './append-codec.ts';
import type { Envelope, HostMessage, MemberCall } from './host-messages.ts';
import { fromLogEntry, toLogEntry } from './persister.ts';
import { decodeItems, encodeItems } from './log-items.ts';

/**
 * One message between members as bytes, format 1, little endian:
 *     0  1  format    1  4  length of the head    5  …  head: JSON of the envelope without its bulk    …  bulk, to the end
 * The bulk is a forwarded proposal or a chunk of a snapshot. Appends and their answers have a format of their own (append-codec.ts).
 */
const format = 1;
const headBytesMax = 1024 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const nothing = new Uint8Array(0);

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const append = encodeAppend(envelope);
  if (append !== null) return append;
  const { message } = envelope;
  const bulk = bulkOf(message);
  const head = encoder.encode(JSON.stringify({ ...envelope, message: withoutBulk(message) }));
  const bytes = new Uint8Array(5 + head.length + bulk.length);
  bytes[0] = format;
  new DataView(bytes.buffer).setUint32(1, head.length, true);
  bytes.set(head, 5);
  bytes.set(bulk, 5 + head.length);
  return bytes;
}

/** Errors: MANAGER_BAD_MESSAGE. The core checks the numbers of its own messages again. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (bytes[0] === appendFormat) return decodeAppend(bytes);
  if (bytes.length < 5 || bytes[0] !== format) throw bad(`format ${bytes[0] ?? 'none'}`);
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true);
  if (headBytes > headBytesMax || 5 + headBytes > bytes.length) throw bad('its head is too long');
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes.subarray(5, 5 + headBytes)));
  } catch (cause) {
    throw new AppError({ code: 'MANAGER_BAD_MESSAGE', message: 'a message of a member is not JSON', cause });
  }
  if (!isRecord(value) || typeof value['from'] !== 'string' || typeof value['to'] !== 'string' || typeof value['clusterId'] !== 'string' || !isRecord(value['message'])) throw bad('its envelope misses a field');
  return { from: value['from'], to: value['to'], clusterId: value['clusterId'], message: parseMessage(value['message'], bytes.slice(5 + headBytes)) };
}

function bulkOf(message: HostMessage): Uint8Array {
  if (message.kind === 'raft' && message.message.kind === 'append' && message.message.entries.length > 0) return encodeItems([{ kind: 'entries', entries: message.message.entries.map(toLogEntry) }]);
  if (message.kind === 'forward') return message.payload;
  return message.kind === 'snapshot-chunk' ? message.content : nothing;
}

function withoutBulk(message: HostMessage): unknown {
  if (message.kind === 'raft' && message.message.kind === 'append') return { kind: 'raft', message: { ...message.message, entries: [] } };
  if (message.kind === 'forward') return { kind: 'forward' };
  return message.kind === 'snapshot-chunk' ? { ...message, content: null } : message;
}

/** Each kind with its fields and their types; a nested value is checked by who uses it. */
const shapes: Readonly<Record<HostMessage['kind'], Readonly<Record<string, 'string' | 'number' | 'boolean' | 'object'>>>> = {
  raft: { message: 'object' },
  forward: {},
  'forward-refused': { requestId: 'string', code: 'string', message: 'string' },
  call: { callId: 'number', call: 'object' },
  answer: { callId: 'number', answer: 'object' },
  'snapshot-offer': { offer: 'object' },
  'snapshot-want': { index: 'number', term: 'number', chunk: 'number' },
  'snapshot-chunk': { index: 'number', term: 'number', chunk: 'number' },
  'snapshot-end': { index: 'number', term: 'number', isInstalled: 'boolean' },
  removed: { voters: 'object' },
  'may-leave': {},
};

const raftShapes: Readonly<Record<Message['kind'], Readonly<Record<string, 'string' | 'number' | 'boolean' | 'object' | 'number?'>>>> = {
  'pre-vote': { lastIndex: 'number', lastTerm: 'number', isTransfer: 'boolean' },
  'pre-vote-response': { isReject: 'boolean' },
  vote: { lastIndex: 'number', lastTerm: 'number', isTransfer: 'boolean' },
  'vote-response': { isReject: 'boolean' },
  append: { prevIndex: 'number', prevTerm: 'number', commit: 'number' },
  'append-response': { index: 'number', isReject: 'boolean', hintIndex: 'number', hintTerm: 'number' },
  heartbeat: { commit: 'number', round: 'number' },
  'heartbeat-response': { round: 'number' },
  snapshot: { meta: 'object' },
  'timeout-now': {},
  'transfer-leader': { transferee: 'string' },
  'read-index': { context: 'number' },
  'read-index-response': { context: 'number', index: 'number?' },
};

const callShapes: Readonly<Record<MemberCall['kind'], Readonly<Record<string, 'string' | 'number'>>>> = {
  join: { memberId: 'string', address: 'string', featureLevel: 'number' },
  update: { memberId: 'string', address: 'string', featureLevel: 'number' },
  promote: { memberId: 'string' },
  remove: { memberId: 'string' },
  replace: { memberId: 'string', byMemberId: 'string' },
  transfer: { memberId: 'string' },
};

function parseMessage(value: Readonly<Record<string, unknown>>, bulk: Uint8Array): HostMessage {
  const kind = value['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) throw bad(`kind ${String(kind)}`);
  // NOTE: the shapes name every field of the kind, and what is nested is checked below or by its user.
  const message = checkShape(value, shapes[kind as HostMessage['kind']]) as HostMessage;
  switch (message.kind) {
    case 'raft':
      return { kind: 'raft', message: parseRaft(value['message'], bulk) };
    case 'forward':
      return { kind: 'forward', payload: bulk };
    case 'snapshot-chunk':
      return { ...message, content: bulk };
    case 'snapshot-offer': {
      const offer: Readonly<Record<string, unknown>> = isRecord(value['offer']) ? value['offer'] : {};
      checkShape(offer, { message: 'object', meta: 'string', sizeBytes: 'number', sha256: 'string', chunkCount: 'number' });
      const inner = parseRaft(offer['message'], nothing);
      if (inner.kind !== 'snapshot') throw bad('an offer without a snapshot');
      return { kind: 'snapshot-offer', offer: { ...message.offer, message: inner } };
    }
    case 'removed':
      if (!Array.isArray(value['voters']) || !value['voters'].every((one) => typeof one === 'string')) throw bad('voters that are no list');
      return message;
    case 'call':
      parseCall(value['call']);
      return message;
    case 'answer':
      if (!isRecord(value['answer']) || (value['answer']['kind'] !== 'done' && value['answer']['kind'] !== 'refused')) throw bad('an answer of another kind');
      return message;
    default:
      return message;
  }
}

/** NOTE: what a call says of a member goes into the log, and every member reads it there. What cannot be read must not get so far. */
function parseCall(value: unknown): void {
  if (!isRecord(value) || typeof value['kind'] !== 'string' || !Object.hasOwn(callShapes, value['kind'])) throw bad('a call of another kind');
  checkShape(value, callShapes[value['kind'] as MemberCall['kind']]);
}

function parseRaft(value: unknown, bulk: Uint8Array): Message {
  if (!isRecord(value) || typeof value['kind'] !== 'string' || !Object.hasOwn(raftShapes, value['kind'])) throw bad('an unknown message of the consensus');
  checkShape(value, { from: 'string', to: 'string', term: 'number', clusterId: 'string' });
  // NOTE: the shapes name every field of the kind; the core refuses numbers outside their range.
  const message = checkShape(value, raftShapes[value['kind'] as Message['kind']]) as Message;
  if (message.kind !== 'append') return message;
  const entries: Entry[] = [];
  for (const item of bulk.length === 0 ? [] : decodeItems(bulk)) {
    if (item.kind === 'entries') entries.push(...item.entries.map(fromLogEntry));
  }
  return { ...message, entries };
}

function checkShape(value: Readonly<Record<string, unknown>>, shape: Readonly<Record<string, string>>): unknown {
  for (const [name, type] of Object.entries(shape)) {
    const field = value[name];
    const isFine = type === 'number?' ? field === null || typeof field === 'number' : typeof field === type && field !== null;
    if (!isFine) throw bad(`field ${name} is no ${type}`);
    if (typeof field === 'number' && !(Number.isSafeInteger(field) && field >= 0)) throw bad(`field ${name} is ${field}`);
  }
  return value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(what: string): AppError {
  return new AppError({ code: 'MANAGER_BAD_MESSAGE', message: `a message of a member is refused: ${what}` });
}
