import { AppError } from '../../base/app-error.ts';
import type { MemoryLogStorage } from '../../raft/log-storage.ts';
import type { SnapshotMeta } from '../../raft/types.ts';
import type { LogMarker } from './log-items.ts';
import type { NodeHost } from './node-types.ts';
import type { SnapshotInfo } from './snapshot-file.ts';
import { encodeContent, encodeMeta } from './state-codec.ts';
import { snapshotMetaOf } from './store-state.ts';
import { isDiskFull } from './wal.ts';

export type SnapshotMakerOptions = {
  readonly snapshot: SnapshotMeta | null;
  readonly older: SnapshotMeta | null;
  readonly log: MemoryLogStorage;
  /** Writes the marker to the log; `finish` runs when it is durable. */
  readonly addMarker: (marker: LogMarker, finish: () => void) => void;
  /** Snapshots that are being sent or are about to be installed, and must stay. */
  readonly indexesInUse: () => readonly number[];
  /** Those about to be installed. */
  readonly arrivedIndexes: () => readonly number[];
};

const sliceBytes = 128 * 1024;
const retryFullMs = 5000;
const smallBytes = 1024 * 1024;
/** What makes a large state due: so many times its own size of log, or so many times the entries that make a small one due. */
const dearBytesFactor = 4;
const dearEntriesFactor = 5;

/**
 * Makes snapshots of the own state: after enough entries or bytes, in slices between which the event loop runs. The state is
 * immutable, so it is simply held while it is written. Then: file durable → marker in the log durable → log compacted, of which the part back to
 * the older snapshot stays on disk, so that a damaged newest file is no loss.
 */
export class SnapshotMaker {
  readonly #host: NodeHost;
  readonly #options: SnapshotMakerOptions;
  #newest: SnapshotMeta | null;
  #older: SnapshotMeta | null;
  #entriesSince = 0;
  #bytesSince = 0;
  /** Size of the newest one, and the time of the state in it; null where there is none. */
  #newestBytes: number;
  #newestTimeMs: number | null;
  #isRunning = false;
  #isStopped = false;
  #notBeforeMs = 0;
  #waiting: ((error: AppError | null) => void)[] = [];
  #next: ((error: AppError | null) => void)[] = [];
  /** Called when old files were removed. */
  onCleaned: () => void = () => undefined;

  constructor(host: NodeHost, options: SnapshotMakerOptions) {
    this.#host = host;
    this.#options = options;
    this.#newest = options.snapshot;
    const { recovered } = host.options;
    this.#newestBytes = recovered.snapshotBytes;
    this.#newestTimeMs = options.snapshot === null ? null : recovered.state.view.timeMs;
    this.#older = options.older?.index === options.snapshot?.index ? null : options.older;
    this.#notBeforeMs = host.env.clock.monotonicMs() + host.options.limits.snapshotDelayMs;
  }

  get newest(): SnapshotMeta | null {
    return this.#newest;
  }

  get newestBytes(): number {
    return this.#newestBytes;
  }

  get newestTimeMs(): number | null {
    return this.#newestTimeMs;
  }

  get entriesSince(): number {
    return this.#entriesSince;
  }

  get bytesSince(): number {
    return this.#bytesSince;
  }

  count(entryBytes: number): void {
    this.#entriesSince += 1;
    this.#bytesSince += entryBytes;
  }

  maybeStart(): void {
    const { snapshotEntries, snapshotBytes } = this.#host.options.limits;
    if (this.#entriesSince < snapshotEntries && this.#bytesSince < snapshotBytes) return;
    // NOTE: a large state is written again only when several times as much log has come, so that busy writers do not pay for it over and over.
    const isDear = this.#newestBytes > smallBytes && this.#bytesSince < Math.min(this.#newestBytes * dearBytesFactor, snapshotBytes);
    if (isDear && this.#entriesSince < snapshotEntries * dearEntriesFactor) return;
    if (this.#host.env.clock.monotonicMs() >= this.#notBeforeMs) this.#start();
  }

  /** Makes one now; calls back when it is durable and named in the log. `isAnew`: also where there is one of this state, as its file is damaged. */
  request(done: (error: AppError | null) => void, isAnew = false): void {
    if (this.#isStopped) {
      done(new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' }));
      return;
    }
    // NOTE: one under way may have begun before what the caller wants in it.
    (this.#isRunning ? this.#next : this.#waiting).push(done);
    this.#start(isAnew);
  }

  /** A snapshot of the leader replaced log and state. */
  installed(meta: SnapshotMeta, sizeBytes: number): void {
    this.#newest = meta;
    this.#newestBytes = sizeBytes;
    this.#newestTimeMs = this.#host.state().view.timeMs;
    this.#older = null;
    this.#entriesSince = 0;
    this.#bytesSince = 0;
    this.#clean(meta.index);
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting.push(...this.#next.splice(0));
    this.#settle(new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' }));
  }

  #start(isAnew = false): void {
    const state = this.#host.state();
    if (this.#isRunning || this.#isStopped) return;
    const meta = snapshotMetaOf(state);
    if (meta.index === 0 || (meta.index === this.#newest?.index && !isAnew)) {
      this.#settle(null);
      return;
    }
    this.#isRunning = true;
    this.#entriesSince = 0;
    this.#bytesSince = 0;
    const isApart = this.#host.mutations.has('host-applied-index-apart');
    const head = { clusterId: this.#host.options.clusterId, index: meta.index, term: meta.term, meta: encodeMeta(state) };
    const startMs = this.#host.env.clock.monotonicMs();
    this.#host.env.bulkRunner.submit({ kind: 'snapshot-begin', slot: 'save', head }, (error) => {
      // NOTE: what is written must be the state at the head's index, whatever was applied meanwhile.
      const view = isApart ? this.#host.state().view : state.view;
      if (this.#isOver(error)) return;
      this.#writeNext(encodeContent(view, sliceBytes), (info) => this.#written({ meta, info, startMs, timeMs: state.view.timeMs }));
    });
  }

  #writeNext(slices: Iterator<Uint8Array>, done: (info: SnapshotInfo) => void): void {
    const { bulkRunner, soon } = this.#host.env;
    const next = slices.next();
    if (next.done === true) {
      bulkRunner.submit({ kind: 'snapshot-finish', slot: 'save', sha256: undefined }, (error, answer) => {
        if (!this.#isOver(error) && answer.kind === 'snapshot') done(answer.info);
      });
      return;
    }
    bulkRunner.submit({ kind: 'snapshot-write', slot: 'save', content: next.value }, (error) => {
      if (!this.#isOver(error)) soon(() => this.#isStopped || this.#writeNext(slices, done));
    });
  }

  #written(made: { readonly meta: SnapshotMeta; readonly info: SnapshotInfo; readonly startMs: number; readonly timeMs: number }): void {
    const { metrics, env } = this.#host;
    const { meta, info, startMs } = made;
    // A snapshot of the leader that was installed meanwhile, or will be, is newer: then this one is of no use, and its marker may not follow the newer one's.
    if (Math.max(this.#newest?.index ?? 0, ...this.#options.arrivedIndexes()) >= meta.index) {
      this.#finish(null);
      this.#clean(this.#older?.index ?? this.#newest?.index ?? 0);
      return;
    }
    this.#options.addMarker({ index: meta.index, term: meta.term, isInstall: false }, () => {
      if (this.#newest !== null && this.#newest.index >= meta.index) {
        this.#finish(null);
        return;
      }
      this.#older = this.#newest;
      this.#newest = meta;
      this.#newestBytes = info.sizeBytes;
      this.#newestTimeMs = made.timeMs;
      metrics.snapshotsMade += 1;
      env.log.info('store.snapshot', { index: meta.index, sizeBytes: info.sizeBytes, tookMs: env.clock.monotonicMs() - startMs });
      const { log } = this.#options;
      log.setSnapshot(meta);
      const { trailingEntries, trailingBytes } = this.#host.options.limits;
      log.compact(log.trailingFrom(meta.index, trailingEntries, trailingBytes));
      this.#clean(this.#older?.index ?? 0);
      this.#finish(null);
    });
  }

  /** Removes what is older than `keepIndex`: the log's segments, and snapshot files but the last two and those being sent. */
  #clean(keepIndex: number): void {
    const { logRunner, bulkRunner } = this.#host.env;
    const indexes = [this.#newest?.index, this.#older?.index, ...this.#options.indexesInUse()].filter((index) => index !== undefined);
    const check = (error: AppError | null): void => {
      if (error !== null && !isDiskFull(error) && !this.#isStopped) this.#host.fail(error);
    };
    if (keepIndex > 0) logRunner.submit({ kind: 'compact', index: keepIndex }, check);
    bulkRunner.submit({ kind: 'snapshot-keep', indexes }, check);
    this.onCleaned();
  }

  #isOver(error: AppError | null): boolean {
    if (this.#isStopped) return true;
    if (error === null) return false;
    if (!isDiskFull(error)) {
      this.#host.fail(error);
      return true;
    }
    this.#notBeforeMs = this.#host.env.clock.monotonicMs() + retryFullMs;
    this.#entriesSince = this.#host.options.limits.snapshotEntries;
    this.#host.env.bulkRunner.submit({ kind: 'snapshot-abort', slot: 'save' }, () => undefined);
    this.#finish(error);
    return true;
  }

  #finish(error: AppError | null): void {
    this.#isRunning = false;
    this.#settle(error);
    this.#waiting = this.#next;
    this.#next = [];
    if (this.#waiting.length > 0) this.#start();
  }

  #settle(error: AppError | null): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(error);
  }
}
