import type { Random } from '../base/random.ts';
import type { RaftMutation } from './mutations.ts';

/** The name of a member for life. Opaque to the core, compared as text, never given to another member again. */
export type MemberId = string;

/** A term, an index or a count: a whole number from 0 to 2^53-1. The core refuses anything else at its border. */
export type Index = number;
export type Term = number;

/** `empty` is what a new leader appends first; `conf` holds an encoded ConfChange (conf-change.ts); `normal` is the host's. */
export type EntryKind = 'normal' | 'conf' | 'empty';

export type Entry = { readonly index: Index; readonly term: Term; readonly kind: EntryKind; readonly data: Uint8Array };

/** What must survive a crash besides the log. `vote` is null when no vote was given in `term`. */
export type HardState = { readonly term: Term; readonly vote: MemberId | null; readonly commit: Index };

/**
 * Who decides. All lists are sorted and without duplicates. `votersOutgoing` is non-empty only while joint; then a decision
 * needs a majority of both voter lists. `learnersNext` become learners when the joint configuration is left.
 */
export type ConfState = {
  readonly voters: readonly MemberId[];
  readonly votersOutgoing: readonly MemberId[];
  readonly learners: readonly MemberId[];
  readonly learnersNext: readonly MemberId[];
  /** The leader leaves the joint configuration by itself as soon as it is applied. */
  readonly autoLeave: boolean;
};

/** A snapshot as the core knows it: the last entry it contains and the configuration after that entry. The bytes are the host's. */
export type SnapshotMeta = { readonly index: Index; readonly term: Term; readonly conf: ConfState };

type Head<Kind extends string> = {
  readonly kind: Kind;
  readonly from: MemberId;
  readonly to: MemberId;
  /** The sender's term; for `pre-vote` and a granted `pre-vote-response` the term the candidate would campaign for. */
  readonly term: Term;
  readonly clusterId: string;
};

/**
 * What the sender knows to be committed: the index and that entry's term. Whoever holds the same entry there knows it too. It frees a voter that
 * needs the vote of a member whose removal is committed, but does not know so (its log is too short to get that vote).
 */
type KnownCommit = { readonly commit: Index; readonly commitTerm: Term };

/** Would you vote for me? Changes neither term nor vote of the receiver. */
export type PreVote = Head<'pre-vote'> & KnownCommit & { readonly lastIndex: Index; readonly lastTerm: Term; readonly isTransfer: boolean };
/** A refusal carries the receiver's own term, so that a candidate left behind catches up. */
export type PreVoteResponse = Head<'pre-vote-response'> & KnownCommit & { readonly isReject: boolean };
/** `isTransfer`: the leader asked for this election, so a lease held for that leader does not refuse it. */
export type Vote = Head<'vote'> & KnownCommit & { readonly lastIndex: Index; readonly lastTerm: Term; readonly isTransfer: boolean };
export type VoteResponse = Head<'vote-response'> & KnownCommit & { readonly isReject: boolean };
/** Entries that follow (prevIndex, prevTerm), and how far the leader has committed. */
export type Append = Head<'append'> & {
  readonly prevIndex: Index;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: Index;
};
/**
 * Accepted: the log equals the leader's up to `index`. Rejected: `index` is the prevIndex that did not match, `hintIndex` and
 * `hintTerm` the last place of the follower's log that can still match. A response to a message of an older term is neither
 * and only carries the newer term (index 0, not rejected).
 */
export type AppendResponse = Head<'append-response'> & {
  readonly index: Index;
  readonly isReject: boolean;
  readonly hintIndex: Index;
  readonly hintTerm: Term;
};
/** `round` is 0, or the number of a ReadIndex round; the response repeats it. */
export type Heartbeat = Head<'heartbeat'> & { readonly commit: Index; readonly round: number };
export type HeartbeatResponse = Head<'heartbeat-response'> & { readonly round: number };
/**
 * The receiver lacks entries that the leader has dropped. Only the description: when this message is in a Ready the host streams
 * the bytes on a connection of its own; the receiving host hands the message to its core when the bytes are durable and verified.
 */
export type Snapshot = Head<'snapshot'> & { readonly meta: SnapshotMeta };
/** Campaign at once: the leader hands over. */
export type TimeoutNow = Head<'timeout-now'>;
/** A follower passes a request for a handover on to the leader. */
export type TransferLeader = Head<'transfer-leader'> & { readonly transferee: MemberId };
/** A follower asks for a read index. `context` is the follower's own number for the request. */
export type ReadIndex = Head<'read-index'> & { readonly context: number };
/** `index` null: refused (not the leader any more, or too many waiting); ask again with a new context. */
export type ReadIndexResponse = Head<'read-index-response'> & { readonly context: number; readonly index: Index | null };

export type Message =
  | PreVote
  | PreVoteResponse
  | Vote
  | VoteResponse
  | Append
  | AppendResponse
  | Heartbeat
  | HeartbeatResponse
  | Snapshot
  | TimeoutNow
  | TransferLeader
  | ReadIndex
  | ReadIndexResponse;

export type MessageKind = Message['kind'];

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

export type SoftState = {
  readonly role: Role;
  readonly leader: MemberId | null;
  /** True only on a leader that has committed AND applied an entry of its own term: the one signal to start leader work on. */
  readonly isLeading: boolean;
};

/**
 * One write of the log. Jobs are finished strictly in the order of `id`, several may be under way, and one fsync may finish many.
 * A job with `mustSync: false` needs no fsync of its own but still waits for every earlier job.
 * Order within a job: snapshot, then entries (cut the log at entries[0].index first), then hardState.
 */
export type PersistJob = {
  /** Counts from 1, without gaps, in this process. */
  readonly id: number;
  readonly entries: readonly Entry[];
  readonly hardState: HardState | null;
  readonly snapshot: SnapshotMeta | null;
  readonly mustSync: boolean;
  /** Votes and acknowledgements: they leave only after this job is durable. */
  readonly messagesAfterPersist: readonly Message[];
};

/** A read asked for with `context` may be answered from any state machine that has applied `index`. */
export type ReadState = { readonly context: number; readonly index: Index };

/**
 * What the host has to do. The parts are independent of each other except where said:
 * - `messages` may leave at once, also before or during the persist job (a leader's appends run beside its own fsync);
 * - `persist` goes to the log writer; when durable, send its messagesAfterPersist and call `persisted(id)`;
 * - `committed` goes to the state machine in order; they are durable here already; call `applied(index)` as they are applied
 *   (for a `conf` entry call `applyConfChange(entry)` first);
 * - `reads`/`readsFailed` settle what `readIndex(context)` asked for.
 * Everything handed out is handed out once.
 */
export type Ready = {
  readonly softState: SoftState | null;
  readonly persist: PersistJob | null;
  readonly messages: readonly Message[];
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Contexts that will get no answer: the leader changed. Safe to ask again, with a new context. */
  readonly readsFailed: readonly number[];
};

export type RefusalCode =
  | 'RAFT_NOT_LEADER'
  | 'RAFT_NO_LEADER'
  | 'RAFT_NOT_VOTER'
  | 'RAFT_TRANSFERRING'
  | 'RAFT_BUSY'
  | 'RAFT_ENTRY_TOO_LARGE'
  | 'RAFT_WRONG_CLUSTER'
  | 'RAFT_WRONG_ADDRESS'
  | 'RAFT_REMOVED_MEMBER'
  | 'RAFT_UNKNOWN_MEMBER'
  | 'RAFT_CONF_PENDING'
  | 'RAFT_CONF_INVALID'
  | 'RAFT_NOT_READY'
  | 'RAFT_BAD_MESSAGE';

/** An expected "no": nothing was changed. */
export type Refusal = { readonly kind: 'refused'; readonly code: RefusalCode; readonly message: string; readonly leader: MemberId | null };

/** Entries firstIndex..lastIndex were appended in `term`. They are committed iff an entry with that index AND term is committed. */
export type Proposed = { readonly kind: 'proposed'; readonly term: Term; readonly firstIndex: Index; readonly lastIndex: Index };

export type Accepted = { readonly kind: 'accepted' };

/**
 * `update` changes nothing but carries a new `context` (an address) through the log. `context` is the host's own text.
 */
export type MemberChange = {
  readonly kind: 'add-voter' | 'add-learner' | 'remove' | 'update';
  readonly member: MemberId;
  readonly context?: string;
};

/**
 * `auto`: one voter at a time where that is enough, else joint and left automatically. `implicit`: joint, left automatically.
 * `explicit`: joint; leave it by a ConfChange without changes.
 */
export type ConfChange = {
  readonly transition: 'auto' | 'implicit' | 'explicit';
  readonly changes: readonly MemberChange[];
  readonly context?: string;
};

/**
 * The durable log as the core reads it: synchronous, never blocking. It holds what persist jobs wrote, so it may be ahead of what
 * `persisted` has reported. The core asks only within [firstIndex, lastIndex], and for the term of firstIndex-1.
 */
export type LogStorage = {
  /** The first entry still held; 1 for a log that was never compacted. */
  readonly firstIndex: () => Index;
  /** The last entry held; firstIndex-1 when there is none. */
  readonly lastIndex: () => Index;
  /** For firstIndex-1 … lastIndex; null outside. Index 0 has term 0. */
  readonly term: (index: Index) => Term | null;
  /** Entries of [low, high), at least one if any, stopping before the sum of data lengths passes `maxBytes`. */
  readonly entries: (low: Index, high: Index, maxBytes: number) => readonly Entry[];
  /** The newest snapshot that can be sent; null when there is none just now (the core asks again later). */
  readonly snapshotMeta: () => SnapshotMeta | null;
};

/** Bounds, all with their default in `defaultLimits` (raft-core.ts). */
export type RaftLimits = {
  /** Ticks between a leader's heartbeats (1) and the least ticks until an election (10); the drawn timeout is [n, 2n-1]. */
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  /** One entry's data: 1.5 MB. */
  readonly entryBytesMax: number;
  /** Data of one append message; always at least one entry. */
  readonly messageBytesMax: number;
  /** Append messages, and their bytes, under way to one follower. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Data proposed but not committed; above it `propose` says RAFT_BUSY. */
  readonly uncommittedBytesMax: number;
  /** Data of the committed entries handed out but not yet reported applied. */
  readonly applyingBytesMax: number;
  /** ReadIndex requests waiting on a leader, and forwarded by a follower. */
  readonly pendingReadsMax: number;
  /** Removed members remembered; the oldest are forgotten first. */
  readonly removedMax: number;
};

/** Deviations that only a test may ask for: they let the scenarios of other libraries be compared. Never set by the host. */
export type TestOptions = {
  readonly isPreVoteOff?: boolean;
  readonly isCheckQuorumOff?: boolean;
  /** Reads are answered while the leader believes in its lease; `forgetLeader` does nothing. */
  readonly isLeaseRead?: boolean;
  /** A removed or demoted leader goes on leading. */
  readonly isStepDownOff?: boolean;
  /** Every proposal, commit and acknowledgement is a message of its own, instead of one for all since the last Ready. */
  readonly isSendEager?: boolean;
  /** Messages of removed members are taken. */
  readonly isRemovedHeard?: boolean;
  /** Committed entries are handed out together with the job that persists them. */
  readonly isApplyUnstable?: boolean;
  /** A leader takes conf changes before it applied an entry of its own term. */
  readonly isConfChangeEarly?: boolean;
  /** The rules of joint configurations are not checked when a change is proposed. */
  readonly isConfValidationOff?: boolean;
};

export type RaftOptions = {
  readonly id: MemberId;
  readonly clusterId: string;
  readonly storage: LogStorage;
  readonly random: Random;
  /** As recovered from the log; null for a new member. */
  readonly hardState: HardState | null;
  /** The configuration at `applied`. The first member of a cluster starts with itself as the only voter, every other with nothing. */
  readonly conf: ConfState;
  /** The last entry whose effect is in the state machine (at least the snapshot's index). */
  readonly applied: Index;
  /** Members known to be removed: their messages are refused. */
  readonly removed?: readonly MemberId[];
  readonly limits?: Partial<RaftLimits>;
  /** Followers learn a new commit index with the next entries, with a heartbeat or by `tellCommit`, instead of by a message for it alone. */
  readonly isCommitHeld?: boolean;
  /** Rare branches report their name here, for coverage in tests and for debug logs. */
  readonly mark?: (name: string, detail: Readonly<Record<string, unknown>>) => void;
  readonly mutations?: ReadonlySet<RaftMutation>;
  readonly testing?: TestOptions;
};

export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** What a leader knows of one member. */
export type MemberStatus = {
  readonly member: MemberId;
  readonly isLearner: boolean;
  readonly state: ProgressState;
  /** The log is known to be equal up to here, durably. */
  readonly match: Index;
  /** The next entry to send. */
  readonly next: Index;
  /** Heard from since the last check of the quorum. */
  readonly isRecentActive: boolean;
  /** Nothing is sent now: waiting for a probe's answer, a snapshot, or room in the window. */
  readonly isPaused: boolean;
  readonly pendingSnapshot: Index | null;
  readonly inflightMessages: number;
  readonly inflightBytes: number;
};

export type Status = SoftState & {
  readonly id: MemberId;
  readonly hardState: HardState;
  readonly applied: Index;
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  readonly conf: ConfState;
  readonly transferee: MemberId | null;
  readonly uncommittedBytes: number;
  readonly electionElapsedTicks: number;
  readonly randomizedElectionTicks: number;
  /** Sorted by id; empty unless leader. */
  readonly members: readonly MemberStatus[];
};
