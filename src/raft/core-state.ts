import type { Random } from '../base/random.ts';
import { membersOf, votersOf } from './conf-change.ts';
import type { RaftMutation } from './mutations.ts';
import { Progress, Window } from './progress.ts';
import { RaftLog } from './raft-log.ts';
import { cloneReads, emptyReads, type Reads } from './reads-state.ts';
import type { ConfState, HardState, Index, LogStorage, MemberId, Message, RaftLimits, RaftOptions, Refusal, RefusalCode, Role, SoftState, Term, TestOptions } from './types.ts';

/** A vote for oneself that counts once the job that persists it is durable. */
export type SelfVote = { readonly isPreVote: boolean; readonly term: Term };

/** What the core remembers of a persist job until it is reported durable. */
export type PendingJob = {
  readonly id: number;
  /** The term in which it was handed out: a report of an older term says nothing about the tail of today. */
  readonly term: Term;
  /** The end of the log at that time, 0 if nothing of it was in memory. */
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  readonly snapshotIndex: Index;
  /** The leader's own acknowledgement, 0 if none. */
  readonly selfAck: Index;
  readonly selfVotes: readonly SelfVote[];
};

/** Everything one core knows. The functions of this room work on it; nothing else holds state. */
export class CoreState {
  readonly id: MemberId;
  readonly clusterId: string;
  readonly limits: RaftLimits;
  readonly random: Random;
  readonly testing: TestOptions;
  readonly isCommitHeld: boolean;
  readonly mutations: ReadonlySet<RaftMutation>;
  readonly mark: (name: string, detail: Readonly<Record<string, unknown>>) => void;
  log: RaftLog;

  term: Term;
  vote: MemberId | null;
  role: Role = 'follower';
  leader: MemberId | null = null;
  votes = new Map<MemberId, boolean>();

  conf: ConfState;
  members = new Map<MemberId, Progress>();
  /** Sorted, so that messages leave in the same order in every run. */
  memberIds: MemberId[] = [];
  voterIds: MemberId[] = [];
  removed: Set<MemberId>;

  electionElapsedTicks = 0;
  heartbeatElapsedTicks = 0;
  randomizedElectionTicks = 0;
  isDecisionDue = false;
  transferee: MemberId | null = null;
  /** No change of members is taken before this index is applied. */
  pendingConfIndex: Index = 0;
  /** The leader's first entry of its term; 0 if not leading. */
  termStart: Index = 0;
  didProposeJoint = false;
  uncommittedBytes = 0;

  messages: Message[] = [];
  /** Something new is to be told to every member; it goes out with the next Ready, once for all that has come together by then. */
  isBroadcastDue = false;
  /** Followers do not know the commit index yet, and nothing is to be sent for that alone before `tellCommit`. */
  isCommitDue = false;
  messagesAfterPersist: Message[] = [];
  selfAck: Index = 0;
  selfVotes: SelfVote[] = [];
  jobs: PendingJob[] = [];
  jobsMade = 0;
  reads: Reads = emptyReads();

  handedHardState: HardState;
  handedSoftState: SoftState;

  constructor(options: RaftOptions, limits: RaftLimits, log: RaftLog) {
    this.id = options.id;
    this.clusterId = options.clusterId;
    this.limits = limits;
    this.random = options.random;
    this.testing = options.testing ?? {};
    this.isCommitHeld = options.isCommitHeld ?? false;
    this.mutations = options.mutations ?? new Set();
    this.mark = options.mark ?? ((): void => undefined);
    this.log = log;
    this.term = options.hardState?.term ?? 0;
    this.vote = options.hardState?.vote ?? null;
    this.conf = options.conf;
    this.removed = new Set(options.removed);
    this.handedHardState = { term: this.term, vote: this.vote, commit: log.committed };
    this.handedSoftState = { role: 'follower', leader: null, isLeading: false };
    this.setConf(options.conf, new Map(), log.lastIndex());
  }

  has(mutation: RaftMutation): boolean {
    return this.mutations.size > 0 && this.mutations.has(mutation);
  }

  get isPreVoteOn(): boolean {
    return this.testing.isPreVoteOff !== true && !this.has('no-pre-vote');
  }

  get isCheckQuorumOn(): boolean {
    return this.testing.isCheckQuorumOff !== true && !this.has('no-check-quorum');
  }

  get isApplyUnstable(): boolean {
    return this.testing.isApplyUnstable === true || this.has('apply-before-persist');
  }

  /** Leads, and an entry of its own term is committed and applied. */
  get isLeading(): boolean {
    return this.role === 'leader' && this.log.applied >= this.termStart;
  }

  /** May it become leader: a voter whose log is not being replaced by a snapshot. */
  get isPromotable(): boolean {
    const own = this.members.get(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasPendingSnapshot;
  }

  /** Installs a configuration; members that are kept keep their progress, others begin at `last`. */
  setConf(conf: ConfState, kept: ReadonlyMap<MemberId, Progress>, last: Index): void {
    const learners = new Set(conf.learners);
    const members = new Map<MemberId, Progress>();
    for (const member of membersOf(conf)) {
      const progress = kept.get(member) ?? this.newProgress(member, last);
      progress.isLearner = learners.has(member);
      members.set(member, progress);
    }
    this.conf = conf;
    this.members = members;
    this.memberIds = [...members.keys()];
    this.voterIds = this.has('learner-counts') ? this.memberIds : votersOf(conf);
  }

  newProgress(member: MemberId, last: Index): Progress {
    const progress = new Progress({
      member,
      isLearner: false,
      match: this.has('match-from-last-index') ? last : 0,
      next: Math.max(last, 1),
      window: new Window(this.limits.inflightMessagesMax, this.has('window-unbounded') ? Infinity : this.limits.inflightBytesMax),
    });
    if (progress.next <= progress.match) progress.next = progress.match + 1;
    // NOTE: counted as heard from, or the check of the quorum could fail before a new member had any chance to answer.
    progress.isRecentActive = true;
    return progress;
  }

  get countedVoters(): readonly MemberId[] {
    return this.has('learner-counts') ? this.memberIds : this.conf.voters;
  }

  get countedOutgoing(): readonly MemberId[] {
    return this.has('joint-one-majority') ? [] : this.conf.votersOutgoing;
  }

  hardState(): HardState {
    return { term: this.term, vote: this.has('vote-not-in-hard-state') ? null : this.vote, commit: this.log.committed };
  }

  refuse(code: RefusalCode, message: string): Refusal {
    return { kind: 'refused', code, message, leader: this.leader };
  }

  /** For answers that promise something durable: they leave after the job that persists it. */
  sendAfterPersist(message: Message): void {
    this.messagesAfterPersist.push(message);
  }

  send(message: Message): void {
    this.messages.push(message);
  }

  /** Takes over the whole state of another core of the same options, over a storage that holds the same entries. */
  copyFrom(other: CoreState, storage: LogStorage): void {
    this.log = other.log.clone(storage);
    this.term = other.term;
    this.vote = other.vote;
    this.role = other.role;
    this.leader = other.leader;
    this.votes = new Map(other.votes);
    this.conf = other.conf;
    this.members = new Map([...other.members].map(([member, progress]) => [member, progress.clone()]));
    this.memberIds = other.memberIds.slice();
    this.voterIds = other.voterIds.slice();
    this.removed = new Set(other.removed);
    this.electionElapsedTicks = other.electionElapsedTicks;
    this.heartbeatElapsedTicks = other.heartbeatElapsedTicks;
    this.randomizedElectionTicks = other.randomizedElectionTicks;
    this.isDecisionDue = other.isDecisionDue;
    this.transferee = other.transferee;
    this.pendingConfIndex = other.pendingConfIndex;
    this.termStart = other.termStart;
    this.didProposeJoint = other.didProposeJoint;
    this.uncommittedBytes = other.uncommittedBytes;
    this.messages = other.messages.slice();
    this.isBroadcastDue = other.isBroadcastDue;
    this.isCommitDue = other.isCommitDue;
    this.messagesAfterPersist = other.messagesAfterPersist.slice();
    this.selfAck = other.selfAck;
    this.selfVotes = other.selfVotes.slice();
    this.jobs = other.jobs.slice();
    this.jobsMade = other.jobsMade;
    this.reads = cloneReads(other.reads);
    this.handedHardState = other.handedHardState;
    this.handedSoftState = other.handedSoftState;
  }
}
