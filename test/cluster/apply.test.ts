import { describe, expect, test } from 'vitest';
import { applyEntry, undoEvents } from '../../src/cluster/state/apply.ts';
import { emptyView, generationRequests, get, outcomeOf, volumesOfProject, type View } from '../../src/cluster/state/view.ts';
import type { Change, Entry } from '../../src/model/entry.ts';
import type { VolumeObject } from '../../src/model/objects.ts';

function volume(id: string, projectName: string): VolumeObject {
  return {
    kind: 'volume', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName, key: id, driver: 'local',
    options: {}, labels: {}, nodeId: null, desired: 'present', specHash: '',
  };
}

function entry(requestId: string, timeMs: number, ...changes: Change[]): Entry {
  return { requestId, timeMs, changes };
}

const put = (object: VolumeObject, ifVersion: number | null): Change => ({ kind: 'put', object, ifVersion });

describe('applying an entry', () => {
  const first = applyEntry(emptyView(), 7, entry('a', 100, put(volume('v', 'shop'), 0)));

  test('writes the object with the revision as its version and the time of the entry', () => {
    expect(get(first.view, 'volume', 'v')).toMatchObject({ version: 7, createdMs: 100, updatedMs: 100 });
    expect(first.events).toHaveLength(1);
  });

  test('keeps the time of creation when it writes again, and never lets time go back', () => {
    const second = applyEntry(first.view, 8, entry('b', 90, put(volume('v', 'shop'), 7)));
    expect(get(second.view, 'volume', 'v')).toMatchObject({ version: 8, createdMs: 100, updatedMs: 100 });
  });

  test('drops the whole entry when one expected version does not hold, and names the object', () => {
    const second = applyEntry(first.view, 8, entry('b', 110, put(volume('w', 'shop'), 0), put(volume('v', 'shop'), 3)));
    expect(second.outcome).toEqual({ kind: 'conflict', revision: 8, objectKind: 'volume', id: 'v', expected: 3, found: 7 });
    expect(get(second.view, 'volume', 'w')).toBeUndefined();
    expect(second.view.revision).toBe(8);
  });

  test('answers a repeated request as the first time, and changes nothing', () => {
    const again = applyEntry(first.view, 9, entry('a', 200, put(volume('v', 'shop'), 0)));
    expect(again.outcome).toEqual({ kind: 'applied', revision: 7 });
    expect(again.events).toEqual([]);
  });

  test('keeps the indexes: a moved object leaves its old key, a removed one leaves none', () => {
    const moved = applyEntry(first.view, 8, entry('b', 110, put(volume('v', 'blog'), 7)));
    expect(ids(moved.view, 'shop')).toEqual([]);
    expect(ids(moved.view, 'blog')).toEqual(['v']);
    const gone = applyEntry(moved.view, 9, entry('c', 120, { kind: 'remove', objectKind: 'volume', id: 'v', ifVersion: 8 }));
    expect(ids(gone.view, 'blog')).toEqual([]);
    expect(gone.view.indexes.volumesByProject.size).toBe(0);
  });

  test('can be undone: its events lead back to the tables and indexes of before', () => {
    const removal: Change = { kind: 'remove', objectKind: 'volume', id: 'v', ifVersion: null };
    for (const changes of [[put(volume('v', 'blog'), 7)], [removal], [removal, put(volume('v', 'blog'), null), put(volume('w', 'shop'), 0), put(volume('w', 'blog'), null)], []]) {
      const after = applyEntry(first.view, 8, entry('b', 110, ...changes));
      const before = undoEvents(after.view, after.events);
      expect([...before.tables.volume]).toEqual([...first.view.tables.volume]);
      expect([...before.indexes.volumesByProject].map(([key, of]) => [key, [...of.keys()]])).toEqual([['shop', ['v']]]);
    }
  });

  test('forgets the oldest requests, so that the memory of them is bounded', () => {
    let view = first.view;
    const count = 3 * generationRequests;
    for (let index = 0; index < count; index += 1) {
      view = applyEntry(view, 8 + index, entry(`r${index}`, 100)).view;
      if (index >= generationRequests) expect(outcomeOf(view, `r${index - generationRequests + 1}`)?.revision).toBe(8 + index - generationRequests + 1);
      expect(view.requests.newer.size + view.requests.older.size).toBeLessThanOrEqual(2 * generationRequests);
    }
    expect(outcomeOf(view, `r${count - 2 * generationRequests - 1}`)).toBeUndefined();
  });
});

function ids(view: View, projectName: string): string[] {
  return volumesOfProject(view, projectName).map((one) => one.id);
}
