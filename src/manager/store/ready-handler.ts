import type { StoreEvent } from '../../model/entry.ts';
import { decodeConfChange } from '../../raft/conf-change.ts';
import type { MemoryLogStorage } from '../../raft/log-storage.ts';
import type { Entry as LogRecord, MemberId, PersistJob, Ready, SnapshotMeta, SoftState } from '../../raft/types.ts';
import type { AddressBook } from './address-book.ts';
import type { CommitNotice } from './commit-notice.ts';
import { decodeEntry } from './entry-codec.ts';
import type { Membership } from './membership.ts';
import type { NodeHost } from './node-types.ts';
import type { Persister } from './persister.ts';
import type { Proposals } from './proposals.ts';
import type { Reads } from './reads.ts';
import type { SnapshotMaker } from './snapshot-maker.ts';
import type { SnapshotTransfers } from './snapshot-transfers.ts';
import { checkLevel } from './recover-state.ts';
import { infosOf } from './state-codec.ts';
import { diffViews } from './state-diff.ts';
import type { Commit, Leadership } from './store.ts';
import { advance, appliedIndex, applyMembers, applyNormal } from './store-state.ts';
import type { StoreState } from './store-state.ts';

export type ReadyHandlerOptions = {
  readonly host: NodeHost;
  readonly log: MemoryLogStorage;
  readonly addresses: AddressBook;
  readonly persister: Persister;
  readonly proposals: Proposals;
  readonly notice: CommitNotice;
  readonly reads: Reads;
  readonly membership: Membership;
  readonly maker: SnapshotMaker;
  readonly transfers: SnapshotTransfers;
  /** Runs it; what it throws stops the member. */
  readonly guard: (run: () => void) => void;
};

type Installing = { readonly meta: SnapshotMeta; readonly state: StoreState; readonly sizeBytes: number };

/**
 * Does what the core asks for: hands messages to the peers, entries to the log's writer, and what is committed to the state machine. It owns
 * what comes of that: the applied state, and what the core last said of leader and term.
 */
export class ReadyHandler {
  readonly #options: ReadyHandlerOptions;
  readonly #host: NodeHost;
  readonly #commitListeners: Set<(commit: Commit) => void> = new Set();
  readonly #leadershipListeners: Set<(leadership: Leadership) => void> = new Set();
  #state: StoreState;
  #softState: SoftState = { role: 'follower', leader: null, isLeading: false };
  #term: number;
  #applyQueue: LogRecord[] = [];
  readonly #durablyRemoved: Set<MemberId>;
  #installing: Installing | null = null;
  #isPumping = false;
  /** Something for other members leaves at the end of this round of work. */
  #hasFrames = false;
  #isApplyPlanned = false;
  #isStopped = false;

  constructor(options: ReadyHandlerOptions) {
    const { recovered } = options.host.options;
    this.#options = options;
    this.#host = options.host;
    this.#state = recovered.state;
    this.#term = recovered.hardState?.term ?? 0;
    this.#durablyRemoved = new Set(recovered.state.removed);
  }

  get state(): StoreState {
    return this.#state;
  }

  get softState(): SoftState {
    return this.#softState;
  }

  get term(): number {
    return this.#term;
  }

  get applyQueued(): number {
    return this.#applyQueue.length;
  }

  get leadership(): Leadership {
    return { isLeader: this.#softState.isLeading, leaderId: this.#softState.leader, term: this.#term };
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  onLeadership(listener: (leadership: Leadership) => void): () => void {
    this.#leadershipListeners.add(listener);
    return () => this.#leadershipListeners.delete(listener);
  }

  /** That the member was removed is durable here. */
  isDurablyRemoved(member: MemberId): boolean {
    return this.#durablyRemoved.has(member);
  }

  stop(): void {
    this.#isStopped = true;
    this.#commitListeners.clear();
    this.#leadershipListeners.clear();
  }

  /** Does all that the core asks for, until it asks for nothing more. */
  pump(): void {
    if (!this.#isPumping && !this.#isStopped) this.#options.guard(() => this.#pumpAll());
  }

  /** A whole snapshot of the leader is on disk: the core decides whether it is of use. */
  offerInstall(meta: SnapshotMeta, state: StoreState, sizeBytes: number): void {
    this.#installing = { meta, state, sizeBytes };
  }

  #pumpAll(): void {
    const { core } = this.#host;
    const { persister, notice } = this.#options;
    this.#isPumping = true;
    this.#hasFrames = false;
    try {
      // Now that something happened, what is durable here may complete a quorum.
      this.#host.env.logRunner.look();
      do {
        while (core.hasReady()) this.#handle(core.ready());
        persister.finishReady();
        // NOTE: before what is committed is applied: others wait for what is durable here, hardly anybody for what this member has applied.
        if (!this.#isStopped) persister.start(this.#hasFrames);
        this.#applySome();
        notice.check();
      } while (!this.#isStopped && core.hasReady());
    } finally {
      this.#isPumping = false;
    }
  }

  #handle(ready: Ready): void {
    if (ready.persist !== null) this.#persist(ready.persist);
    if (ready.softState !== null) this.#changeRole(ready.softState);
    if (ready.messages.length > 0) this.#hasFrames = true;
    for (const message of ready.messages) {
      if (message.kind === 'snapshot') this.#options.transfers.offer(message);
      else this.#host.send(message.to, { kind: 'raft', message });
    }
    for (const entry of ready.committed) this.#applyQueue.push(entry);
    this.#options.reads.ready(ready.reads, ready.readsFailed);
  }

  #persist(job: PersistJob): void {
    const { mutations } = this.#host;
    if (job.hardState !== null) this.#term = job.hardState.term;
    const installing = job.snapshot === null ? null : this.#installing;
    if (job.snapshot !== null) this.#options.log.install(job.snapshot);
    if (job.entries[0] !== undefined) this.#host.env.observe?.appended(job.entries, this.#options.log.term(job.entries[0].index - 1));
    this.#options.log.append(job.entries);
    const isSentEarly = mutations.has('host-sends-before-persist');
    if (isSentEarly) for (const message of job.messagesAfterPersist) this.#host.send(message.to, { kind: 'raft', message });
    if (mutations.has('host-persist-reported-early')) this.#host.core.persisted(job.id);
    this.#options.persister.addJob(job, this.#isAwaited(job), () => {
      if (installing !== null) this.#install(installing);
      if (!isSentEarly) for (const message of job.messagesAfterPersist) this.#host.send(message.to, { kind: 'raft', message });
      this.#host.core.persisted(job.id);
    });
  }

  /** What a leader of several writes is committed only when one of the others has it too, and that comes as a message: no need to be woken twice. */
  #isAwaited(job: PersistJob): boolean {
    const { voters, votersOutgoing } = this.#state.conf;
    const isOneOfSeveral = Math.max(voters.length, votersOutgoing.length) > 1;
    return !isOneOfSeveral || this.#softState.role !== 'leader' || job.messagesAfterPersist.length > 0 || job.snapshot !== null;
  }

  #changeRole(softState: SoftState): void {
    const before = this.#softState;
    this.#softState = softState;
    this.#host.env.observe?.role(softState, this.#term);
    if (before.leader !== softState.leader && softState.leader !== null) this.#host.metrics.leaderChanges += 1;
    if (before.role === 'leader' && softState.role !== 'leader') this.#options.transfers.stopSending();
    const status = this.leadership;
    this.#options.proposals.leaderChanged();
    this.#options.membership.leaderChanged();
    this.#host.env.log.info('store.role', { role: softState.role, leader: softState.leader, isLeading: softState.isLeading, term: this.#term });
    for (const listener of this.#leadershipListeners) listener(status);
  }

  #applySome(): void {
    const { applyEntriesMax } = this.#host.options.limits;
    const startMs = this.#host.env.clock.monotonicMs();
    let count = 0;
    while (count < this.#applyQueue.length && count < applyEntriesMax) {
      const entry = this.#applyQueue[count];
      count += 1;
      if (entry !== undefined && entry.index > appliedIndex(this.#state)) this.#apply(entry);
    }
    if (count === 0) return;
    this.#applyQueue = this.#applyQueue.slice(count);
    this.#host.metrics.applyUs.add(((this.#host.env.clock.monotonicMs() - startMs) * 1000) / count);
    this.#host.core.applied(appliedIndex(this.#state));
    this.#options.reads.applied();
    this.#options.maker.maybeStart();
    if (this.#applyQueue.length > 0 && !this.#isApplyPlanned) {
      this.#isApplyPlanned = true;
      this.#host.env.soon(() => {
        this.#isApplyPlanned = false;
        this.pump();
      });
    }
  }

  #apply(entry: LogRecord): void {
    const position = { index: entry.index, term: entry.term };
    this.#options.maker.count(entry.data.length);
    if (entry.kind === 'normal') {
      const decoded = decodeEntry(entry.data, this.#host.options.featureLevel);
      const applied = applyNormal(this.#state, position, decoded);
      this.#state = applied.state;
      this.#host.env.observe?.applied(entry, this.#state);
      this.#options.proposals.applied(position, decoded.requestId, applied.outcome);
      if (applied.events.length > 0) this.#publish(applied.events);
      return;
    }
    this.#state = advance(this.#state, position);
    if (entry.kind === 'conf') this.#applyConf(entry);
    this.#host.env.observe?.applied(entry, this.#state);
    this.#options.proposals.applied(position, null, null);
  }

  #applyConf(entry: LogRecord): void {
    const conf = this.#host.core.applyConfChange(entry);
    this.#options.addresses.remember(this.#state);
    this.#state = applyMembers(this.#state, conf, infosOf(decodeConfChange(entry.data)));
    checkLevel(this.#state, this.#host.options.featureLevel);
    this.#host.env.transport.setPeers(this.#options.addresses.of(this.#state));
    this.#host.env.log.info('store.members', { conf, index: entry.index });
    this.#options.membership.applied(entry.index, entry.term);
    this.#options.persister.flush(() => this.#noteRemovals());
  }

  /**
   * Who was removed is told so only when this member knows it durably. Otherwise it could go, with its data, while those
   * who stay forget in a crash that the removal was committed, and wait for its vote for ever.
   */
  #noteRemovals(): void {
    for (const member of this.#state.removed) this.#durablyRemoved.add(member);
    if (this.#state.removed.includes(this.#host.options.memberId)) this.#host.alarms.add('removed');
  }

  #publish(events: readonly StoreEvent[]): void {
    const commit: Commit = { revision: appliedIndex(this.#state), view: this.#state.view, events };
    for (const listener of this.#commitListeners) listener(commit);
  }

  #install({ meta, state, sizeBytes }: Installing): void {
    const before = this.#state.view;
    this.#installing = null;
    this.#state = state;
    this.#host.env.observe?.installed(state);
    this.#applyQueue = this.#applyQueue.filter((entry) => entry.index > meta.index);
    this.#host.metrics.snapshotsInstalled += 1;
    this.#noteRemovals();
    this.#options.maker.installed(meta, sizeBytes);
    this.#host.env.transport.setPeers(this.#options.addresses.of(this.#state));
    this.#options.proposals.installed();
    this.#options.reads.applied();
    const events = diffViews(before, state.view);
    if (events.length > 0) this.#publish(events);
  }
}
