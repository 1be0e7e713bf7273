import type { Change, StoreEvent } from '../../model/entry.ts';
import type { ObjectKind, ObjectOfKind, StoredObject } from '../../model/objects.ts';
import { applyChanges } from '../state/apply.ts';
import { get, type View } from '../state/view.ts';

/** What deciders are given beside the view, so that the same input gives the same answer. */
export type Makers = {
  /** An id for an object: 25 characters of base 36. */
  readonly id: () => string;
  /** 64 hexadecimal characters. */
  readonly containerId: () => string;
};

/**
 * Decisions that are not committed yet: each decider sees what those before it have decided, and all of them together become one
 * entry. Owns the growing view; the base stays as it was.
 */
export class Draft {
  readonly base: View;
  #view: View;
  readonly #touched = new Map<string, { readonly kind: ObjectKind; readonly id: string }>();
  readonly #nowMs: number;
  readonly #events: StoreEvent[] = [];

  constructor(base: View, nowMs: number) {
    this.base = base;
    this.#view = base;
    this.#nowMs = nowMs;
  }

  get view(): View {
    return this.#view;
  }

  /** Answers whether there was anything to apply. */
  apply(changes: readonly Change[]): boolean {
    if (changes.length === 0) return false;
    for (const change of changes) {
      const [kind, id] = change.kind === 'put' ? [change.object.kind, change.object.id] as const : [change.objectKind, change.id] as const;
      this.#touched.set(`${kind}/${id}`, { kind, id });
    }
    const applied = applyChanges(this.#view, { revision: this.base.revision + 1, timeMs: Math.max(this.base.timeMs, this.#nowMs), changes });
    this.#view = applied.view;
    this.#events.push(...applied.events);
    return true;
  }

  /** All that was applied, in order. */
  events(): readonly StoreEvent[] {
    return this.#events;
  }

  /** What leads from the base to the draft, one change an object, each on the version it was decided from. Sorted by kind and id. */
  changes(): Change[] {
    const changes: Change[] = [];
    for (const key of [...this.#touched.keys()].sort()) {
      const touched = this.#touched.get(key);
      if (touched === undefined) continue;
      const before = get(this.base, touched.kind, touched.id);
      const after = get(this.#view, touched.kind, touched.id);
      if (after !== undefined) changes.push({ kind: 'put', object: { ...after, version: before?.version ?? 0 }, ifVersion: before?.version ?? 0 });
      else if (before !== undefined) changes.push({ kind: 'remove', objectKind: touched.kind, id: touched.id, ifVersion: before.version });
    }
    return changes;
  }
}

/** A change of an object that is there. */
export function put(object: StoredObject): Change {
  return { kind: 'put', object, ifVersion: null };
}

export function remove(object: StoredObject): Change {
  return { kind: 'remove', objectKind: object.kind, id: object.id, ifVersion: null };
}

/** A change of some fields. */
export function patch<Kind extends ObjectKind>(object: ObjectOfKind<Kind>, fields: Partial<ObjectOfKind<Kind>>): Change {
  // NOTE: an object of a kind with fields of the same kind is of that kind; TypeScript can't follow a spread of a generic.
  return put({ ...object, ...fields } as StoredObject);
}

/** What a new object has before apply sets it. */
export const unstored = { version: 0, createdMs: 0, updatedMs: 0 } as const;
