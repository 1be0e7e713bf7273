import { expect, test } from 'vitest';
import { PersistentMap } from '../../src/base/persistent-map.ts';
import { fc } from '../property.ts';

type Step = { readonly key: string; readonly value: number | null };
const steps = fc.array(fc.record({ key: fc.string({ maxLength: 3 }), value: fc.option(fc.integer(), { nil: null }) }), { maxLength: 300 });

function run(list: readonly Step[]): { map: PersistentMap<number>; model: Map<string, number> } {
  let map = PersistentMap.empty<number>();
  const model = new Map<string, number>();
  for (const { key, value } of list) {
    map = value === null ? map.delete(key) : map.set(key, value);
    if (value === null) model.delete(key);
    else model.set(key, value);
  }
  return { map, model };
}

test('it holds what a mutable map holds after the same steps', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const { map, model } = run(list);
      expect(map.size).toBe(model.size);
      expect(new Map(map)).toEqual(model);
      for (const key of model.keys()) expect(map.get(key)).toBe(model.get(key));
      expect(map.get('not there at all')).toBeUndefined();
    }),
  );
});

test('an old version is not changed by what is built on it', () => {
  fc.assert(
    fc.property(steps, steps, (first, second) => {
      const { map, model } = run(first);
      let later = map;
      for (const { key, value } of second) later = value === null ? later.delete(key) : later.set(key, value);
      expect(new Map(map)).toEqual(model);
    }),
  );
});

test('equal contents iterate in the same order whatever was done to get there', () => {
  const keys = Array.from({ length: 2000 }, (_, index) => `key-${index}`);
  const forward = PersistentMap.from(keys.map((key) => [key, 1] as const));
  let backward = PersistentMap.from([...keys].reverse().map((key) => [key, 1] as const));
  backward = backward.set('extra', 1).delete('extra');
  expect([...backward.keys()]).toEqual([...forward.keys()]);
});

test('keys of equal hash live side by side', () => {
  // Found by trying: both keys of a line have one hash.
  const alike = [['key-126wu', 'key-1dwfa'], ['key-126wv', 'key-1dwfb'], ['key-126ww', 'key-1dwfc']].flat();
  fc.assert(
    fc.property(fc.array(fc.record({ key: fc.constantFrom(...alike), value: fc.option(fc.integer(), { nil: null }) }), { maxLength: 40 }), (list) => {
      const { map, model } = run(list);
      expect(map.size).toBe(model.size);
      expect(new Map(map)).toEqual(model);
      expect(new Map(PersistentMap.from(model))).toEqual(model);
      expect([...map.keys()].sort()).toEqual([...model.keys()].sort());
    }),
  );
});
