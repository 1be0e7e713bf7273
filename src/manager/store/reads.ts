import { AppError } from '../../base/app-error.ts';
import type { ReadState } from '../../raft/types.ts';
import type { NodeHost } from './node-types.ts';
import { appliedIndex } from './store-state.ts';

export type ReadDone = (error: AppError | null) => void;
type Round = { dones: ReadDone[]; index: number | null; readonly deadlineMs: number; retryAtMs: number };

const retryMs = 500;

/**
 * Linearizable reads: all that wait in one round of the event loop share one question to the quorum, and are answered when this
 * member has applied what the quorum had committed. A question that got no answer is asked again under a new number.
 */
export class Reads {
  readonly #host: NodeHost;
  #waiting: ReadDone[] = [];
  #isPlanned = false;
  #isStopped = false;
  #context: number;
  readonly #rounds: Map<number, Round> = new Map();

  constructor(host: NodeHost) {
    this.#host = host;
    // NOTE: not from 1: a leader may still answer what this member asked before it was started anew.
    this.#context = Math.floor(host.env.random.float() * 2 ** 48);
  }

  get pendingCount(): number {
    let count = this.#waiting.length;
    for (const round of this.#rounds.values()) count += round.dones.length;
    return count;
  }

  read(done: ReadDone): void {
    if (this.#host.mutations.has('host-local-read')) {
      done(null);
      return;
    }
    if (this.#isStopped) {
      done(new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' }));
      return;
    }
    if (this.pendingCount >= this.#host.options.limits.proposalsMax) {
      done(new AppError({ code: 'MANAGER_STORE_FULL', message: `${this.pendingCount} reads wait already`, hint: 'try again later' }));
      return;
    }
    this.#waiting.push(done);
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#host.env.soon(() => {
      this.#isPlanned = false;
      const dones = this.#waiting;
      this.#waiting = [];
      if (dones.length === 0) return;
      const nowMs = this.#host.env.clock.monotonicMs();
      this.#ask({ dones, index: null, deadlineMs: nowMs + this.#host.options.limits.proposalTimeoutMs, retryAtMs: 0 });
      this.#host.pump();
    });
  }

  ready(reads: readonly ReadState[], failed: readonly number[]): void {
    for (const read of reads) {
      const round = this.#rounds.get(read.context);
      if (round !== undefined) round.index = read.index;
    }
    for (const context of failed) this.#again(context);
    if (reads.length > 0) this.applied();
  }

  applied(): void {
    const applied = appliedIndex(this.#host.state());
    for (const [context, round] of this.#rounds) {
      if (round.index === null || round.index > applied) continue;
      this.#rounds.delete(context);
      for (const done of round.dones) done(null);
    }
  }

  tick(): void {
    const nowMs = this.#host.env.clock.monotonicMs();
    for (const [context, round] of [...this.#rounds]) {
      if (round.deadlineMs <= nowMs) {
        this.#rounds.delete(context);
        for (const done of round.dones) done(new AppError({ code: 'MANAGER_NO_LEADER', message: 'no quorum confirmed the read in time', hint: 'flotilla store status shows which managers are reachable' }));
      } else if (round.index === null && round.retryAtMs <= nowMs) this.#again(context);
    }
  }

  stop(): void {
    this.#isStopped = true;
    const dones = [...this.#waiting, ...[...this.#rounds.values()].flatMap((round) => round.dones)];
    this.#waiting = [];
    this.#rounds.clear();
    for (const done of dones) done(new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' }));
  }

  #again(context: number): void {
    const round = this.#rounds.get(context);
    if (round === undefined) return;
    this.#rounds.delete(context);
    this.#ask(round);
  }

  /** NOTE: every question has a number of its own; an answer to an earlier one says nothing about now (etcd#20418). */
  #ask(round: Round): void {
    this.#context += 1;
    round.retryAtMs = this.#host.env.clock.monotonicMs() + retryMs;
    this.#rounds.set(this.#context, round);
    const answer = this.#host.core.readIndex(this.#context);
    // A refusal (no leader yet, a leader too new, too many) is asked again at the next tick after `retryMs`.
    if (answer.kind === 'refused') round.retryAtMs = this.#host.env.clock.monotonicMs() + this.#host.options.limits.tickMs;
  }
}
