import type { ObjectKind, StoredObject } from './objects.ts';

/**
 * A change that carries its result. `ifVersion`: the version that the object must have now, 0 where it must not exist,
 * null where anything will do. Version and times of the object are set when the entry is applied.
 */
export type Change =
  | { readonly kind: 'put'; readonly object: StoredObject; readonly ifVersion: number | null }
  | { readonly kind: 'remove'; readonly objectKind: ObjectKind; readonly id: string; readonly ifVersion: number | null };

/** What one log entry holds. All changes are applied, or none. */
export type Entry = {
  /** Made by the proposer; a second entry with the same one changes nothing and answers as the first. */
  readonly requestId: string;
  /** The leader's clock. */
  readonly timeMs: number;
  readonly changes: readonly Change[];
};

/** What an applied entry did, in order. */
export type StoreEvent =
  | { readonly kind: 'put'; readonly object: StoredObject; readonly previous: StoredObject | null }
  | { readonly kind: 'remove'; readonly object: StoredObject };

export type Outcome =
  | { readonly kind: 'applied'; readonly revision: number }
  /** An expected version did not hold: nothing was changed. The first that failed is named. */
  | { readonly kind: 'conflict'; readonly revision: number; readonly objectKind: ObjectKind; readonly id: string; readonly expected: number; readonly found: number };
