import { expect, test } from 'vitest';
import { batchFacts, decodeItems, encodeItems, replayLog } from '../../../src/manager/store/log-items.ts';
import type { LogItem } from '../../../src/manager/store/log-items.ts';
import { fc } from '../../property.ts';

const count = fc.integer({ min: 0, max: 2 ** 40 });
const item: fc.Arbitrary<LogItem> = fc.oneof(
  fc.record({ term: count, vote: fc.string({ maxLength: 30 }), commit: count }).map((hardState): LogItem => ({ kind: 'hardState', hardState })),
  fc.record({ index: count, term: count, isInstall: fc.boolean() }).map((marker): LogItem => ({ kind: 'marker', marker })),
  fc.array(fc.record({ index: count, term: count, kind: fc.integer({ min: 0, max: 2 }), data: fc.uint8Array({ maxLength: 60 }) }), { maxLength: 6 }).map((entries): LogItem => ({ kind: 'entries', entries })),
);

test('a batch is read as it was written, and its facts are those of its items', () => {
  fc.assert(fc.property(fc.array(item, { maxLength: 6 }), (items) => {
    const bytes = encodeItems(items);
    expect(decodeItems(bytes)).toEqual(items);
    const facts = batchFacts(bytes);
    expect(facts.maxIndex).toBe(Math.max(0, ...items.flatMap((one) => (one.kind === 'entries' ? one.entries.map((entry) => entry.index) : []))));
    expect(facts.markers).toEqual(items.flatMap((one) => (one.kind === 'marker' ? [one.marker] : [])));
    const stated = items.findLast((one) => one.kind === 'hardState');
    expect(facts.hardState === undefined ? [] : decodeItems(facts.hardState)).toEqual(stated === undefined ? [] : [stated]);
  }));
});

test('a batch cut anywhere is refused, or ends at an item', () => {
  const bytes = encodeItems([{ kind: 'hardState', hardState: { term: 3, vote: 'member', commit: 9 } }, { kind: 'entries', entries: [{ index: 10, term: 3, kind: 0, data: new Uint8Array(20) }] }]);
  for (let size = 0; size < bytes.length; size += 1) {
    try {
      expect(decodeItems(bytes.slice(0, size)).length).toBeLessThan(2);
    } catch (error) {
      expect(error).toMatchObject({ code: 'MANAGER_WAL_DAMAGED' });
    }
  }
});

test('the data of entries keep nothing else in memory, from a Buffer too', () => {
  const data = new Uint8Array(20).fill(7);
  const bytes = encodeItems([{ kind: 'entries', entries: [{ index: 1, term: 1, kind: 0, data }] }]);
  for (const read of [bytes, Buffer.from(bytes)]) {
    const [first] = decodeItems(read);
    const own = first?.kind === 'entries' ? first.entries[0]?.data : undefined;
    expect(own).toEqual(data);
    expect(own?.buffer.byteLength).toBe(data.length);
  }
});

test('the last marker is the newest, though a later segment restates older ones that the rest of the log does not name', () => {
  const batchOf = (...indexes: readonly number[]): Uint8Array => encodeItems(indexes.map((index): LogItem => ({ kind: 'marker', marker: { index, term: 1, isInstall: false } })));
  const { markers } = replayLog([batchOf(21, 28), batchOf(35), batchOf(7, 14, 21, 28, 35)]);
  expect(markers.map((marker) => marker.index)).toEqual([7, 14, 21, 28, 35]);
});
