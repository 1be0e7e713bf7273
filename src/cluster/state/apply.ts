import { PersistentMap } from '../../base/persistent-map.ts';
import type { Change, Entry, Outcome, StoreEvent } from '../../model/entry.ts';
import type { ObjectKind, StoredObject } from '../../model/objects.ts';
import { Outcomes } from './outcomes.ts';
import { emptyView, generationRequests, outcomeOf, type Requests, type View } from './view.ts';

export type Applied = { readonly view: View; readonly events: readonly StoreEvent[]; readonly outcome: Outcome };

/**
 * The state machine: total, deterministic, trivial. Decisions were taken before; what is here is only their result.
 * An entry whose expected versions don't hold changes nothing but the revision, and says which object it was.
 * `revision` is the entry's index in the log and becomes the version of all that it writes.
 */
export function applyEntry(view: View, revision: number, entry: Entry): Applied {
  const known = outcomeOf(view, entry.requestId);
  if (known !== undefined) return { view: { ...view, revision }, events: [], outcome: known };
  const timeMs = Math.max(view.timeMs, entry.timeMs);
  const conflict = findConflict(view, revision, entry.changes);
  if (conflict !== null) return { view: { ...view, revision, timeMs, requests: remember(view.requests, entry.requestId, conflict) }, events: [], outcome: conflict };
  const { tables, indexes, events } = writeAll(view, { revision, timeMs, changes: entry.changes });
  const outcome: Outcome = { kind: 'applied', revision };
  return { view: { revision, timeMs, tables, indexes, requests: remember(view.requests, entry.requestId, outcome) }, events, outcome };
}

/** Writes changes without a look at the versions they expect. */
export function applyChanges(view: View, options: { readonly revision: number; readonly timeMs: number; readonly changes: readonly Change[] }): { readonly view: View; readonly events: readonly StoreEvent[] } {
  const { tables, indexes, events } = writeAll(view, options);
  return { view: { revision: options.revision, timeMs: options.timeMs, tables, indexes, requests: view.requests }, events };
}

type Written = Pick<View, 'tables' | 'indexes'>;

/** NOTE: this runs for every entry, so only what changes is copied. */
function writeAll(view: View, options: { readonly revision: number; readonly timeMs: number; readonly changes: readonly Change[] }): Written & { readonly events: readonly StoreEvent[] } {
  const { revision, timeMs } = options;
  const events: StoreEvent[] = [];
  let next: Written = view;
  for (const change of options.changes) {
    const previous = currentOf(next, change);
    if (change.kind === 'put') {
      const object = stamp(change.object, { revision, timeMs, createdMs: previous?.createdMs ?? timeMs });
      next = write(next, object.kind, object.id, previous, object);
      events.push({ kind: 'put', object, previous: previous ?? null });
    } else if (previous !== undefined) {
      next = write(next, change.objectKind, change.id, previous, null);
      events.push({ kind: 'remove', object: previous });
    }
  }
  return { tables: next.tables, indexes: next.indexes, events };
}

/** Tables and indexes as they were before these events. */
export function undoEvents(view: View, events: readonly StoreEvent[]): Pick<View, 'tables' | 'indexes'> {
  let before: Written = view;
  for (const event of events.toReversed()) {
    const { kind, id } = event.object;
    before = event.kind === 'put' ? write(before, kind, id, event.object, event.previous) : write(before, kind, id, undefined, event.object);
  }
  return before;
}

/** Tables and indexes of objects as they are, version and times included: for loading a snapshot. */
export function restoreObjects(objects: Iterable<StoredObject>): Pick<View, 'tables' | 'indexes'> {
  const { tables, indexes } = emptyView();
  const rows = new Map<ObjectKind, [string, StoredObject][]>();
  const ids = new Map<IndexName, Map<string, [string, true][]>>();
  for (const object of objects) {
    listIn(rows, object.kind, () => []).push([object.id, object]);
    for (const [name, key] of indexKeys(object)) listIn(listIn(ids, name, () => new Map<string, [string, true][]>()), key, () => []).push([object.id, true]);
  }
  const filledTables = Object.fromEntries([...rows].map(([kind, pairs]) => [kind, PersistentMap.from(pairs)]));
  const filledIndexes = Object.fromEntries([...ids].map(([name, byKey]) => [name, PersistentMap.from([...byKey].map(([key, pairs]) => [key, PersistentMap.from(pairs)] as const))]));
  return { tables: { ...tables, ...filledTables }, indexes: { ...indexes, ...filledIndexes } };
}

function listIn<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}

function findConflict(view: View, revision: number, changes: readonly Change[]): Outcome | null {
  for (const change of changes) {
    if (change.ifVersion === null) continue;
    const found = currentOf(view, change)?.version ?? 0;
    if (found !== change.ifVersion) {
      const [objectKind, id] = change.kind === 'put' ? [change.object.kind, change.object.id] : [change.objectKind, change.id];
      return { kind: 'conflict', revision, objectKind, id, expected: change.ifVersion, found };
    }
  }
  return null;
}

function currentOf(view: Written, change: Change): StoredObject | undefined {
  return change.kind === 'put' ? view.tables[change.object.kind].get(change.object.id) : view.tables[change.objectKind].get(change.id);
}

function stamp(object: StoredObject, stamps: { readonly revision: number; readonly timeMs: number; readonly createdMs: number }): StoredObject {
  return { ...object, version: stamps.revision, createdMs: stamps.createdMs, updatedMs: stamps.timeMs };
}

function write(view: Written, kind: ObjectKind, id: string, previous: StoredObject | undefined, object: StoredObject | null): Written {
  // NOTE: the table of a kind only ever receives objects of that kind; TypeScript can't follow the union through the index.
  const table = view.tables[kind] as PersistentMap<StoredObject>;
  const tables = { ...view.tables, [kind]: object === null ? table.delete(id) : table.set(id, object) };
  return { tables, indexes: reindex(view.indexes, previous, object) };
}

type Indexes = View['indexes'];
type IndexName = keyof Indexes;

function reindex(indexes: Indexes, previous: StoredObject | undefined, object: StoredObject | null): Indexes {
  const before = previous === undefined ? [] : indexKeys(previous);
  const after = object === null ? [] : indexKeys(object);
  const id = object?.id ?? previous?.id ?? '';
  let next = indexes;
  for (const [name, key] of before) {
    if (after.some((one) => one[0] === name && one[1] === key)) continue;
    const rest = next[name].get(key)?.delete(id);
    next = { ...next, [name]: rest === undefined || rest.size === 0 ? next[name].delete(key) : next[name].set(key, rest) };
  }
  for (const [name, key] of after) {
    if (before.some((one) => one[0] === name && one[1] === key)) continue;
    next = { ...next, [name]: next[name].set(key, (next[name].get(key) ?? PersistentMap.empty<true>()).set(id, true)) };
  }
  return next;
}

function indexKeys(object: StoredObject): readonly (readonly [IndexName, string])[] {
  switch (object.kind) {
    case 'task':
      return object.nodeId === null ? [['tasksByService', object.serviceId]] : [['tasksByService', object.serviceId], ['tasksByNode', object.nodeId]];
    case 'service':
      return [['servicesByProject', object.projectName]];
    case 'network':
      return object.projectName === null ? [] : [['networksByProject', object.projectName]];
    case 'volume':
      return object.projectName === null ? [] : [['volumesByProject', object.projectName]];
    case 'secret':
      return object.projectName === null ? [] : [['secretsByProject', object.projectName]];
    case 'config':
      return object.projectName === null ? [] : [['configsByProject', object.projectName]];
    case 'cluster':
    case 'node':
    case 'project':
      return [];
  }
}

function remember(requests: Requests, requestId: string, outcome: Outcome): Requests {
  const sequence = requests.nextSequence;
  const isFirst = sequence > 0 && sequence % generationRequests === 0;
  return {
    newer: (isFirst ? Outcomes.from([]) : requests.newer).with(requestId, outcome),
    older: isFirst ? requests.newer : requests.older,
    nextSequence: sequence + 1,
  };
}
