import { expect, test } from 'vitest';
import { ChurnMap } from '../../../src/manager/store/churn-map.ts';
import { fc } from '../../property.ts';

test('it holds what a Map holds after the same steps, in the same order, however many came and went', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ key: fc.nat({ max: 40 }), isRemoved: fc.boolean(), times: fc.constantFrom(1, 300) }), { maxLength: 40 }), (steps) => {
      const map = new ChurnMap<number, string>();
      const model = new Map<number, string>();
      let count = 0;
      for (const { key, isRemoved, times } of steps) {
        for (let time = 0; time < times; time += 1) {
          const value = `${(count += 1)}`;
          const at = key + time;
          if (isRemoved) {
            map.delete(at);
            model.delete(at);
          } else {
            map.set(at, value);
            model.set(at, value);
          }
          expect(map.get(at)).toBe(model.get(at));
        }
        expect(map.size).toBe(model.size);
        expect([...map.keys()]).toEqual([...model.keys()]);
        expect([...map.values()]).toEqual([...model.values()]);
      }
    }),
    { numRuns: 40 },
  );
});

test('whoever removes while going through it still comes by all that is left', () => {
  const map = new ChurnMap<number, number>();
  for (let key = 0; key < 3000; key += 1) map.set(key, key);
  const seen: number[] = [];
  for (const value of map.values()) {
    seen.push(value);
    map.delete(value);
  }
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, key) => key));
  expect(map.size).toBe(0);
});
