/** So many removals, and more than what is left: then moving that is cheap beside them. */
const removalsMax = 256;

/**
 * A Map for what comes and goes all the time. NOTE: V8's Map links each table that it leaves to the one it takes instead, for iterators that are
 * under way. Once such a table has grown old, all that came after it counts as reachable until the next full collection: every key and value of
 * a short life is then carried over by the collector. So this one begins anew from time to time, with a Map that nothing old points to.
 */
export class ChurnMap<K, V> {
  #map: Map<K, V> = new Map();
  #removals = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  delete(key: K): void {
    if (!this.#map.delete(key)) return;
    this.#removals += 1;
    if (this.#removals < removalsMax || this.#removals < this.#map.size) return;
    this.#map = new Map(this.#map);
    this.#removals = 0;
  }

  /** In the order in which they came. What is removed while one goes through them may still show. */
  keys(): IterableIterator<K> {
    return this.#map.keys();
  }

  values(): IterableIterator<V> {
    return this.#map.values();
  }
}
