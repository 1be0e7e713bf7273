import { AppError } from '../base/app-error.ts';
import { assert } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import { CoreState, type PendingJob } from './core-state.ts';
import { becomeFollower, countVote, drawElectionTimeout, startElection } from './election.ts';
import { inspectState, type Inspection } from './inspect.ts';
import { applyConfEntry, checkConfChange, maybeLeaveJoint, proposeChange } from './membership.ts';
import { RaftLog } from './raft-log.ts';
import { askRead, isRoundDue, releaseEarlyReads, setLeader, startRound } from './reads.ts';
import { acknowledgeSelf, appendAsLeader, broadcastAppend, flushBroadcast } from './replication.ts';
import { requestTransfer, stepMessage } from './step.ts';
import { countTick, decide, sendHeartbeatIfDue } from './tick.ts';
import type {
  Accepted, ConfChange, ConfState, Entry, HardState, Index, LogStorage, MemberId, Message, PersistJob, Proposed, RaftLimits, RaftOptions, Ready, Refusal,
  SoftState, Status,
} from './types.ts';

export const defaultLimits: RaftLimits = {
  heartbeatTicks: 1,
  electionTicks: 10,
  entryBytesMax: 1_500_000,
  messageBytesMax: 1024 * 1024,
  inflightMessagesMax: 256,
  inflightBytesMax: 16 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  applyingBytesMax: 64 * 1024 * 1024,
  pendingReadsMax: 10_000,
  removedMax: 1_000,
};

/**
 * The consensus core of one member: no I/O, no clock, no dice but the ones handed in. The host feeds it (step, tick, propose …) and does
 * what `ready()` says. Several persist jobs may be under way; the core counts its own acknowledgement only when `persisted` says so.
 */
export class RaftCore {
  readonly #options: RaftOptions;
  readonly #s: CoreState;

  constructor(options: RaftOptions) {
    this.#options = options;
    const limits = { ...defaultLimits, ...options.limits };
    assert(limits.heartbeatTicks >= 1 && limits.electionTicks > limits.heartbeatTicks, 'an election timeout is longer than the time between heartbeats');
    this.#s = new CoreState(options, limits, openLog(options));
    becomeFollower(this.#s, this.#s.term, null);
  }

  /** A message of a peer. Messages may be lost, repeated and reordered. Null: taken (or rightly ignored). */
  step(message: Message): Refusal | null {
    return stepMessage(this.#s, message);
  }

  /** One tick has passed: count it and decide (campaign, heartbeat, check the quorum). */
  tick(): void {
    countTick(this.#s);
    decide(this.#s);
  }

  /**
   * The host woke up late, by however much: counts ONE tick and decides nothing. Then drain every socket into `step`, then call
   * `decide()`. A leader's heartbeat is handed out at once.
   */
  tickLate(): void {
    countTick(this.#s);
    if (this.#s.has('late-tick-decides')) decide(this.#s);
    else sendHeartbeatIfDue(this.#s);
  }

  /** What `tickLate` put off. Does nothing if no decision is due. */
  decide(): void {
    decide(this.#s);
  }

  /** Leader only: all or none. An entry that was taken is not yet committed, and may never be. */
  propose(payloads: readonly Uint8Array[]): Proposed | Refusal {
    const s = this.#s;
    const refusal = this.#checkLeader();
    if (refusal !== null) return refusal;
    if (payloads.length === 0) return s.refuse('RAFT_BAD_MESSAGE', 'nothing was proposed');
    let bytes = 0;
    for (const data of payloads) {
      if (data.length > s.limits.entryBytesMax) return s.refuse('RAFT_ENTRY_TOO_LARGE', `an entry has ${data.length} bytes, the limit is ${s.limits.entryBytesMax}`);
      bytes += data.length;
    }
    // NOTE: when nothing waits, one batch of any size is taken, or a large one could never be.
    if (s.uncommittedBytes > 0 && s.uncommittedBytes + bytes > s.limits.uncommittedBytesMax && !s.has('uncommitted-unbounded')) {
      return s.refuse('RAFT_BUSY', `${s.uncommittedBytes} bytes wait to be committed already`);
    }
    const proposed = appendAsLeader(s, payloads, 'normal');
    broadcastAppend(s);
    return proposed;
  }

  #checkLeader(): Refusal | null {
    const s = this.#s;
    if (s.role !== 'leader') {
      return s.leader === null ? s.refuse('RAFT_NO_LEADER', `no leader is known in term ${s.term}`) : s.refuse('RAFT_NOT_LEADER', `the leader is ${s.leader}`);
    }
    if (!s.members.has(s.id)) return s.refuse('RAFT_NOT_VOTER', 'this leader was removed');
    if (s.transferee !== null) return s.refuse('RAFT_TRANSFERRING', `the leadership is being handed to ${s.transferee}`);
    return null;
  }

  /** Leader only; one at a time; effective when applied. A change without changes leaves the joint configuration. */
  proposeConfChange(change: ConfChange): Proposed | Refusal {
    return this.#checkLeader() ?? checkConfChange(this.#s, change) ?? proposeChange(this.#s, change);
  }

  /** For every committed `conf` entry, before `applied` of its index; also by a member that restarts and applies it again. */
  applyConfChange(entry: Entry): ConfState {
    return applyConfEntry(this.#s, entry);
  }

  /** Asks for a linearizable read; the answer comes in Ready.reads or readsFailed. `context` is never used twice in a process. */
  readIndex(context: number): Accepted | Refusal {
    return askRead(this.#s, context);
  }

  /** Hands the leadership to a voter; on a follower the request is passed on. Aborted after one election timeout. */
  transferLeader(to: MemberId): Accepted | Refusal {
    return requestTransfer(this.#s, to);
  }

  /** Starts an election at once (pre-vote first): for tests and for a start that knows it is alone. */
  campaign(): Accepted | Refusal {
    return startElection(this.#s, 'normal');
  }

  /** Followers wait to hear what is committed (see `isCommitHeld`). */
  get isCommitDue(): boolean {
    return this.#s.isCommitDue && this.#s.role === 'leader';
  }

  get commitIndex(): Index {
    return this.#s.log.committed;
  }

  /** They are told with the next Ready. */
  tellCommit(): void {
    if (this.isCommitDue) broadcastAppend(this.#s);
  }

  /** Gives up the knowledge of a leader, so that others' pre-votes are granted before the timeout: the host knows that the leader is gone. */
  forgetLeader(): void {
    if (this.#s.role === 'follower' && this.#s.testing.isLeaseRead !== true) setLeader(this.#s, null);
  }

  /** The transport lost its connection to the member: optimistic sending stops until it answers. */
  reportUnreachable(member: MemberId): void {
    const progress = this.#s.members.get(member);
    if (this.#s.role === 'leader' && progress?.state === 'replicate') progress.becomeProbe();
  }

  /** The stream of a snapshot ended. Exactly one report for each `snapshot` message handed out. */
  reportSnapshot(member: MemberId, result: 'finished' | 'failed'): void {
    const progress = this.#s.members.get(member);
    if (this.#s.role !== 'leader' || progress?.state !== 'snapshot') return;
    if (result === 'failed') progress.pendingSnapshot = 0;
    progress.becomeProbe();
    // The next append waits for a sign of life: the acknowledgement of the snapshot, or a heartbeat's answer.
    progress.isPausedByFlow = true;
  }

  hasReady(): boolean {
    const s = this.#s;
    return (
      s.messages.length > 0 || s.isBroadcastDue || this.#hasJob() || s.log.hasCommitted(s.isApplyUnstable, s.limits.applyingBytesMax) || s.reads.ready.length > 0 ||
      s.reads.failed.length > 0 || isRoundDue(s) || this.#isSoftStateNew()
    );
  }

  /** What is to be done now. Handed out once; there is no need to finish it before the next call. */
  ready(): Ready {
    const s = this.#s;
    if (isRoundDue(s)) startRound(s);
    if (s.isBroadcastDue) flushBroadcast(s);
    const softState = this.#takeSoftState();
    const persist = this.#takeJob();
    const committed = s.log.takeCommitted(s.isApplyUnstable, s.limits.applyingBytesMax);
    const { messages } = s;
    const { ready: reads, failed: readsFailed } = s.reads;
    s.messages = [];
    s.reads.ready = [];
    s.reads.failed = [];
    return { softState, persist, messages, committed, reads, readsFailed };
  }

  #isSoftStateNew(): boolean {
    const { handedSoftState: old, role, leader, isLeading } = this.#s;
    return old.role !== role || old.leader !== leader || old.isLeading !== isLeading;
  }

  #takeSoftState(): SoftState | null {
    if (!this.#isSoftStateNew()) return null;
    const { role, leader, isLeading } = this.#s;
    this.#s.handedSoftState = { role, leader, isLeading };
    return this.#s.handedSoftState;
  }

  #isHardStateNew(): boolean {
    const { handedHardState: old, term, vote, log } = this.#s;
    return old.term !== term || old.commit !== log.committed || (old.vote !== vote && !this.#s.has('vote-not-in-hard-state'));
  }

  #hasJob(): boolean {
    const s = this.#s;
    return s.log.hasUnwritten || s.messagesAfterPersist.length > 0 || s.selfVotes.length > 0 || s.selfAck > 0 || this.#isHardStateNew();
  }

  #takeJob(): PersistJob | null {
    const s = this.#s;
    if (!this.#hasJob()) return null;
    const old = s.handedHardState;
    const hardState: HardState | null = this.#isHardStateNew() ? s.hardState() : null;
    const entries = s.log.takeUnwritten();
    const snapshot = s.log.takeUnwrittenSnapshot();
    s.jobsMade += 1;
    const hasTail = s.log.hasTail;
    s.jobs.push({
      id: s.jobsMade,
      term: s.term,
      lastIndex: hasTail ? s.log.lastIndex() : 0,
      lastTerm: hasTail ? s.log.lastTerm() : 0,
      snapshotIndex: snapshot?.index ?? 0,
      selfAck: s.selfAck,
      selfVotes: s.selfVotes,
    });
    const messagesAfterPersist = s.messagesAfterPersist;
    s.selfAck = 0;
    s.selfVotes = [];
    s.messagesAfterPersist = [];
    if (hardState !== null) s.handedHardState = hardState;
    const isHardStateSynced = hardState !== null && (hardState.term !== old.term || hardState.vote !== old.vote);
    return { id: s.jobsMade, entries, hardState, snapshot, mustSync: entries.length > 0 || snapshot !== null || isHardStateSynced, messagesAfterPersist };
  }

  /** All jobs up to `id` are durable, and the state machine holds their snapshot if they had one. */
  persisted(id: number): void {
    const { jobs, jobsMade } = this.#s;
    assert(id <= jobsMade, `job ${id} is reported durable, but only ${jobsMade} were handed out`);
    let count = 0;
    while (count < jobs.length && (jobs[count]?.id ?? Infinity) <= id) count += 1;
    for (const job of jobs.splice(0, count)) this.#finishJob(job);
  }

  #finishJob(job: PendingJob): void {
    const s = this.#s;
    for (const vote of job.selfVotes) {
      if (vote.term === (vote.isPreVote ? s.term + 1 : s.term)) countVote(s, s.id, vote.isPreVote, true);
    }
    if (job.selfAck > 0 && job.term === s.term && s.role === 'leader') acknowledgeSelf(s, job.selfAck);
    // NOTE: a job of an older term may have written entries that a later job, still on its way, replaces.
    const isTermChecked = !s.has('stable-by-index-only');
    if (job.lastIndex > 0 && (job.term === s.term || !isTermChecked)) s.log.stableTo(job.lastIndex, job.lastTerm, isTermChecked);
    if (job.snapshotIndex > 0) s.log.snapshotInstalled(job.snapshotIndex);
  }

  /** The state machine has applied everything up to `index`. */
  applied(index: Index): void {
    const s = this.#s;
    s.uncommittedBytes = Math.max(0, s.uncommittedBytes - s.log.appliedTo(index));
    if (s.role !== 'leader') return;
    releaseEarlyReads(s);
    maybeLeaveJoint(s);
  }

  status(): Status {
    const s = this.#s;
    return {
      id: s.id,
      role: s.role,
      leader: s.leader,
      isLeading: s.isLeading,
      hardState: s.hardState(),
      applied: s.log.applied,
      firstIndex: s.log.firstIndex(),
      lastIndex: s.log.lastIndex(),
      conf: s.conf,
      transferee: s.transferee,
      uncommittedBytes: s.uncommittedBytes,
      electionElapsedTicks: s.electionElapsedTicks,
      randomizedElectionTicks: s.randomizedElectionTicks,
      members: s.role === 'leader' ? s.memberIds.flatMap((member) => s.members.get(member)?.status() ?? []) : [],
    };
  }

  /** The term of an entry, as the core sees its log (durable or not); null where it holds none. For oracles and for proposals' outcomes. */
  termAt(index: Index): number | null {
    return this.#s.log.term(index);
  }

  /** Everything the core knows, as plain data: for the oracles of a simulation. */
  inspect(): Inspection {
    return inspectState(this.#s);
  }

  /** For tests: the drawn election timeout, until it is drawn again. */
  setElectionTicks(ticks: number): void {
    if (ticks > 0) this.#s.randomizedElectionTicks = ticks;
    else drawElectionTimeout(this.#s);
  }

  /** A core in the same state over another storage (which must hold the same): for simulations that try both ways. */
  clone(storage: LogStorage, random: Random): RaftCore {
    const copy = new RaftCore({ ...this.#options, storage, random, hardState: null, applied: storage.firstIndex() - 1 });
    copy.#s.copyFrom(this.#s, storage);
    return copy;
  }
}

/** What is applied was committed, although the note of it in the hard state may be older (it is written without a sync). */
function openLog(options: RaftOptions): RaftLog {
  const { storage, applied } = options;
  const before = storage.firstIndex() - 1;
  const last = storage.lastIndex();
  if (applied < before || applied > last) {
    throw new AppError({
      code: 'RAFT_LOG_UNAVAILABLE',
      message: `the state machine has applied entry ${applied}, the log goes from ${before + 1} to ${last}`,
      hint: 'State and log are not of one member. Restore both from one backup, or let the member join again under a new id.',
    });
  }
  const committed = Math.max(options.hardState?.commit ?? 0, applied, before);
  if (committed > last) {
    throw new AppError({ code: 'RAFT_LOG_UNAVAILABLE', message: `entry ${committed} was committed, but the log ends at ${last}: its end is lost` });
  }
  return new RaftLog(storage, committed, applied);
}
