import type { Index, MemberId, ReadState } from './types.ts';

/** A read that waits on the leader; `from` is the member that asked, the leader itself included. */
export type ReadRequest = { readonly from: MemberId; readonly context: number };

/** A round of heartbeats that asks a majority: do you still follow me? All reads of it get `index`. */
export type ReadRound = { readonly round: number; readonly index: Index; readonly requests: readonly ReadRequest[]; readonly acks: Map<MemberId, boolean> };

export type Reads = {
  /** Asked for before the leader may answer at all. */
  early: ReadRequest[];
  /** For the next round. */
  open: ReadRequest[];
  /** Under way, oldest first. */
  rounds: ReadRound[];
  /** Never goes back in the life of a core; answers of another term are dropped, so a number is never met twice. */
  roundsMade: number;
  /** On a follower: context → the tick at which it was passed on to the leader. */
  forwarded: Map<number, number>;
  /** Counts ticks, to give forwarded reads an end. */
  ticks: number;
  ready: ReadState[];
  failed: number[];
};

export function emptyReads(): Reads {
  return { early: [], open: [], rounds: [], roundsMade: 0, forwarded: new Map(), ticks: 0, ready: [], failed: [] };
}

export function cloneReads(reads: Reads): Reads {
  return {
    early: reads.early.slice(),
    open: reads.open.slice(),
    rounds: reads.rounds.map((round) => ({ ...round, acks: new Map(round.acks) })),
    roundsMade: reads.roundsMade,
    forwarded: new Map(reads.forwarded),
    ticks: reads.ticks,
    ready: reads.ready.slice(),
    failed: reads.failed.slice(),
  };
}
