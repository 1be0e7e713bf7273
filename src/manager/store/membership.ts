import { AppError } from '../../base/app-error.ts';
import type { ConfChange, MemberChange, MemberId, MemberStatus } from '../../raft/types.ts';
import type { CallAnswer, MemberCall } from './host-messages.ts';
import { refusedAnswer } from './host-messages.ts';
import type { NodeHost } from './node-types.ts';
import type { MemberInfo } from './store-state.ts';
import { addressCharsMax, featureLevelFirst, memberIdCharsMax, memberIds, memberIdShape, removedMax } from './store-state.ts';

type Answer = (answer: CallAnswer) => void;
type Waiting = { readonly index: number; readonly term: number; readonly answer: Answer };
type Asked = { readonly deadlineMs: number; readonly answer: Answer };

type Removal = { readonly change: ConfChange; readonly memberId: MemberId; readonly byMemberId: MemberId | null; readonly startMs: number; readonly answer: Answer };

const callTimeoutMs = 10_000;
const promoteEveryTicks = 5;

/**
 * Changes of members. The leader decides, one change at a time; any other member passes a call on to it. A new member is a learner
 * first and becomes a voter by itself when it has caught up; a removal that would leave fewer reachable voters than a quorum is refused.
 */
export class Membership {
  readonly #host: NodeHost;
  #waiting: Waiting[] = [];
  readonly #asked: Map<number, Asked> = new Map();
  #callId: number;
  #ticks = 0;
  #removals: Removal[] = [];
  #confirmed: { readonly voters: readonly MemberId[]; readonly by: Set<MemberId> } = { voters: [], by: new Set() };
  #promoting: { readonly member: MemberId; readonly sinceMs: number } | null = null;
  #turns: { readonly call: MemberCall; readonly deadlineMs: number; readonly answer: Answer }[] = [];
  /** Calls that wait for the next leader. */
  #handed: { readonly call: MemberCall; readonly answer: Answer; readonly deadlineMs: number }[] = [];
  /** When each member was last heard from. */
  readonly #heardMs: Map<MemberId, number> = new Map();
  #isAnnouncing = false;
  #isStopped = false;

  constructor(host: NodeHost) {
    this.#host = host;
    // NOTE: not from 1: a leader may still answer what this member asked before it was started anew.
    this.#callId = Math.floor(host.env.random.float() * 2 ** 48);
  }

  /** Does it here if this member leads, or asks the leader. */
  call(call: MemberCall, answer: Answer): void {
    if (this.#isStopped) {
      answer(refusedAnswer(closed()));
      return;
    }
    const { softState, env, options } = this.#host;
    const { leader, role } = softState();
    if (role === 'leader') this.#do(call, answer);
    else if (leader === null || leader === options.memberId) answer(refusedAnswer(new AppError({ code: 'MANAGER_NO_LEADER', message: 'no manager leads at the moment', hint: 'flotilla store status' })));
    else {
      this.#callId += 1;
      this.#asked.set(this.#callId, { deadlineMs: env.clock.monotonicMs() + callTimeoutMs, answer });
      this.#host.send(leader, { kind: 'call', callId: this.#callId, call });
    }
    this.#host.pump();
  }

  heard(from: MemberId): void {
    this.#heardMs.set(from, this.#host.env.clock.monotonicMs());
  }

  receive(from: MemberId, callId: number, call: MemberCall): void {
    if (this.#host.softState().role !== 'leader') {
      this.#host.send(from, { kind: 'answer', callId, answer: refusedAnswer(new AppError({ code: 'MANAGER_NOT_LEADER', message: 'this manager does not lead any more; ask again' })) });
      return;
    }
    this.#do(call, (answer) => this.#host.send(from, { kind: 'answer', callId, answer }));
  }

  answered(callId: number, answer: CallAnswer): void {
    const asked = this.#asked.get(callId);
    this.#asked.delete(callId);
    asked?.answer(answer);
  }

  /** A change of members was applied. */
  applied(index: number, term: number): void {
    const due = this.#waiting.filter((one) => one.index <= index);
    this.#waiting = this.#waiting.filter((one) => one.index > index);
    for (const one of due) {
      if (one.index === index && one.term === term) one.answer(this.#members());
      else one.answer(refusedAnswer(new AppError({ code: 'MANAGER_NOT_LEADER', message: 'the leader changed before the change of members was committed: it did not happen; ask again' })));
    }
  }

  leaderChanged(): void {
    if (this.#host.softState().isLeading) this.#host.env.soon(() => this.#announce());
    if (this.#host.softState().role === 'leader') return;
    if (this.#host.softState().leader !== null) {
      const handed = this.#handed;
      this.#handed = [];
      for (const one of handed) this.call(one.call, one.answer);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.answer(refusedAnswer(new AppError({ code: 'MANAGER_OUTCOME_UNKNOWN', message: 'the leader changed: the change of members may or may not happen', hint: 'flotilla store members' })));
  }

  tick(): void {
    const nowMs = this.#host.env.clock.monotonicMs();
    for (const [callId, asked] of [...this.#asked]) {
      if (asked.deadlineMs > nowMs) continue;
      this.#asked.delete(callId);
      asked.answer(refusedAnswer(new AppError({ code: 'MANAGER_OUTCOME_UNKNOWN', message: 'the leader did not answer in time', hint: 'flotilla store members' })));
    }
    if (this.#removals.length > 0) this.#decideRemovals();
    const turns = this.#turns;
    this.#turns = [];
    for (const turn of turns) {
      if (this.#host.softState().role === 'leader') this.#do(turn.call, turn.answer, turn.deadlineMs);
      else this.call(turn.call, turn.answer);
    }
    for (const one of this.#handed.filter((late) => late.deadlineMs <= nowMs)) one.answer(refusedAnswer(new AppError({ code: 'MANAGER_NO_LEADER', message: 'the leadership could not be handed over', hint: 'flotilla store members' })));
    this.#handed = this.#handed.filter((one) => one.deadlineMs > nowMs);
    this.#ticks += 1;
    if (this.#ticks % promoteEveryTicks !== 0) return;
    if (this.#host.softState().isLeading) this.#promoteOne();
    if (this.#host.state().removed.includes(this.#host.options.memberId) || this.#confirmed.voters.length > 0) this.#askToLeave();
    else this.#announce();
  }

  /** The others must know this member's address and what it supports. */
  #announce(): void {
    const { options, state, softState } = this.#host;
    const { address, featureLevel, memberId } = options;
    if (this.#isAnnouncing || softState().leader === null || !memberIds(state().conf).includes(memberId)) return;
    const known = state().members.get(memberId);
    const isAddressKnown = address === '' || known?.address === address;
    if (isAddressKnown && (known?.featureLevel ?? featureLevelFirst) === featureLevel) return;
    this.#isAnnouncing = true;
    this.call({ kind: 'update', memberId, address: address === '' ? (known?.address ?? '') : address, featureLevel }, (answer) => {
      this.#isAnnouncing = false;
      if (answer.kind === 'refused') this.#host.env.log.warn('store.announce', { code: answer.code, message: answer.message });
    });
  }

  /** NOTE: a removed member stays, and votes, until one of those that remain knows durably that it is gone. */
  #askToLeave(): void {
    const voters = [...new Set([...this.#host.state().conf.voters, ...this.#confirmed.voters])];
    for (const member of voters) if (member !== this.#host.options.memberId) this.#host.send(member, { kind: 'may-leave' });
  }

  /**
   * A voter says that this member was removed. True when a majority of the voters that remain know it durably: then none of them
   * can ever need this member's vote again, and it may go with its data.
   */
  confirmRemoval(from: MemberId, voters: readonly MemberId[]): boolean {
    if (voters.length === 0 || voters.includes(this.#host.options.memberId)) return false;
    if (voters.join(' ') !== this.#confirmed.voters.join(' ')) this.#confirmed = { voters, by: new Set() };
    if (voters.includes(from)) this.#confirmed.by.add(from);
    return this.#confirmed.by.size > voters.length / 2;
  }

  /** Who should lead when this member goes: the voter that is furthest. */
  successor(): MemberId | null {
    const { core, options } = this.#host;
    const others = core.status().members.filter((one) => one.member !== options.memberId && !one.isLearner && one.isRecentActive);
    return others.sort((a, b) => b.match - a.match)[0]?.member ?? null;
  }

  stop(): void {
    this.#isStopped = true;
    const answers = [...this.#turns.map((one) => one.answer), ...this.#handed.map((one) => one.answer), ...this.#removals.map((one) => one.answer), ...this.#waiting.map((one) => one.answer), ...[...this.#asked.values()].map((one) => one.answer)];
    this.#waiting = [];
    this.#asked.clear();
    this.#removals = [];
    this.#turns = [];
    this.#handed = [];
    for (const answer of answers) answer(refusedAnswer(closed()));
  }

  #do(call: MemberCall, answer: Answer, deadlineMs: number | null = null): void {
    if (call.kind === 'transfer') {
      const taken = this.#host.core.transferLeader(call.memberId);
      answer(taken.kind === 'accepted' ? this.#members() : refusedAnswer(new AppError({ code: 'MANAGER_MEMBER_REFUSED', message: taken.message })));
      this.#host.pump();
      return;
    }
    if ((call.kind === 'remove' || call.kind === 'replace') && call.memberId === this.#host.options.memberId && this.#handOver(call, answer)) return;
    const planned = this.#plan(call);
    if (planned !== null && !(planned instanceof AppError) && (call.kind === 'remove' || call.kind === 'replace') && this.#isRisky(call.memberId)) {
      const startMs = this.#host.env.clock.monotonicMs();
      this.#removals.push({ change: planned, memberId: call.memberId, byMemberId: call.kind === 'replace' ? call.byMemberId : null, startMs, answer });
      return;
    }
    if (planned instanceof AppError) answer(refusedAnswer(planned));
    else if (planned === null) answer(this.#members());
    else this.#propose(planned, answer, { call, deadlineMs: deadlineMs ?? this.#host.env.clock.monotonicMs() + callTimeoutMs / 2 });
  }

  /** A leader does not remove itself: the next leader does. False where nobody else could lead. */
  #handOver(call: MemberCall, answer: Answer): boolean {
    const to = this.successor();
    if (to === null || this.#host.core.transferLeader(to).kind === 'refused') return false;
    const deadlineMs = this.#host.env.clock.monotonicMs() + callTimeoutMs / 2;
    this.#handed.push({ call, answer, deadlineMs });
    this.#host.pump();
    return true;
  }

  /** One change at a time: while another is under way, or the leader is new, a call waits its turn. */
  #propose(change: ConfChange, answer: Answer, retry: { readonly call: MemberCall; readonly deadlineMs: number } | null): void {
    const proposed = this.#host.core.proposeConfChange(change);
    if (proposed.kind === 'refused') {
      const isEarly = proposed.code === 'RAFT_CONF_PENDING' || proposed.code === 'RAFT_NOT_READY' || proposed.code === 'RAFT_TRANSFERRING';
      if (isEarly && retry !== null && retry.deadlineMs > this.#host.env.clock.monotonicMs()) {
        this.#turns.push({ ...retry, answer });
        return;
      }
      answer(refusedAnswer(new AppError({ code: 'MANAGER_MEMBER_REFUSED', message: `the members cannot be changed now: ${proposed.message}`, hint: 'try again in a moment' })));
      return;
    }
    this.#waiting.push({ index: proposed.firstIndex, term: proposed.term, answer });
    this.#host.pump();
  }

  /** The change to propose; null where it is so already; the reason where it must not be. */
  #plan(call: Exclude<MemberCall, { readonly kind: 'transfer' }>): ConfChange | AppError | null {
    const { conf, members, removed, featureLevel } = this.#host.state();
    const isMember = memberIds(conf).includes(call.memberId);
    switch (call.kind) {
      case 'join':
        if (removed.includes(call.memberId) && !this.#host.mutations.has('host-id-reused')) return refused(`member ${call.memberId} was removed; it can join again only under a new id`);
        if (call.featureLevel < featureLevel) return tooOld(call, featureLevel);
        if (!memberIdShape.test(call.memberId) || call.address === '' || call.address.length > addressCharsMax) return refused(`a member has an id of 1 to ${memberIdCharsMax} letters, digits, dots and dashes and an address of 1 to ${addressCharsMax} characters`);
        if (isMember) return this.#planAgain(call);
        if (removed.length + memberIds(conf).length >= removedMax) return fullOfRemoved(removed.length);
        return one({ kind: this.#host.mutations.has('host-voter-before-caught-up') ? 'add-voter' : 'add-learner', member: call.memberId, context: contextOf(call) });
      case 'update':
        if (!isMember) return unknownMember(call.memberId);
        if (call.address.length > addressCharsMax) return refused(`a member has an address of up to ${addressCharsMax} characters`);
        if (call.featureLevel < featureLevel) return tooOld(call, featureLevel);
        if (isSameInfo(members.get(call.memberId), call)) return null;
        return one({ kind: 'update', member: call.memberId, context: contextOf(call) });
      case 'promote':
        if (!conf.learners.includes(call.memberId)) return isMember ? null : unknownMember(call.memberId);
        if (conf.voters.length >= this.#host.options.limits.votersMax) return refused(`${conf.voters.length} members vote already, and more would only make every change slower; ${call.memberId} stays a learner`);
        return this.#checkLearner(call.memberId) ?? one({ kind: 'add-voter', member: call.memberId });
      case 'remove':
        return isMember ? one({ kind: 'remove', member: call.memberId }) : null;
      case 'replace': {
        if (!isMember) return unknownMember(call.memberId);
        if (!conf.voters.includes(call.memberId)) return refused(`${call.memberId} does not vote, so there is no vote to take over: remove it instead`);
        if (conf.voters.includes(call.byMemberId)) return refused(`${call.byMemberId} votes already: remove ${call.memberId} instead`);
        return this.#checkLearner(call.byMemberId) ?? { transition: 'implicit', changes: [{ kind: 'add-voter', member: call.byMemberId }, { kind: 'remove', member: call.memberId }] };
      }
    }
  }

  /** A join that is asked again is fine as long as the member has acknowledged nothing. Later it could have lost what it acknowledged. */
  #planAgain(call: Extract<MemberCall, { readonly kind: 'join' }>): ConfChange | AppError | null {
    const { core, state, mutations } = this.#host;
    const { memberId } = call;
    if (mutations.has('host-id-reused')) return null;
    const found = core.status().members.find((member) => member.member === memberId);
    // NOTE: it may come from another address than the first time, and nobody would find it at the old one.
    if (found?.isLearner === true && found.match === 0) return isSameInfo(state().members.get(memberId), call) ? null : one({ kind: 'update', member: memberId, context: contextOf(call) });
    return refused(`${memberId} is a member already; one that lost its data joins under a new id, after the old one was removed`);
  }

  #checkLearner(memberId: MemberId): AppError | null {
    const status = this.#host.core.status();
    const found = status.members.find((one) => one.member === memberId);
    if (found === undefined) return unknownMember(memberId);
    if (this.#isCaughtUp(found, status.lastIndex)) return null;
    return refused(`member ${memberId} has ${found.match} of ${status.lastIndex} entries and is still catching up or not reachable`);
  }

  #isRisky(memberId: MemberId): boolean {
    return this.#host.state().conf.voters.includes(memberId) && !this.#host.mutations.has('host-remove-breaks-quorum');
  }

  /**
   * Of the voters that would stay, a majority must be alive, or nothing could be committed any more. That someone was alive a moment
   * ago proves little: the removal waits until a majority was heard from after it was asked for, for at most an election timeout.
   */
  #decideRemovals(): void {
    const { core, options, env, softState } = this.#host;
    const nowMs = env.clock.monotonicMs();
    const removals = this.#removals;
    this.#removals = [];
    for (const removal of removals) {
      const staying = core.status().members.filter((member) => (!member.isLearner && member.member !== removal.memberId) || member.member === removal.byMemberId);
      const reachable = staying.filter((member) => member.member === options.memberId || (this.#heardMs.get(member.member) ?? -1) > removal.startMs + options.limits.tickMs).length;
      const quorum = Math.floor(staying.length / 2) + 1;
      if (softState().role !== 'leader') removal.answer(refusedAnswer(new AppError({ code: 'MANAGER_NOT_LEADER', message: 'this manager does not lead any more; ask again' })));
      else if (staying.length === 0) removal.answer(refusedAnswer(refused(`member ${removal.memberId} is the last voter`)));
      else if (reachable >= quorum) this.#propose(removal.change, removal.answer, null);
      else if (nowMs - removal.startMs > options.limits.electionTicks * options.limits.tickMs) removal.answer(refusedAnswer(atRisk(removal.memberId, reachable, staying.length)));
      else this.#removals.push(removal);
    }
  }

  /** NOTE: the core's own mark of activity begins anew at each check of the quorum, so just after one it says nothing. */
  #isCaughtUp(member: MemberStatus, lastIndex: number): boolean {
    const { limits } = this.#host.options;
    const isActive = this.#host.env.clock.monotonicMs() - (this.#heardMs.get(member.member) ?? -Infinity) < limits.electionTicks * limits.tickMs;
    return isActive && member.state !== 'snapshot' && lastIndex - member.match <= limits.promoteEntriesMax;
  }

  #promoteOne(): void {
    const { core, state, options } = this.#host;
    const { conf } = state();
    if (conf.learners.length === 0 || conf.votersOutgoing.length > 0 || this.#waiting.length > 0 || conf.voters.length >= options.limits.votersMax) return;
    const status = core.status();
    const ready = status.members.find((member) => member.isLearner && conf.learners.includes(member.member) && this.#isCaughtUp(member, status.lastIndex));
    // A vote for one that has just died would only make the quorum larger: it must be heard from after it was chosen.
    const { clock } = this.#host.env;
    const chosen = this.#promoting;
    this.#promoting = ready === undefined ? null : { member: ready.member, sinceMs: clock.monotonicMs() };
    if (ready === undefined || chosen?.member !== ready.member) return;
    if ((this.#heardMs.get(ready.member) ?? -1) > chosen.sinceMs + options.limits.tickMs) this.#propose(one({ kind: 'add-voter', member: ready.member }), () => undefined, null);
  }

  /** Everyone with an address; the own one is known here before the log tells it. */
  addresses(): readonly { readonly id: MemberId; readonly address: string }[] {
    const { state, options } = this.#host;
    const { conf, members } = state();
    return memberIds(conf).map((id) => ({ id, address: members.get(id)?.address ?? (id === options.memberId ? options.address : '') }));
  }

  #members(): CallAnswer {
    return { kind: 'done', members: this.addresses() };
  }
}

function closed(): AppError {
  return new AppError({ code: 'MANAGER_CLOSED', message: 'the store was closed' });
}

function one(change: MemberChange): ConfChange {
  return { transition: 'auto', changes: [change] };
}

function isSameInfo(known: MemberInfo | undefined, call: MemberInfo): boolean {
  return known?.address === call.address && known.featureLevel === call.featureLevel;
}

function contextOf(info: MemberInfo): string {
  return JSON.stringify({ address: info.address, featureLevel: info.featureLevel });
}

function refused(message: string): AppError {
  return new AppError({ code: 'MANAGER_MEMBER_REFUSED', message });
}

function tooOld(call: { readonly memberId: MemberId; readonly featureLevel: number }, inForce: number): AppError {
  return new AppError({
    code: 'MANAGER_FEATURE_LEVEL', message: `member ${call.memberId} supports feature level ${call.featureLevel}, the cluster is at ${inForce}`,
    hint: 'start a version of Flotilla at least as new as the other managers on it',
  });
}

/** Ids never return, so they are never forgotten, and what is never forgotten must be bounded. */
function fullOfRemoved(count: number): AppError {
  return new AppError({
    code: 'MANAGER_MEMBER_REFUSED',
    message: `${count} members were removed from this cluster, and it remembers at most ${removedMax} of them and of those who are there: nobody new can join`,
    hint: 'stop all managers, then on the one with the newest log: flotilla store recover --yes; the others join it again',
  });
}

function unknownMember(memberId: MemberId): AppError {
  return new AppError({ code: 'MANAGER_MEMBER_REFUSED', message: `${memberId} is no member of this cluster`, hint: 'flotilla store members' });
}

function atRisk(memberId: MemberId, reachable: number, staying: number): AppError {
  return new AppError({
    code: 'MANAGER_QUORUM_AT_RISK',
    message: `without ${memberId}, ${reachable} of ${staying} voters would be reachable, and ${Math.floor(staying / 2) + 1} are needed`,
    hint: 'bring other managers back first, or remove the unreachable ones first',
  });
}
