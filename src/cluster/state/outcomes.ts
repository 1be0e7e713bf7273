import type { Outcome } from '../../model/entry.ts';

/**
 * What became of requests, by id. Immutable as all that a view holds: `with` answers a new version. But the versions of one history share one
 * list, of which each sees the first `size` records, so that one more costs only itself and keeps nothing of the version before.
 * Whoever builds on a version that is not the newest gets a list of its own.
 */
export class Outcomes {
  readonly size: number;
  /** Where in `list` a request is. NOTE: both may go on behind `size`, with what later versions have added. */
  readonly #places: Map<string, number>;
  readonly #list: Outcome[];

  private constructor(size: number, places: Map<string, number>, list: Outcome[]) {
    this.size = size;
    this.#places = places;
    this.#list = list;
  }

  static from(outcomes: Iterable<readonly [string, Outcome]>): Outcomes {
    const places = new Map<string, number>();
    const list: Outcome[] = [];
    for (const [requestId, outcome] of outcomes) {
      places.set(requestId, list.length);
      list.push(outcome);
    }
    return new Outcomes(list.length, places, list);
  }

  get(requestId: string): Outcome | undefined {
    const place = this.#places.get(requestId);
    return place === undefined || place >= this.size ? undefined : this.#list[place];
  }

  /** `requestId` is not in it yet. */
  with(requestId: string, outcome: Outcome): Outcomes {
    if (this.#list.length > this.size) return Outcomes.from(this).with(requestId, outcome);
    this.#places.set(requestId, this.size);
    this.#list.push(outcome);
    return new Outcomes(this.size + 1, this.#places, this.#list);
  }

  /** In the order in which they came. */
  *[Symbol.iterator](): Iterator<readonly [string, Outcome]> {
    for (const [requestId, place] of this.#places) {
      const outcome = this.#list[place];
      if (place < this.size && outcome !== undefined) yield [requestId, outcome];
    }
  }
}
