import type { View } from '../../cluster/state/view.ts';
import type { StoreEvent } from '../../model/entry.ts';
import { objectKinds } from '../../model/objects.ts';

/** The events that lead from one view to a later one, where a snapshot jumped over what was between. Sorted by kind and id. */
export function diffViews(before: View, after: View): StoreEvent[] {
  const events: StoreEvent[] = [];
  for (const kind of objectKinds) {
    const found: { readonly id: string; readonly event: StoreEvent }[] = [];
    for (const [id, object] of after.tables[kind]) {
      const previous = before.tables[kind].get(id) ?? null;
      if (previous?.version !== object.version) found.push({ id, event: { kind: 'put', object, previous } });
    }
    for (const [id, object] of before.tables[kind]) {
      if (!after.tables[kind].has(id)) found.push({ id, event: { kind: 'remove', object } });
    }
    events.push(...found.sort((a, b) => (a.id < b.id ? -1 : 1)).map((one) => one.event));
  }
  return events;
}
