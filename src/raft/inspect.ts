import type { CoreState } from './core-state.ts';
import type { ConfState, Entry, HardState, Index, MemberId, MemberStatus, Role, SnapshotMeta, Term } from './types.ts';

export type Inspection = {
  readonly id: MemberId;
  readonly role: Role;
  readonly leader: MemberId | null;
  readonly isLeading: boolean;
  readonly hardState: HardState;
  readonly applied: Index;
  readonly applying: Index;
  readonly conf: ConfState;
  readonly votes: readonly (readonly [MemberId, boolean])[];
  readonly members: readonly MemberStatus[];
  /** Known to be durable. */
  readonly stableIndex: Index;
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  /** The entries that are not known to be durable. */
  readonly tail: readonly Entry[];
  readonly pendingSnapshot: SnapshotMeta | null;
  /** Persist jobs handed out and not reported. */
  readonly jobs: readonly { readonly id: number; readonly term: Term; readonly lastIndex: Index; readonly lastTerm: Term; readonly snapshotIndex: Index; readonly selfAck: Index; readonly selfVotes: readonly { readonly isPreVote: boolean; readonly term: Term }[] }[];
  readonly pendingConfIndex: Index;
  readonly termStart: Index;
  readonly transferee: MemberId | null;
  readonly electionElapsedTicks: number;
  readonly randomizedElectionTicks: number;
  readonly uncommittedBytes: number;
  readonly removed: readonly MemberId[];
  readonly waitingReads: number;
};

export function inspectState(s: CoreState): Inspection {
  const log = s.log.inspect();
  return {
    id: s.id,
    role: s.role,
    leader: s.leader,
    isLeading: s.isLeading,
    hardState: s.hardState(),
    applied: s.log.applied,
    applying: log.applying,
    conf: s.conf,
    votes: [...s.votes],
    members: s.memberIds.flatMap((member) => s.members.get(member)?.status() ?? []),
    stableIndex: s.log.stableIndex,
    firstIndex: s.log.firstIndex(),
    lastIndex: s.log.lastIndex(),
    tail: log.tail,
    pendingSnapshot: log.snapshot,
    jobs: s.jobs.slice(),
    pendingConfIndex: s.pendingConfIndex,
    termStart: s.termStart,
    transferee: s.transferee,
    electionElapsedTicks: s.electionElapsedTicks,
    randomizedElectionTicks: s.randomizedElectionTicks,
    uncommittedBytes: s.uncommittedBytes,
    removed: [...s.removed],
    waitingReads: s.reads.early.length + s.reads.open.length + s.reads.rounds.reduce((sum, round) => sum + round.requests.length, 0) + s.reads.forwarded.size,
  };
}
