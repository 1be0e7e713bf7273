import { AppError } from '../../base/app-error.ts';
import { MemoryLogStorage } from '../../raft/log-storage.ts';
import { RaftCore } from '../../raft/raft-core.ts';
import type { MemberId } from '../../raft/types.ts';
import { AddressBook } from './address-book.ts';
import { CommitNotice } from './commit-notice.ts';
import { laneOf } from './host-messages.ts';
import type { Envelope, HostMessage } from './host-messages.ts';
import { Membership } from './membership.ts';
import { StoreMetrics } from './metrics.ts';
import type { NodeEnv, NodeHost, NodeOptions } from './node-types.ts';
import { Persister } from './persister.ts';
import { Proposals } from './proposals.ts';
import { Reads } from './reads.ts';
import { ReadyHandler } from './ready-handler.ts';
import { SnapshotMaker } from './snapshot-maker.ts';
import { SnapshotTransfers } from './snapshot-transfers.ts';
import { Spare } from './spare.ts';
import type { Commit, Leadership } from './store.ts';
import { removedMax } from './store-state.ts';
import type { StoreState } from './store-state.ts';

/**
 * One member: the consensus core, its log on disk, the state machine, its peers. Everything is driven by events (a message, a tick,
 * a finished write, a call), runs to its end, and never waits; so a simulation sees and may crash it between any two of them.
 * Here is what goes in; what the core then asks for is done in ready-handler.ts.
 */
export class StoreNode {
  readonly #host: NodeHost;
  readonly #core: RaftCore;
  readonly #log: MemoryLogStorage;
  readonly #persister: Persister;
  readonly #maker: SnapshotMaker;
  readonly #transfers: SnapshotTransfers;
  readonly #spare: Spare;
  readonly #ready: ReadyHandler;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly membership: Membership;
  readonly metrics: StoreMetrics = new StoreMetrics();
  #isStopped = false;
  #wakeAtMs = 0;
  #roundsToDecide = 0;
  #framesSeen = 0;
  #cancelTick: () => void = () => undefined;

  constructor(env: NodeEnv, options: NodeOptions) {
    const { recovered } = options;
    this.#log = new MemoryLogStorage(recovered.before);
    this.#log.append(recovered.entries);
    if (recovered.snapshot !== null) this.#log.setSnapshot(recovered.snapshot);
    this.#core = new RaftCore({
      id: options.memberId, clusterId: options.clusterId, storage: this.#log, random: env.random, hardState: recovered.hardState, isCommitHeld: true,
      conf: recovered.state.conf, applied: recovered.state.view.revision, removed: recovered.state.removed,
      limits: { removedMax, electionTicks: options.limits.electionTicks, inflightMessagesMax: options.limits.appendsUnderWayMax, ...options.raftLimits },
      ...(options.raftMutations === undefined ? {} : { mutations: options.raftMutations }),
    });
    const host: NodeHost = {
      env, options, core: this.#core, metrics: this.metrics, mutations: options.mutations ?? new Set(), alarms: new Set(),
      state: () => this.#ready.state, softState: () => this.#ready.softState, term: () => this.#ready.term,
      send: (to, message) => this.#send(to, message), pump: () => this.#pump(), fail: (error) => this.fail(error),
    };
    this.#host = host;
    const addresses = new AddressBook(options.memberId, options.knownPeers);
    this.#spare = new Spare(host);
    this.#persister = new Persister({
      runner: env.logRunner, clock: env.clock, batchBytesMax: recovered.batchBytesMax, metrics: this.metrics, mutations: host.mutations,
      onAppended: (segmentId) => this.#spare.useSegment(segmentId), onFinished: () => this.#pump(), onFull: (isFull) => this.#spare.setLogFull(isFull), onFatal: (error) => this.fail(error),
    });
    this.proposals = new Proposals(host);
    this.reads = new Reads(host);
    this.membership = new Membership(host);
    this.#maker = new SnapshotMaker(host, {
      snapshot: recovered.snapshot, older: recovered.before, log: this.#log,
      addMarker: (marker, finish) => {
        this.#persister.addMarker(marker, finish);
        this.#persister.start();
      },
      indexesInUse: () => this.#transfers.indexesInUse(),
      arrivedIndexes: () => this.#transfers.arrivedIndexes(),
    });
    this.#transfers = new SnapshotTransfers(host, { makeNew: (done, isAnew) => this.#maker.request(done, isAnew), install: (meta, state, sizeBytes) => this.#ready.offerInstall(meta, state, sizeBytes) });
    this.#ready = new ReadyHandler({
      host, log: this.#log, addresses, persister: this.#persister, proposals: this.proposals, notice: new CommitNotice(host, this.proposals.takeForeign),
      reads: this.reads, membership: this.membership, maker: this.#maker, transfers: this.#transfers, guard: (run) => this.#guard(run),
    });
    env.transport.setPeers(addresses.of(recovered.state));
  }

  /** Begins to tick. A lone voter does not wait for an election timeout. */
  start(): void {
    const { conf } = this.#ready.state;
    if (conf.voters.length === 1 && conf.voters[0] === this.#host.options.memberId && conf.votersOutgoing.length === 0) this.#core.campaign();
    this.#spare.prepare();
    this.#armTick();
    this.#pump();
  }

  get state(): StoreState {
    return this.#ready.state;
  }

  get core(): RaftCore {
    return this.#core;
  }

  get log(): MemoryLogStorage {
    return this.#log;
  }

  get alarms(): ReadonlySet<string> {
    return this.#host.alarms;
  }

  get snapshots(): SnapshotMaker {
    return this.#maker;
  }

  get writesQueued(): number {
    return this.#persister.queuedCount;
  }

  get applyQueued(): number {
    return this.#ready.applyQueued;
  }

  get snapshotsSending(): number {
    return this.#transfers.sendingCount;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get leadership(): Leadership {
    return this.#ready.leadership;
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    return this.#ready.onCommit(listener);
  }

  onLeadership(listener: (leadership: Leadership) => void): () => void {
    return this.#ready.onLeadership(listener);
  }

  receive(envelope: Envelope): void {
    this.#guard(() => this.#receive(envelope));
  }

  /** What contradicts what is durable here stops the member, before it can spread. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error instanceof AppError ? error : new AppError({ code: 'BASE_INTERNAL', message: `the store stopped: ${String(error)}`, cause: error }));
    }
  }

  #receive(envelope: Envelope): void {
    if (this.#isStopped || envelope.to !== this.#host.options.memberId || envelope.clusterId !== this.#host.options.clusterId) return;
    this.#framesSeen += 1;
    const { from, message } = envelope;
    this.membership.heard(from);
    if (this.#ready.isDurablyRemoved(from) && !this.#isMutated()) {
      const { conf } = this.#ready.state;
      // NOTE: while joint, the last word is not spoken.
      if (conf.votersOutgoing.length === 0) this.#send(from, { kind: 'removed', voters: conf.voters });
      return;
    }
    switch (message.kind) {
      case 'raft':
        if (message.message.from === from) this.#core.step(message.message);
        break;
      case 'forward':
        this.proposals.receive(from, message.payload);
        break;
      case 'forward-refused':
        this.proposals.refused(message.requestId, message.code, message.message);
        break;
      case 'call':
        this.membership.receive(from, message.callId, message.call);
        break;
      case 'answer':
        this.membership.answered(message.callId, message.answer);
        break;
      case 'removed':
        this.#removed(from, message.voters);
        break;
      case 'may-leave':
        break;
      default:
        this.#transfers.receive(from, message);
    }
    this.#pump();
  }

  /** The connection to a member broke: what was sent optimistically may be lost. */
  peerLost(member: MemberId): void {
    if (this.#isStopped) return;
    this.#core.reportUnreachable(member);
    if (member === this.#ready.softState.leader) this.#leaderLost();
    this.#pump();
  }

  /**
   * The leader's connection broke, as it does when its process ends: no need to wait for the election timeout. Who still hears from
   * the leader refuses the pre-vote, so a broken connection alone changes nothing.
   */
  #leaderLost(): void {
    const { clock, random } = this.#host.env;
    this.#core.forgetLeader();
    clock.after(20 + random.float() * 200, () => {
      const { role, leader } = this.#ready.softState;
      if (this.#isStopped || leader !== null || role !== 'follower') return;
      this.#core.campaign();
      this.#pump();
    }, true);
  }

  /** Hands the leadership over if it can. Calls back when another leads, or when it takes too long. */
  handOver(timeoutMs: number, done: () => void): void {
    const to = this.membership.successor();
    if (this.#ready.softState.role !== 'leader' || to === null || this.#core.transferLeader(to).kind === 'refused') {
      done();
      return;
    }
    let isDone = false;
    const finish = (): void => {
      if (isDone) return;
      isDone = true;
      cancel();
      unsubscribe();
      done();
    };
    const cancel = this.#host.env.clock.after(timeoutMs, finish);
    const unsubscribe = this.onLeadership((leadership) => {
      if (!leadership.isLeader) finish();
    });
    this.#pump();
  }

  /** Writes what is known but not yet written. */
  flush(): void {
    if (!this.#isStopped) this.#persister.flush(() => undefined);
  }

  get isFlushed(): boolean {
    return this.#isStopped || this.#persister.isIdle;
  }

  /** Nothing is sent, written or called back any more, except what waits: it hears MANAGER_CLOSED or MANAGER_OUTCOME_UNKNOWN. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelTick();
    this.#ready.stop();
    this.#persister.stop();
    this.#maker.stop();
    this.#spare.stop();
    this.#transfers.stop();
    this.proposals.stop();
    this.reads.stop();
    this.membership.stop();
    this.#host.env.transport.close();
  }

  #isMutated(): boolean {
    return this.#host.options.raftMutations?.has('removed-member-heard') ?? false;
  }

  /** Stops at once, for a reason that does not pass. */
  fail(error: AppError): void {
    if (this.#isStopped) return;
    this.#host.env.log.error('store.fatal', { code: error.code, message: error.message });
    this.stop();
    this.#host.env.onFatal(error);
  }

  #removed(from: MemberId, voters: readonly MemberId[]): void {
    if (!this.membership.confirmRemoval(from, voters)) return;
    this.#host.alarms.add('removed');
    this.fail(new AppError({
      code: 'MANAGER_REMOVED',
      message: `member ${this.#host.options.memberId} was removed from the cluster`,
      hint: 'let it join again under a new id: flotilla store recover --rejoin',
    }));
  }

  #send(to: MemberId, message: HostMessage): void {
    if (this.#isStopped) return;
    const { memberId, clusterId } = this.#host.options;
    this.#host.env.transport.send({ from: memberId, to, clusterId, message }, laneOf(message));
  }

  #pump(): void {
    this.#ready.pump();
  }

  #armTick(): void {
    const { clock } = this.#host.env;
    const { tickMs } = this.#host.options.limits;
    this.#wakeAtMs = clock.monotonicMs() + tickMs;
    this.#cancelTick = clock.after(tickMs, () => this.#guard(() => this.#tick()));
  }

  /**
   * A late wake-up says nothing about the leader: its messages may be waiting in the sockets. So it counts one tick, however
   * late it is, the sockets are read first, and only then is decided.
   */
  #tick(): void {
    if (this.#isStopped) return;
    const { clock } = this.#host.env;
    const { tickMs } = this.#host.options.limits;
    const lateMs = clock.monotonicMs() - this.#wakeAtMs;
    this.#armTick();
    this.metrics.stallMs.add(Math.max(0, lateMs));
    if (this.#host.mutations.has('host-all-ticks-counted')) {
      for (let missed = Math.floor(lateMs / tickMs); missed >= 0; missed -= 1) this.#core.tick();
    } else if (lateMs > tickMs || this.#roundsToDecide > 0) {
      this.#core.tickLate();
      if (this.#roundsToDecide === 0) this.#host.env.soon(() => this.#decideWhenDrained());
      this.#roundsToDecide = 20;
    } else {
      this.#core.tick();
    }
    this.proposals.tick();
    this.reads.tick();
    this.#transfers.tick();
    this.membership.tick();
    this.#spare.tick();
    this.#pump();
  }

  #decideWhenDrained(): void {
    if (this.#isStopped) return;
    const seen = this.#framesSeen;
    this.#framesSeen = 0;
    this.#roundsToDecide -= 1;
    if (this.#roundsToDecide > 0 && (seen > 0 || this.#roundsToDecide > 17)) {
      this.#host.env.soon(() => this.#decideWhenDrained());
      return;
    }
    this.#roundsToDecide = 0;
    this.#core.decide();
    this.#pump();
  }
}
