import { expect, test } from 'vitest';
import { createTurns } from '../../src/agent/turns.ts';

test('what one does without waiting is done before the next begins, and the loop is heard in between', async () => {
  const seen: string[] = [];
  const deferred: (() => void)[] = [];
  const turn = createTurns((callback) => void deferred.push(callback));
  const work = async (name: string): Promise<void> => {
    await turn();
    for (const step of [1, 2, 3]) {
      seen.push(`${name}${step}`);
      await Promise.resolve();
    }
  };
  const all = Promise.all(['a', 'b', 'c'].map(work));
  while (deferred.length > 0) {
    expect(deferred).toHaveLength(1);
    seen.push('loop');
    deferred.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  expect(seen.join(' ')).toBe('loop a1 a2 a3 loop b1 b2 b3 loop c1 c2 c3');
  // An empty queue begins again.
  const late = work('d');
  expect(deferred).toHaveLength(1);
  deferred.shift()?.();
  await late;
});
