import { AppError } from '../../base/app-error.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import { limits } from '../../base/limits.ts';
import { outcomeOf } from '../../cluster/state/view.ts';
import type { Change, Outcome } from '../../model/entry.ts';
import type { MemberId } from '../../raft/types.ts';
import { ChurnMap } from './churn-map.ts';
import { encodeEntry, entryLevelOf, isFramed, requestIdOf, stampTime } from './entry-codec.ts';
import type { NodeHost } from './node-types.ts';
import { diskFullAlarm, logFullAlarm } from './spare.ts';
import { featureLevelFirst, membersBelow } from './store-state.ts';

export type ProposeCall = {
  readonly changes: readonly Change[];
  /** null: the store makes one. */
  readonly requestId: string | null;
  /** The id was never asked for before, anywhere. Else a refusal of now says nothing about what became of the first. */
  readonly isFirstAsk: boolean;
  readonly fence: number | null;
  readonly done: (error: AppError | null, outcome: Outcome | null) => void;
};

type Done = ProposeCall['done'];
type Queued = { readonly isMakingRoom: boolean; readonly payload: Uint8Array; readonly requestId: string; readonly fence: number | null; readonly from: MemberId | null };
type Waiter = { readonly done: Done; readonly isFirstAsk: boolean };
type Pending = { readonly requestId: string; readonly waiters: Waiter[]; readonly startMs: number; readonly deadlineMs: number; isSent: boolean };

/**
 * Proposals from the call to their outcome. Those of one round of the event loop go to the core together. A follower passes them on;
 * what became of them shows when the entry with the request id is applied here. A fate not learnt in time is said to be unknown.
 */
export class Proposals {
  readonly #host: NodeHost;
  readonly #prefix: string;
  #counter = 0;
  #isStopped = false;
  #queue: Queued[] = [];
  #isFlushPlanned = false;
  /** In order of their deadlines. */
  readonly #pending: ChurnMap<string, Pending> = new ChurnMap();
  /** What this leader appended and for whom: an entry of another term at that index means that the proposal is gone. */
  readonly #byIndex: ChurnMap<number, { readonly term: number; readonly requestId: string }> = new ChurnMap();

  /** Entries between these two were passed on by others, in part; 0: none that they have not heard of. */
  #foreignFirst = 0;
  #foreignLast = 0;

  constructor(host: NodeHost) {
    this.#host = host;
    this.#prefix = Array.from(host.env.random.bytes(10), (byte) => byte.toString(36).padStart(2, '0')).join('');
  }

  /** True once for what others passed on: it is committed up to `committed`, and they wait to hear it. */
  readonly takeForeign = (committed: number): boolean => {
    if (this.#foreignFirst === 0 || committed < this.#foreignFirst) return false;
    this.#foreignFirst = committed < this.#foreignLast ? committed + 1 : 0;
    return true;
  };

  get queuedCount(): number {
    return this.#queue.length;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  propose(call: ProposeCall): void {
    const waiter: Waiter = { done: call.done, isFirstAsk: call.isFirstAsk || call.requestId === null || this.#host.mutations.has('host-refuses-repeated') };
    if (this.#isStopped) {
      call.done(refusalOf(closed(), waiter.isFirstAsk), null);
      return;
    }
    const { env, options, metrics } = this.#host;
    if (call.requestId !== null && this.#isRepeated(waiter, call.requestId)) return;
    const requestId = call.requestId ?? `${this.#prefix}.${(this.#counter += 1)}`;
    const refusal = this.#refuse(call);
    if (refusal !== null) {
      call.done(refusalOf(refusal, waiter.isFirstAsk), null);
      return;
    }
    const payload = encodeEntry({ requestId, timeMs: 0, changes: call.changes }, options.entryLevel?.(call.changes) ?? featureLevelFirst);
    if (payload.length > limits.objectBytesMax) {
      call.done(tooLarge(call.changes, payload.length), null);
      return;
    }
    metrics.proposals += 1;
    const nowMs = env.clock.monotonicMs();
    this.#pending.set(requestId, { requestId, waiters: [waiter], startMs: nowMs, deadlineMs: nowMs + options.limits.proposalTimeoutMs, isSent: false });
    this.#enqueue({ payload, requestId, fence: call.fence, from: null, isMakingRoom: isMakingRoom(call.changes) });
  }

  /** Answered already, or as soon as the first of this id is. */
  #isRepeated(waiter: Waiter, requestId: string): boolean {
    const known = outcomeOf(this.#host.state().view, requestId);
    const same = this.#pending.get(requestId);
    if (known !== undefined) waiter.done(null, known);
    else same?.waiters.push(waiter);
    return known !== undefined || same !== undefined;
  }

  /** A follower passes a proposal on. */
  receive(from: MemberId, payload: Uint8Array): void {
    if (!isFramed(payload)) {
      // NOTE: in the log it would stop every member, for ever.
      this.#host.env.log.warn('store.forward-unreadable', { from, bytes: payload.length });
      return;
    }
    const requestId = requestIdOf(payload);
    if (outcomeOf(this.#host.state().view, requestId) !== undefined) return;
    this.#enqueue({ payload, requestId, fence: null, from, isMakingRoom: false });
  }

  /** The leader did not take what was passed on: nothing was proposed. */
  refused(requestId: string, code: ErrorCode, message: string): void {
    this.#settle(requestId, new AppError({ code, message }), null);
  }

  applied(position: { readonly index: number; readonly term: number }, requestId: string | null, outcome: Outcome | null): void {
    const own = this.#byIndex.get(position.index);
    if (own !== undefined) {
      this.#byIndex.delete(position.index);
      if (own.term !== position.term) this.#settle(own.requestId, dropped(), null);
    }
    if (requestId !== null && outcome !== null) this.#settle(requestId, null, outcome);
  }

  /** The state jumped: the fate of what lies before can only be read from the remembered requests. */
  installed(): void {
    const { view } = this.#host.state();
    for (const index of this.#byIndex.keys()) if (index <= view.revision) this.#byIndex.delete(index);
    for (const requestId of [...this.#pending.keys()]) {
      const outcome = outcomeOf(view, requestId);
      if (outcome !== undefined) this.#settle(requestId, null, outcome);
    }
  }

  leaderChanged(): void {
    if (this.#queue.length > 0) this.#plan();
  }

  tick(): void {
    const nowMs = this.#host.env.clock.monotonicMs();
    for (const pending of this.#pending.values()) {
      if (pending.deadlineMs > nowMs) break;
      this.#settle(pending.requestId, pending.isSent ? unknown('its fate was not learnt in time') : noLeader(), null);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
    for (const pending of [...this.#pending.values()]) {
      this.#settle(pending.requestId, pending.isSent ? unknown('the store was closed') : closed(), null);
    }
  }

  #refuse(call: ProposeCall): AppError | null {
    const { alarms, options, softState } = this.#host;
    if (call.fence !== null && (!softState().isLeading || this.#host.term() !== call.fence)) return notLeader(call.fence);
    if (alarms.has(diskFullAlarm) && (alarms.has(logFullAlarm) || !isMakingRoom(call.changes))) {
      return new AppError({ code: 'MANAGER_STORE_FULL', message: 'the disk of the store is full: it takes no changes until there is room', hint: 'free some space on the file system of the data directory' });
    }
    if (this.#pending.size >= options.limits.proposalsMax) return busy(this.#pending.size);
    return null;
  }

  #enqueue(queued: Queued): void {
    this.#queue.push(queued);
    this.#plan();
  }

  #plan(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    this.#host.env.soon(() => {
      this.#isFlushPlanned = false;
      this.#flush();
      this.#host.pump();
    });
  }

  #flush(): void {
    const { softState, alarms } = this.#host;
    let queue = this.#queue;
    this.#queue = [];
    if (queue.length === 0) return;
    const { role, leader, isLeading } = softState();
    if (role === 'leader' && alarms.has(diskFullAlarm)) {
      const refused = queue.filter((one) => alarms.has(logFullAlarm) || !one.isMakingRoom);
      queue = queue.filter((one) => !refused.includes(one));
      this.#refuseAll(refused, 'MANAGER_STORE_FULL', 'the disk of the leader is full');
      if (queue.length === 0) return;
    }
    if (role === 'leader') this.#append(queue, isLeading);
    else if (leader === null || leader === this.#host.options.memberId) this.#refuseAll(queue, 'MANAGER_NO_LEADER', 'no leader is known');
    else this.#forward(queue, leader);
  }

  #append(queue: readonly Queued[], isLeading: boolean): void {
    const { core, env } = this.#host;
    const term = this.#host.term();
    const inForce = this.#host.mutations.has('host-feature-level-ignored') ? Infinity : this.#host.state().featureLevel;
    const taken: Queued[] = [];
    for (const one of queue) {
      const level = entryLevelOf(one.payload);
      if (one.fence !== null && (!isLeading || one.fence !== term)) this.#refuseOne(one, 'MANAGER_NOT_LEADER', `term ${one.fence} has passed`);
      else if (level > inForce) this.#refuseOne(one, 'MANAGER_FEATURE_LEVEL', `the change needs feature level ${level}, the cluster is at ${inForce}: first start a newer version on ${membersBelow(this.#host.state(), level).join(', ')}`);
      else taken.push(one);
    }
    if (taken.length === 0) return;
    const nowMs = env.clock.nowMs();
    for (const one of taken) stampTime(one.payload, nowMs);
    const answer = core.propose(taken.map((one) => one.payload));
    if (answer.kind === 'refused') {
      const code = answer.code === 'RAFT_BUSY' ? 'MANAGER_STORE_FULL' : answer.code === 'RAFT_ENTRY_TOO_LARGE' ? 'MANAGER_OBJECT_TOO_LARGE' : 'MANAGER_NO_LEADER';
      this.#refuseAll(taken, code, answer.message);
      return;
    }
    taken.forEach((one, at) => {
      if (one.from !== null) {
        this.#foreignLast = answer.firstIndex + at;
        if (this.#foreignFirst === 0) this.#foreignFirst = this.#foreignLast;
        return;
      }
      this.#byIndex.set(answer.firstIndex + at, { term: answer.term, requestId: one.requestId });
      const pending = this.#pending.get(one.requestId);
      if (pending !== undefined) pending.isSent = true;
    });
  }

  #forward(queue: readonly Queued[], leader: MemberId): void {
    for (const one of queue) {
      if (one.fence !== null) this.#refuseOne(one, 'MANAGER_NOT_LEADER', `member ${leader} leads`);
      // NOTE: passed on once only, so that two members that believe in each other do not play ball.
      else if (one.from !== null) this.#refuseOne(one, 'MANAGER_NO_LEADER', 'this member does not lead any more');
      else {
        const pending = this.#pending.get(one.requestId);
        if (pending !== undefined) pending.isSent = true;
        this.#host.send(leader, { kind: 'forward', payload: one.payload });
      }
    }
  }

  #refuseAll(queue: readonly Queued[], code: ErrorCode, message: string): void {
    for (const one of queue) this.#refuseOne(one, code, message);
  }

  #refuseOne(queued: Queued, code: ErrorCode, message: string): void {
    if (queued.from === null) this.#settle(queued.requestId, new AppError({ code, message }), null);
    else this.#host.send(queued.from, { kind: 'forward-refused', requestId: queued.requestId, code, message });
  }

  #settle(requestId: string, error: AppError | null, outcome: Outcome | null): void {
    const pending = this.#pending.get(requestId);
    if (pending === undefined) return;
    this.#pending.delete(requestId);
    const { metrics, env } = this.#host;
    if (error === null) metrics.commitUs.add((env.clock.monotonicMs() - pending.startMs) * 1000);
    if (error?.code === 'MANAGER_OUTCOME_UNKNOWN') metrics.proposalsUnknown += 1;
    for (const waiter of pending.waiters) waiter.done(error === null ? null : refusalOf(error, waiter.isFirstAsk), outcome);
  }
}

/**
 * What a refusal means to who asked. An id that was asked for before may have been taken then: by another manager, or in a log whose end is not
 * known here. So "it did not happen" is said only of a first ask, and of an entry that no manager ever takes.
 */
export function refusalOf(error: AppError, isFirstAsk: boolean): AppError {
  if (isFirstAsk || error.code === 'MANAGER_OUTCOME_UNKNOWN' || error.code === 'MANAGER_OBJECT_TOO_LARGE') return error;
  return new AppError({
    code: 'MANAGER_OUTCOME_UNKNOWN', message: `it was not taken this time (${error.message}), but the change may have happened when it was asked for before`,
    hint: 'ask again with the same request id when a manager leads', cause: error,
  });
}

function tooLarge(changes: readonly Change[], bytes: number): AppError {
  const first = changes[0];
  const name = first === undefined ? 'an empty change' : first.kind === 'put' ? `${first.object.kind} ${first.object.id}` : `${first.objectKind} ${first.id}`;
  const what = changes.length === 1 ? name : `a change of ${changes.length} objects, the first ${name},`;
  return new AppError({ code: 'MANAGER_OBJECT_TOO_LARGE', message: `${what} has ${bytes} bytes, the store takes at most ${limits.objectBytesMax}`, hint: 'make it smaller, or write it in several changes' });
}

/**
 * What takes things away, and what is told of what is there: small, and the way out of a full disk. The segment that is being written
 * was filled with zeros ahead of time and has room for these. Anything new waits until there is room again.
 */
export function isMakingRoom(changes: readonly Change[]): boolean {
  return changes.every((change) => {
    if (change.kind === 'remove') return true;
    const { object } = change;
    if (object.kind === 'task' || object.kind === 'node') return change.ifVersion !== null && change.ifVersion > 0;
    return 'desired' in object && object.desired === 'removed';
  });
}

function notLeader(fence: number): AppError {
  return new AppError({ code: 'MANAGER_NOT_LEADER', message: `this manager does not lead in term ${fence} any more: what was decided then is out of date` });
}

function noLeader(): AppError {
  return new AppError({ code: 'MANAGER_NO_LEADER', message: 'no manager leads at the moment; nothing was proposed', hint: 'flotilla store status shows which managers are reachable' });
}

function dropped(): AppError {
  return new AppError({ code: 'MANAGER_NOT_LEADER', message: 'the leader changed before the change was committed: it did not happen' });
}

function unknown(why: string): AppError {
  return new AppError({ code: 'MANAGER_OUTCOME_UNKNOWN', message: `the change may or may not have happened: ${why}`, hint: 'look whether it happened (flotilla compose ps), and only then ask again' });
}

function busy(count: number): AppError {
  return new AppError({ code: 'MANAGER_STORE_FULL', message: `${count} changes wait already`, hint: 'try again later' });
}

function closed(): AppError {
  return new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed; nothing was proposed' });
}
