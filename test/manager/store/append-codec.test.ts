import { expect, test } from 'vitest';
import { AppError } from '../../../src/base/app-error.ts';
import { appendFormat } from '../../../src/manager/store/append-codec.ts';
import type { Envelope } from '../../../src/manager/store/host-messages.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/manager/store/message-codec.ts';
import type { Entry, Message } from '../../../src/raft/types.ts';

const head = { from: 'first', to: 'zweiter-ä', term: 2 ** 40 + 7, clusterId: 'cluster.1' } as const;
const entries: readonly Entry[] = [
  { index: 8, term: 3, kind: 'empty', data: new Uint8Array(0) },
  { index: 9, term: 3, kind: 'normal', data: new Uint8Array(60).fill(7) },
  { index: 10, term: 4, kind: 'conf', data: new Uint8Array([1, 2, 3]) },
];

function inEnvelope(message: Message): Envelope {
  return { from: message.from, to: message.to, clusterId: message.clusterId, message: { kind: 'raft', message } };
}

/** NOTE: the data of entries come back as another kind of byte array. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)])) : value;
}

test.for<[string, Message]>([
  ['an append', { kind: 'append', ...head, prevIndex: 7, prevTerm: 3, commit: 6, entries }],
  ['an append without entries', { kind: 'append', ...head, prevIndex: 2 ** 52, prevTerm: 3, commit: 6, entries: [] }],
  ['an acknowledgement', { kind: 'append-response', ...head, index: 10, isReject: false, hintIndex: 0, hintTerm: 0 }],
  ['a refusal', { kind: 'append-response', ...head, index: 10, isReject: true, hintIndex: 4, hintTerm: 2 }],
])('%s comes back as it went, and a part of it is refused', ([, message]) => {
  const envelope = inEnvelope(message);
  const bytes = encodeEnvelope(envelope);
  expect(bytes[0]).toBe(appendFormat);
  const back = decodeEnvelope(bytes);
  expect(plain(back)).toEqual(plain(envelope));
  for (let size = 1; size < bytes.length; size += 1) {
    let found: unknown = null;
    try {
      // What is cut between two items is a shorter message, which the core compares with its log.
      const part = decodeEnvelope(bytes.subarray(0, size)).message;
      found = part.kind === 'raft' && part.message.kind === 'append' && part.message.entries.length === 0 ? null : part;
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
    }
    expect(found).toBe(null);
  }
});

test('two followers get the same bytes, and other entries never get those of before', () => {
  const append = (to: string, some: readonly Entry[]): Uint8Array => encodeEnvelope(inEnvelope({ kind: 'append', ...head, to, prevIndex: 7, prevTerm: 3, commit: 6, entries: some }));
  const entriesOf = (bytes: Uint8Array): readonly Entry[] => {
    const { message } = decodeEnvelope(bytes);
    return message.kind === 'raft' && message.message.kind === 'append' ? message.message.entries : [];
  };
  expect(entriesOf(append('b', entries)).map((one) => one.index)).toEqual([8, 9, 10]);
  expect(entriesOf(append('c', entries)).map((one) => one.index)).toEqual([8, 9, 10]);
  expect(entriesOf(append('b', entries.slice(1))).map((one) => one.index)).toEqual([9, 10]);
  expect(entriesOf(append('c', entries.slice(0, 2))).map((one) => one.index)).toEqual([8, 9]);
});

test('a message that names another sender inside than outside is not shortened to one of them', () => {
  const message: Message = { kind: 'append-response', ...head, from: 'someone', index: 1, isReject: false, hintIndex: 0, hintTerm: 0 };
  const bytes = encodeEnvelope({ ...inEnvelope(message), from: 'first' });
  expect(bytes[0]).not.toBe(appendFormat);
  expect(decodeEnvelope(bytes)).toMatchObject({ from: 'first', message: { message: { from: 'someone' } } });
});

test('entries keep neither a chunk of a connection that holds more than them, nor a copy where it holds little else', () => {
  const bytes = encodeEnvelope(inEnvelope({ kind: 'append', ...head, prevIndex: 7, prevTerm: 3, commit: 6, entries: [{ index: 8, term: 3, kind: 'normal', data: new Uint8Array(600).fill(7) }] }));
  const keptBytes = (chunkBytes: number): number => {
    const chunk = Buffer.alloc(chunkBytes);
    chunk.set(bytes, 10);
    const { message } = decodeEnvelope(chunk.subarray(10, 10 + bytes.length));
    const [entry] = message.kind === 'raft' && message.message.kind === 'append' ? message.message.entries : [];
    expect(plain(entry?.data)).toEqual(Array(600).fill(7));
    return entry?.data.buffer.byteLength ?? 0;
  };
  expect(keptBytes(65_536)).toBeLessThan(700);
  expect(keptBytes(bytes.length + 10)).toBe(bytes.length + 10);
});

test('ids that were read before are never taken for others, however alike', () => {
  const names = ['a', 'b', 'ab', 'ba', 'aab', 'ä', 'äa', ''];
  const all = names.flatMap((from) => names.flatMap((to) => names.map((clusterId) => ({ from, to, clusterId }))));
  for (const ids of [...all, ...all.toReversed()]) {
    const message: Message = { kind: 'append-response', ...ids, term: 3, index: 4, isReject: false, hintIndex: 0, hintTerm: 0 };
    expect(decodeEnvelope(encodeEnvelope(inEnvelope(message)))).toEqual(inEnvelope(message));
  }
  const long: Message = { kind: 'append-response', ...head, to: 'x'.repeat(256), index: 4, isReject: false, hintIndex: 0, hintTerm: 0 };
  expect(encodeEnvelope(inEnvelope(long))[0]).not.toBe(appendFormat);
  expect(decodeEnvelope(encodeEnvelope(inEnvelope(long)))).toEqual(inEnvelope(long));
});
