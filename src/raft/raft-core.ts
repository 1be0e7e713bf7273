import { AppError } from '../base/app-error.ts';
import type { Accepted, ConfChange, ConfState, Entry, Index, MemberId, Message, Proposed, RaftLimits, RaftOptions, Ready, Refusal, Status } from './types.ts';

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

function notYet(): never {
  throw new AppError({ code: 'BASE_INTERNAL', message: 'not filled in yet' });
}

/**
 * The consensus core of one member: no I/O, no clock, no dice but the ones handed in. The host feeds it (step, tick, propose …) and does
 * what `ready()` says. Several persist jobs may be under way; the core counts its own acknowledgement only when `persisted` says so.
 */
export class RaftCore {
  readonly options: RaftOptions;

  constructor(options: RaftOptions) {
    this.options = options;
  }

  /** A message of a peer. Messages may be lost, repeated and reordered. Null: taken (or rightly ignored). */
  step(_message: Message): Refusal | null {
    return notYet();
  }

  /** One tick has passed: count it and decide (campaign, heartbeat, check the quorum). */
  tick(): void {
    notYet();
  }

  /**
   * The host woke up late, by however much: counts ONE tick and decides nothing. Then drain every socket into `step`, then call
   * `decide()`. A leader's heartbeat is sent at once.
   */
  tickLate(): void {
    notYet();
  }

  /** What `tickLate` put off. Does nothing if no decision is due. */
  decide(): void {
    notYet();
  }

  /** Leader only: all or none. */
  propose(_payloads: readonly Uint8Array[]): Proposed | Refusal {
    return notYet();
  }

  /** Leader only; one at a time; effective when applied. A change without changes leaves the joint configuration. */
  proposeConfChange(_change: ConfChange): Proposed | Refusal {
    return notYet();
  }

  /** For every committed `conf` entry, before `applied` of its index; also by a member that restarts and applies it again. */
  applyConfChange(_entry: Entry): ConfState {
    return notYet();
  }

  /** Asks for a linearizable read; the answer comes in Ready.reads or readsFailed. `context` is never used twice in a process. */
  readIndex(_context: number): Accepted | Refusal {
    return notYet();
  }

  /** Hands the leadership to a voter; on a follower the request is passed on. Aborted after one election timeout. */
  transferLeader(_to: MemberId): Accepted | Refusal {
    return notYet();
  }

  /** Starts an election at once (pre-vote first): for tests and for a start that knows it is alone. */
  campaign(): Accepted | Refusal {
    return notYet();
  }

  /** Gives up the knowledge of a leader, so that others' pre-votes are granted before the timeout: the host knows that the leader is gone. */
  forgetLeader(): void {
    notYet();
  }

  /** The transport lost its connection to the member: optimistic sending stops until it answers. */
  reportUnreachable(_member: MemberId): void {
    notYet();
  }

  /** The stream of a snapshot ended. Exactly one report for each `snapshot` message handed out. */
  reportSnapshot(_member: MemberId, _result: 'finished' | 'failed'): void {
    notYet();
  }

  hasReady(): boolean {
    return notYet();
  }

  /** What is to be done now. Handed out once; there is no need to finish it before the next call. */
  ready(): Ready {
    return notYet();
  }

  /** All jobs up to `id` are durable, and the state machine holds their snapshot if they had one. */
  persisted(_id: number): void {
    notYet();
  }

  /** The state machine has applied everything up to `index`. */
  applied(_index: Index): void {
    notYet();
  }

  status(): Status {
    return notYet();
  }
}
