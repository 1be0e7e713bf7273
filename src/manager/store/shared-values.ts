import type { StoredObject } from '../../model/objects.ts';

/** One object for each service is kept to compare with; with more services than this it begins anew. */
const samplesMax = 1024;

/**
 * Lets tasks of one service share what is the same in them: names, hashes, ports, empty lists. A parser makes each value anew, and tasks are
 * what a store holds most of. Objects of the store are never changed, so sharing can't be seen.
 */
export class SharedValues {
  readonly #samples: Map<string, StoredObject> = new Map();

  /** `object` is the caller's own and new: values in it are replaced by equal ones of another task. */
  share(object: StoredObject): StoredObject {
    if (object.kind !== 'task') return object;
    const sample = this.#samples.get(object.serviceId);
    if (sample !== undefined) return shareWith(object, sample) === sample ? sample : object;
    if (this.#samples.size >= samplesMax) this.#samples.clear();
    this.#samples.set(object.serviceId, object);
    return object;
  }
}

/** `sample` where it is equal to `value` in all; else `value`, with the equal parts taken from the sample. */
function shareWith(value: unknown, sample: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value === sample ? sample : value;
  if (typeof sample !== 'object' || sample === null || Array.isArray(value) !== Array.isArray(sample)) return value;
  const keys = Object.keys(value);
  const sampleKeys = Object.keys(sample);
  // NOTE: in the same order too, so that what is written again reads the same.
  let isEqual = keys.length === sampleKeys.length && keys.every((key, at) => key === sampleKeys[at]);
  for (const key of keys) {
    const own: unknown = Reflect.get(value, key);
    const other: unknown = Object.hasOwn(sample, key) ? Reflect.get(sample, key) : undefined;
    const shared = shareWith(own, other);
    if (shared !== other || own === undefined) isEqual = false;
    else if (typeof own === 'string' || typeof own === 'object') Reflect.set(value, key, shared);
  }
  return isEqual ? sample : value;
}
