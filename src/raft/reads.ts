import type { CoreState } from './core-state.ts';
import { jointVote } from './quorum.ts';
import { broadcastHeartbeat } from './replication.ts';
import type { ReadRequest, ReadRound } from './reads-state.ts';
import type { Accepted, HeartbeatResponse, Index, MemberId, ReadIndex, ReadIndexResponse, Refusal } from './types.ts';

/** A read asked for by the own host. */
export function askRead(s: CoreState, context: number): Accepted | Refusal {
  if (!Number.isSafeInteger(context)) return s.refuse('RAFT_BAD_MESSAGE', `a read's context must be a whole number, not ${String(context)}`);
  if (s.role === 'leader') {
    return takeRead(s, { from: s.id, context }) ? { kind: 'accepted' } : s.refuse('RAFT_BUSY', `${s.limits.pendingReadsMax} reads are waiting already`);
  }
  if (s.leader === null) return s.refuse('RAFT_NO_LEADER', 'no leader is known, so nobody can confirm the read');
  if (s.reads.forwarded.size >= s.limits.pendingReadsMax) return s.refuse('RAFT_BUSY', `${s.limits.pendingReadsMax} reads wait for the leader already`);
  s.reads.forwarded.set(context, s.reads.ticks);
  s.send({ kind: 'read-index', from: s.id, to: s.leader, term: s.term, clusterId: s.clusterId, context });
  return { kind: 'accepted' };
}

/** A read passed on by a follower. */
export function handleReadIndex(s: CoreState, message: ReadIndex): void {
  if (s.role === 'leader' && takeRead(s, { from: message.from, context: message.context })) return;
  answer(s, { from: message.from, context: message.context }, null);
}

export function handleReadIndexResponse(s: CoreState, message: ReadIndexResponse): void {
  if (!s.reads.forwarded.delete(message.context)) return;
  if (message.index === null) s.reads.failed.push(message.context);
  else s.reads.ready.push({ context: message.context, index: message.index });
}

function takeRead(s: CoreState, request: ReadRequest): boolean {
  const reads = s.reads;
  let waiting = reads.early.length + reads.open.length;
  for (const round of reads.rounds) waiting += round.requests.length;
  if (waiting >= s.limits.pendingReadsMax) return false;
  if (s.has('read-local')) answer(s, request, s.log.committed);
  else if (!s.isLeading && !s.has('read-before-term-commit')) reads.early.push(request);
  else reads.open.push(request);
  return true;
}

/** The leader has applied an entry of its term: reads that came too early may go on. */
export function releaseEarlyReads(s: CoreState): void {
  if (s.reads.early.length === 0 || !s.isLeading) return;
  s.mark('early-reads-released', { count: s.reads.early.length });
  for (const request of s.reads.early) s.reads.open.push(request);
  s.reads.early = [];
}

/** Is a round to be started now? One at a time: reads that come meanwhile share the next. */
export function isRoundDue(s: CoreState): boolean {
  return s.reads.open.length > 0 && s.reads.rounds.length === 0;
}

/** Starts a round for all reads that wait. Its index is the commit index of now: at least that of when each read was asked for. */
export function startRound(s: CoreState): void {
  const reads = s.reads;
  if (reads.open.length === 0) return;
  const requests = reads.open;
  reads.open = [];
  const index = s.log.committed;
  if (s.testing.isLeaseRead === true || jointVote(s.countedVoters, s.countedOutgoing, new Map([[s.id, true]])) === 'won') {
    for (const request of requests) answer(s, request, index);
    return;
  }
  if (!s.has('read-round-reused') || reads.roundsMade === 0) reads.roundsMade += 1;
  reads.rounds.push({ round: reads.roundsMade, index, requests, acks: new Map([[s.id, true]]) });
  broadcastHeartbeat(s, reads.roundsMade);
}

/** The periodic heartbeat repeats the newest open round (its messages may be lost) and lets a new one begin beside it. */
export function heartbeatWithReads(s: CoreState): void {
  if (s.reads.open.length > 0) startRound(s);
  else broadcastHeartbeat(s, s.reads.rounds.at(-1)?.round ?? 0);
}

export function handleReadAck(s: CoreState, message: HeartbeatResponse): void {
  if (message.round === 0) return;
  let confirmed = -1;
  s.reads.rounds.forEach((round, at) => {
    // An answer to a later round is one to all before it: it was sent after them, in the same term.
    if (round.round > message.round) return;
    round.acks.set(message.from, true);
    if (isConfirmed(s, round)) confirmed = at;
  });
  if (confirmed < 0) return;
  for (const round of s.reads.rounds.splice(0, confirmed + 1)) {
    for (const request of round.requests) answer(s, request, round.index);
  }
}

function isConfirmed(s: CoreState, round: ReadRound): boolean {
  if (s.has('read-before-quorum')) return round.acks.size > 1;
  return jointVote(s.countedVoters, s.countedOutgoing, round.acks) === 'won';
}

/** After a change of members a smaller quorum may do. */
export function recheckRounds(s: CoreState): void {
  const last = s.reads.rounds.findLastIndex((round) => isConfirmed(s, round));
  for (const round of s.reads.rounds.splice(0, last + 1)) {
    for (const request of round.requests) answer(s, request, round.index);
  }
}

function answer(s: CoreState, request: ReadRequest, index: Index | null): void {
  if (request.from !== s.id) {
    s.send({ kind: 'read-index-response', from: s.id, to: request.from, term: s.term, clusterId: s.clusterId, context: request.context, index });
  } else if (index === null) s.reads.failed.push(request.context);
  else s.reads.ready.push({ context: request.context, index });
}

/** No longer leader: own reads fail at once, those of followers when they notice the change themselves. */
export function dropLeaderReads(s: CoreState): void {
  const reads = s.reads;
  const fail = (request: ReadRequest): void => {
    if (request.from === s.id) reads.failed.push(request.context);
  };
  reads.early.forEach(fail);
  reads.open.forEach(fail);
  for (const round of reads.rounds) round.requests.forEach(fail);
  reads.early = [];
  reads.open = [];
  reads.rounds = [];
}

/** Another leader or none: what was passed on gets no answer. */
export function setLeader(s: CoreState, leader: MemberId | null): void {
  if (s.leader !== leader && s.reads.forwarded.size > 0) {
    for (const context of s.reads.forwarded.keys()) s.reads.failed.push(context);
    s.reads.forwarded.clear();
  }
  s.leader = leader;
}

/** A forwarded read whose messages were lost fails after one election timeout. */
export function ageForwardedReads(s: CoreState): void {
  s.reads.ticks += 1;
  for (const [context, tick] of s.reads.forwarded) {
    if (s.reads.ticks - tick <= s.limits.electionTicks) break;
    s.reads.forwarded.delete(context);
    s.reads.failed.push(context);
  }
}
