import { expect, test } from 'vitest';
import { Outcomes } from '../../src/cluster/state/outcomes.ts';
import type { Outcome } from '../../src/model/entry.ts';
import { fc } from '../property.ts';

const applied = (revision: number): Outcome => ({ kind: 'applied', revision });

test('each version holds what was added on the way to it, whatever was built on it or beside it since', () => {
  // Each step adds one record to any of the versions made so far.
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60 }), (steps) => {
      const versions = [{ outcomes: Outcomes.from([]), model: new Map<string, Outcome>() }];
      steps.forEach((step, at) => {
        const base = versions[step % versions.length];
        if (base === undefined) return;
        // NOTE: the same id comes again on another branch, with another outcome.
        const id = `r${base.model.size}`;
        versions.push({ outcomes: base.outcomes.with(id, applied(at)), model: new Map([...base.model, [id, applied(at)]]) });
      });
      for (const { outcomes, model } of versions) {
        expect([...outcomes]).toEqual([...model]);
        expect(outcomes.size).toBe(model.size);
        for (let at = 0; at <= steps.length; at += 1) expect(outcomes.get(`r${at}`)).toEqual(model.get(`r${at}`));
        expect([...Outcomes.from(outcomes)]).toEqual([...model]);
      }
    }),
  );
});
