import type { HostMutation } from '../../raft/mutations.ts';

/** Bounds and times of one member's store. */
export type StoreLimits = {
  readonly tickMs: number;
  /**
   * The least ticks without a leader before an election; the drawn number is below twice as many. Longer than a stall of 1.5 s, because a leader
   * that really ended is noticed at once: its connections break.
   */
  readonly electionTicks: number;
  /** A snapshot is made after so many entries or bytes of entries. */
  readonly snapshotEntries: number;
  readonly snapshotBytes: number;
  /** A member that has just started has better things to do. */
  readonly snapshotDelayMs: number;
  /** Entries kept in memory behind a snapshot, for members that are a little behind. */
  readonly trailingEntries: number;
  /** And at most so many bytes of them. */
  readonly trailingBytes: number;
  readonly segmentSizeBytes: number;
  /** After it, a proposal whose fate is not known is said to be unknown. */
  readonly proposalTimeoutMs: number;
  /**
   * Appends under way to one follower: one that it writes, one that waits there. What comes meanwhile goes together, as it does into
   * one record of the own log.
   */
  readonly appendsUnderWayMax: number;
  /** Proposals waiting, over all callers. */
  readonly proposalsMax: number;
  /** Commits kept for watchers that come late. */
  readonly watchCommitsMax: number;
  /** Entries applied before the event loop gets a breath. */
  readonly applyEntriesMax: number;
  /** Chunks of a snapshot under way. */
  readonly snapshotWindow: number;
  /** A transfer of a snapshot without any progress is given up. */
  readonly snapshotProgressMs: number;
  /** A learner at most so many entries behind becomes a voter. */
  readonly promoteEntriesMax: number;
  readonly votersMax: number;
  /** What the whole state is meant to have at most, as a snapshot; near it there is an alarm. */
  readonly stateBytesMax: number;
};

export const clusterLimits: StoreLimits = {
  tickMs: 100, electionTicks: 17, snapshotEntries: 10_000, snapshotBytes: 64 * 1024 * 1024, snapshotDelayMs: 5000, trailingEntries: 5_000, trailingBytes: 16 * 1024 * 1024,
  segmentSizeBytes: 64 * 1024 * 1024,
  proposalTimeoutMs: 10_000, appendsUnderWayMax: 2, proposalsMax: 20_000, watchCommitsMax: 256, applyEntriesMax: 256, snapshotWindow: 8, snapshotProgressMs: 15_000,
  promoteEntriesMax: 100, votersMax: 7, stateBytesMax: 512 * 1024 * 1024,
};

/** One voter, few changes: less memory and disk. */
export const laptopLimits: StoreLimits = {
  ...clusterLimits, tickMs: 250, electionTicks: 7, snapshotEntries: 5_000, snapshotBytes: 8 * 1024 * 1024, trailingEntries: 500, trailingBytes: 2 * 1024 * 1024, segmentSizeBytes: 4 * 1024 * 1024,
};

/** Known mistakes of a host that a test may switch on; empty in production. */
export type HostMutations = ReadonlySet<HostMutation>;
