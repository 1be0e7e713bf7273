import { AppError } from '../../base/app-error.ts';
import type { MemberId, Snapshot, SnapshotMeta } from '../../raft/types.ts';
import type { HostMessage, SnapshotOffer } from './host-messages.ts';
import type { NodeHost } from './node-types.ts';
import { StateDecoder } from './state-codec.ts';
import type { StoreState } from './store-state.ts';
import { appliedIndex, memberIds } from './store-state.ts';
import { isDiskFull } from './wal.ts';

export type TransferOptions = {
  /** Makes a new snapshot of the own state; `isAnew`: also of the same state as the last. */
  readonly makeNew: (done: () => void, isAnew: boolean) => void;
  /** The bytes of this snapshot are on disk and read; the core is asked next. */
  readonly install: (meta: SnapshotMeta, state: StoreState, sizeBytes: number) => void;
};

type Sending = { readonly offer: SnapshotOffer | null; readonly message: Snapshot; progressMs: number; offeredMs: number };
type Receiving = {
  readonly from: MemberId;
  readonly offer: SnapshotOffer;
  readonly decoder: StateDecoder;
  readonly held: Map<number, Uint8Array>;
  nextChunk: number;
  isBusy: boolean;
  isBegun: boolean;
  progressMs: number;
  /** When a chunk was last asked for, or arrived. */
  quietSinceMs: number;
};

const askAgainMs = 1000;
const offerAgainMs = 2000;

/**
 * Snapshots between members, in chunks that the receiver asks for: so it decides the pace, a lost chunk is asked for again, and a broken
 * connection is resumed where it stopped. The sender only reads its file. What arrives goes to disk; only when it is whole and its hash
 * is right, the core hears of it. There is no time limit on the whole, only one on standing still.
 */
export class SnapshotTransfers {
  readonly #host: NodeHost;
  readonly #options: TransferOptions;
  /** One for each transfer: the same snapshot may come twice, and the second time in vain. */
  readonly #toInstall: Set<SnapshotMeta> = new Set();
  readonly #sending: Map<MemberId, Sending> = new Map();
  #receiving: Receiving | null = null;
  #refusedAlarm = '';

  constructor(host: NodeHost, options: TransferOptions) {
    this.#host = host;
    this.#options = options;
  }

  get sendingCount(): number {
    return this.#sending.size;
  }

  indexesInUse(): readonly number[] {
    return [...[...this.#sending.values()].map((sending) => sending.message.meta.index), ...this.arrivedIndexes()];
  }

  /** Whole files of a leader whose installation is not durable yet: with a log that stands still there are several. */
  arrivedIndexes(): readonly number[] {
    const applied = appliedIndex(this.#host.state());
    for (const meta of this.#toInstall) if (meta.index <= applied) this.#toInstall.delete(meta);
    return [...this.#toInstall].map((meta) => meta.index);
  }

  /** The core wants a member to have the newest snapshot. */
  offer(message: Snapshot): void {
    const { env } = this.#host;
    const nowMs = env.clock.monotonicMs();
    this.#sending.set(message.to, { offer: null, message, progressMs: nowMs, offeredMs: nowMs });
    const { index, term, conf } = message.meta;
    if (!memberIds(conf).includes(message.to)) {
      // NOTE: a member takes no snapshot from before it joined. The core asks again and finds the new one.
      this.#makeNew(message, false);
      return;
    }
    env.bulkRunner.submit({ kind: 'snapshot-verify', index, term }, (error, answer) => {
      if (this.#sending.get(message.to)?.message !== message) return;
      if (error !== null || answer.kind !== 'snapshot') {
        // NOTE: the state is whole, only its file is not: another is made, or the member would ask for this one for ever.
        env.log.warn('store.snapshot-damaged', { index, code: error?.code, message: error?.message });
        this.#makeNew(message, true);
        return;
      }
      const { meta, sizeBytes, sha256, chunkCount } = answer.info;
      const offer: SnapshotOffer = { message, meta, sizeBytes, sha256, chunkCount };
      this.#sending.set(message.to, { offer, message, progressMs: env.clock.monotonicMs(), offeredMs: env.clock.monotonicMs() });
      this.#host.send(message.to, { kind: 'snapshot-offer', offer });
    });
  }

  /** The core asks again afterwards, and finds the new one. */
  #makeNew(message: Snapshot, isAnew: boolean): void {
    this.#options.makeNew(() => {
      if (this.#sending.get(message.to)?.message === message) this.#endSending(message.to, 'failed');
      this.#host.pump();
    }, isAnew);
  }

  receive(from: MemberId, message: HostMessage): void {
    switch (message.kind) {
      case 'snapshot-offer':
        this.#offered(from, message.offer);
        break;
      case 'snapshot-want':
        this.#wanted(from, message);
        break;
      case 'snapshot-chunk':
        this.#arrived(from, message);
        break;
      case 'snapshot-end': {
        const sending = this.#sending.get(from);
        if (sending?.message.meta.index !== message.index || sending.message.meta.term !== message.term) break;
        if (message.isInstalled) this.#endSending(from, 'finished');
        else this.#offerLater(sending);
        break;
      }
      default:
    }
  }

  tick(): void {
    const nowMs = this.#host.env.clock.monotonicMs();
    const { snapshotProgressMs } = this.#host.options.limits;
    for (const [to, sending] of [...this.#sending]) {
      if (nowMs - sending.progressMs > snapshotProgressMs) this.#endSending(to, 'failed');
      else if (sending.offer !== null && nowMs - sending.progressMs >= askAgainMs && nowMs - sending.offeredMs >= askAgainMs) {
        sending.offeredMs = nowMs;
        this.#host.send(to, { kind: 'snapshot-offer', offer: sending.offer });
      }
    }
    const receiving = this.#receiving;
    if (receiving === null || !receiving.isBegun || receiving.isBusy) return;
    if (nowMs - receiving.progressMs > snapshotProgressMs) this.#giveUp(receiving);
    else if (nowMs - receiving.quietSinceMs >= askAgainMs) this.#askForMissing(receiving);
  }

  stopSending(): void {
    this.#sending.clear();
  }

  stop(): void {
    this.#sending.clear();
    this.#receiving = null;
  }

  #endSending(to: MemberId, result: 'finished' | 'failed'): void {
    this.#sending.delete(to);
    if (result === 'finished') this.#host.metrics.snapshotsSent += 1;
    this.#host.core.reportSnapshot(to, result);
  }

  /** The receiver could not take it: its disk is full, or it is too old. Asking at once again would read, send and hash it over and over. */
  #offerLater(sending: Sending): void {
    const { to } = sending.message;
    this.#sending.set(to, { ...sending, offer: null });
    this.#host.env.clock.after(offerAgainMs, () => {
      if (this.#sending.get(to)?.message !== sending.message) return;
      this.#endSending(to, 'failed');
      this.#host.pump();
    }, true);
  }

  #wanted(from: MemberId, want: { readonly index: number; readonly term: number; readonly chunk: number }): void {
    const sending = this.#sending.get(from);
    if (sending === undefined || sending.message.meta.index !== want.index || sending.message.meta.term !== want.term) return;
    sending.progressMs = this.#host.env.clock.monotonicMs();
    this.#host.env.bulkRunner.submit({ kind: 'snapshot-read', index: want.index, term: want.term, chunk: want.chunk }, (error, answer) => {
      if (this.#sending.get(from) !== sending) return;
      if (error !== null || answer.kind !== 'chunk') this.#endSending(from, 'failed');
      else if (answer.content !== undefined) this.#host.send(from, { kind: 'snapshot-chunk', index: want.index, term: want.term, chunk: want.chunk, content: answer.content });
    });
  }

  #offered(from: MemberId, offer: SnapshotOffer): void {
    const { index, term } = offer.message.meta;
    const { env, state, options, core, mutations } = this.#host;
    // NOTE: what the core took over may wait long for the log; the leader, whom our answer did not reach, offers it again meanwhile.
    const taken = mutations.has('host-arrival-taken-back') ? 0 : core.status().hardState.commit;
    if (Math.max(appliedIndex(state()), taken) >= index) {
      // Nothing to fetch: the core answers the leader how far this member is, once that is durable.
      this.#host.core.step(offer.message);
      this.#host.send(from, { kind: 'snapshot-end', index, term, isInstalled: true });
      return;
    }
    const now = this.#receiving;
    if (now !== null) {
      const isSame = now.from === from && now.offer.sha256 === offer.sha256 && now.offer.message.meta.index === index && now.offer.message.term === offer.message.term;
      const isNewer = offer.message.term > now.offer.message.term || (offer.message.term === now.offer.message.term && index > now.offer.message.meta.index);
      if (isSame || !isNewer) return;
      this.#receiving = null;
    }
    const nowMs = env.clock.monotonicMs();
    let decoder: StateDecoder;
    try {
      decoder = new StateDecoder({ meta: offer.meta, index, term, featureLevelMax: options.featureLevel });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // A state of a newer version: this member waits until it is upgraded, and says so.
      this.#refusedAlarm = `snapshot-refused: ${error.message}`;
      this.#host.alarms.add(this.#refusedAlarm);
      this.#host.send(from, { kind: 'snapshot-end', index, term, isInstalled: false });
      return;
    }
    const receiving: Receiving = { from, offer, decoder, held: new Map(), nextChunk: 0, isBusy: false, isBegun: false, progressMs: nowMs, quietSinceMs: nowMs };
    this.#receiving = receiving;
    const head = { clusterId: options.clusterId, index, term, meta: offer.meta };
    env.bulkRunner.submit({ kind: 'snapshot-begin', slot: 'receive', head }, (error) => {
      if (this.#receiving !== receiving) return;
      if (error !== null) {
        this.#failed(receiving, error);
        return;
      }
      receiving.isBegun = true;
      if (offer.chunkCount === 0) this.#finish(receiving);
      else this.#askForMissing(receiving);
    });
  }

  /** NOTE: all that may be under way: where a connection broke, or was not there yet, they were lost together. */
  #askForMissing(receiving: Receiving): void {
    const end = receiving.nextChunk + this.#host.options.limits.snapshotWindow;
    for (let chunk = receiving.nextChunk; chunk < end; chunk += 1) if (!receiving.held.has(chunk)) this.#ask(receiving, chunk);
  }

  #ask(receiving: Receiving, chunk: number): void {
    if (chunk >= receiving.offer.chunkCount) return;
    const { index, term } = receiving.offer.message.meta;
    receiving.quietSinceMs = this.#host.env.clock.monotonicMs();
    this.#host.send(receiving.from, { kind: 'snapshot-want', index, term, chunk });
  }

  #arrived(from: MemberId, message: { readonly index: number; readonly term: number; readonly chunk: number; readonly content: Uint8Array }): void {
    const receiving = this.#receiving;
    if (receiving === null || receiving.from !== from || !receiving.isBegun) return;
    const { index, term } = receiving.offer.message.meta;
    const { snapshotWindow } = this.#host.options.limits;
    if (message.index !== index || message.term !== term) return;
    // NOTE: one that came before, too. Where a slow link is not known to be busy, asking again makes it slower still.
    receiving.quietSinceMs = this.#host.env.clock.monotonicMs();
    if (message.chunk < receiving.nextChunk || message.chunk >= receiving.nextChunk + snapshotWindow) return;
    if (!receiving.held.has(message.chunk)) receiving.held.set(message.chunk, message.content);
    this.#writeHeld(receiving);
  }

  #writeHeld(receiving: Receiving): void {
    const content = receiving.held.get(receiving.nextChunk);
    if (content === undefined || receiving.isBusy) return;
    const { env } = this.#host;
    receiving.held.delete(receiving.nextChunk);
    receiving.isBusy = true;
    try {
      receiving.decoder.take(content);
    } catch (error) {
      if (!(error instanceof AppError) && !(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
      env.log.warn('store.snapshot-unreadable', { message: error.message });
      this.#giveUp(receiving);
      return;
    }
    this.#host.env.bulkRunner.submit({ kind: 'snapshot-write', slot: 'receive', content }, (error) => {
      if (this.#receiving !== receiving) return;
      receiving.isBusy = false;
      if (error !== null) {
        this.#failed(receiving, error);
        return;
      }
      receiving.progressMs = this.#host.env.clock.monotonicMs();
      receiving.nextChunk += 1;
      if (receiving.nextChunk === receiving.offer.chunkCount) {
        this.#finish(receiving);
        return;
      }
      this.#ask(receiving, receiving.nextChunk + this.#host.options.limits.snapshotWindow - 1);
      this.#writeHeld(receiving);
    });
  }

  #finish(receiving: Receiving): void {
    receiving.isBusy = true;
    // NOTE: from before the file is there until it is installed, or what an earlier installation cleans up would take it along.
    const { mutations } = this.#host;
    const { meta } = receiving.offer.message;
    if (!mutations.has('host-arrived-forgotten')) this.#toInstall.add(meta);
    this.#host.env.bulkRunner.submit({ kind: 'snapshot-finish', slot: 'receive', sha256: receiving.offer.sha256 }, (error, answer) => {
      if (error !== null) for (const one of this.#toInstall) if (one === meta || (mutations.has('host-arrival-taken-back') && one.index === meta.index)) this.#toInstall.delete(one);
      if (this.#receiving !== receiving) return;
      if (error !== null || answer.kind !== 'snapshot') {
        if (error !== null) this.#failed(receiving, error);
        return;
      }
      this.#receiving = null;
      this.#host.alarms.delete(this.#refusedAlarm);
      this.#options.install(meta, receiving.decoder.finish(), answer.info.sizeBytes);
      this.#host.core.step(receiving.offer.message);
      this.#host.send(receiving.from, { kind: 'snapshot-end', index: meta.index, term: meta.term, isInstalled: true });
      this.#host.pump();
    });
  }

  #failed(receiving: Receiving, error: AppError): void {
    this.#host.env.log.warn('store.snapshot-receive', { code: error.code, message: error.message });
    if (error.code === 'MANAGER_SNAPSHOT_DAMAGED' || isDiskFull(error)) this.#giveUp(receiving);
    else this.#host.fail(error);
  }

  #giveUp(receiving: Receiving): void {
    const { index, term } = receiving.offer.message.meta;
    this.#receiving = null;
    this.#host.env.bulkRunner.submit({ kind: 'snapshot-abort', slot: 'receive' }, () => undefined);
    this.#host.send(receiving.from, { kind: 'snapshot-end', index, term, isInstalled: false });
  }
}
