/** A distribution by powers of two: bucket n counts values below 2^n of the unit. */
export class Histogram {
  readonly #buckets: number[] = new Array<number>(40).fill(0);
  #count = 0;
  #sum = 0;
  #max = 0;

  add(value: number): void {
    const bucket = value < 1 ? 0 : Math.min(39, Math.floor(Math.log2(value)) + 1);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
  }

  /** `buckets`: upper bound and cumulated count, as Prometheus wants them, without empty ends. */
  read(): HistogramReading {
    const last = this.#buckets.findLastIndex((count) => count > 0);
    let cumulated = 0;
    const buckets = this.#buckets.slice(0, last + 1).map((count, power) => {
      cumulated += count;
      return { below: 2 ** power, count: cumulated };
    });
    return { count: this.#count, sum: this.#sum, max: this.#max, buckets };
  }
}

export type HistogramReading = { readonly count: number; readonly sum: number; readonly max: number; readonly buckets: readonly { readonly below: number; readonly count: number }[] };

/** What a member counts and measures; the unit stands in the name. What its queues hold now is in gauges.ts. */
export class StoreMetrics {
  readonly syncUs: Histogram = new Histogram();
  readonly commitUs: Histogram = new Histogram();
  readonly applyUs: Histogram = new Histogram();
  readonly stallMs: Histogram = new Histogram();
  readonly batchEntries: Histogram = new Histogram();
  leaderChanges = 0;
  proposals = 0;
  proposalsUnknown = 0;
  snapshotsMade = 0;
  snapshotsSent = 0;
  snapshotsInstalled = 0;

  read(): MetricsReading {
    return {
      syncUs: this.syncUs.read(), commitUs: this.commitUs.read(), applyUs: this.applyUs.read(), stallMs: this.stallMs.read(), batchEntries: this.batchEntries.read(),
      leaderChanges: this.leaderChanges, proposals: this.proposals, proposalsUnknown: this.proposalsUnknown,
      snapshotsMade: this.snapshotsMade, snapshotsSent: this.snapshotsSent, snapshotsInstalled: this.snapshotsInstalled,
    };
  }
}

export type MetricsReading = {
  readonly syncUs: HistogramReading;
  readonly commitUs: HistogramReading;
  readonly applyUs: HistogramReading;
  readonly stallMs: HistogramReading;
  readonly batchEntries: HistogramReading;
  readonly leaderChanges: number;
  readonly proposals: number;
  readonly proposalsUnknown: number;
  readonly snapshotsMade: number;
  readonly snapshotsSent: number;
  readonly snapshotsInstalled: number;
};
