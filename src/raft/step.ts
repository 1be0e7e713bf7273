import { unreachable } from '../base/assert.ts';
import type { CoreState } from './core-state.ts';
import { becomeFollower, countVote, handleVoteRequest, learnCommit, refuseOldPreVote, startElection } from './election.ts';
import { handleAppend, handleHeartbeat, handleSnapshot } from './follower.ts';
import { handleReadAck, handleReadIndex, handleReadIndexResponse, setLeader } from './reads.ts';
import { handleAppendResponse, handleHeartbeatResponse, sendAppend, sendTimeoutNow } from './replication.ts';
import type { Accepted, Append, Heartbeat, MemberId, Message, MessageKind, Refusal, Snapshot } from './types.ts';

/** One message of a peer. */
export function stepMessage(s: CoreState, message: Message): Refusal | null {
  const refusal = checkMessage(s, message);
  if (refusal !== null) return refusal;
  if (message.term > s.term) {
    if (isHeldByLease(s, message)) return null;
    takeTerm(s, message);
  } else if (message.term < s.term) {
    answerOldTerm(s, message);
    return null;
  }
  dispatch(s, message);
  return null;
}

/** The border: wrong cluster, wrong address, removed members, numbers outside their range. */
function checkMessage(s: CoreState, message: Message): Refusal | null {
  const isLax = s.has('removed-member-heard');
  if (message.clusterId !== s.clusterId && !isLax) return s.refuse('RAFT_WRONG_CLUSTER', `${message.from} belongs to the cluster ${message.clusterId}`);
  if (message.to !== s.id || message.from === s.id) return s.refuse('RAFT_WRONG_ADDRESS', `a ${message.kind} of ${message.from} for ${message.to} arrived at ${s.id}`);
  if (s.removed.size > 0 && s.removed.has(message.from) && s.testing.isRemovedHeard !== true && !isLax) {
    return s.refuse('RAFT_REMOVED_MEMBER', `${message.from} was removed from the cluster`);
  }
  if (isResponse(message.kind) && !s.members.has(message.from)) return s.refuse('RAFT_UNKNOWN_MEMBER', `${message.from} is not a member`);
  const problem = findBadNumber(message);
  return problem === null ? null : s.refuse('RAFT_BAD_MESSAGE', `${message.kind} of ${message.from}: ${problem}`);
}

function isResponse(kind: MessageKind): boolean {
  return kind === 'append-response' || kind === 'heartbeat-response' || kind === 'vote-response' || kind === 'pre-vote-response';
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Sums are checked too: nothing may come near 2^53 where adding one no longer counts. */
function findBadNumber(message: Message): string | null {
  if (!isIndex(message.term) || !isIndex(message.term + 1)) return `term ${message.term}`;
  switch (message.kind) {
    case 'append':
      return findBadAppend(message);
    case 'append-response':
      return isIndex(message.index + 1) && isIndex(message.hintIndex) && isIndex(message.hintTerm) ? null : 'an index out of range';
    case 'heartbeat':
      return isIndex(message.commit) && isIndex(message.round) ? null : 'a number out of range';
    case 'heartbeat-response':
      return isIndex(message.round) ? null : `round ${message.round}`;
    case 'pre-vote':
    case 'vote':
      return isIndex(message.lastIndex) && isIndex(message.lastTerm) && isIndex(message.commit) && isIndex(message.commitTerm) ? null : 'a number out of range';
    case 'snapshot':
      return isIndex(message.meta.index + 1) && isIndex(message.meta.term) ? null : 'a number out of range';
    case 'read-index-response':
      return message.index === null || isIndex(message.index) ? null : `index ${message.index}`;
    case 'read-index':
      return Number.isSafeInteger(message.context) ? null : `context ${message.context}`;
    case 'pre-vote-response':
    case 'vote-response':
      return isIndex(message.commit) && isIndex(message.commitTerm) ? null : 'a number out of range';
    case 'timeout-now':
    case 'transfer-leader':
      return null;
    default:
      return unreachable(message);
  }
}

function findBadAppend(message: Append): string | null {
  if (!isIndex(message.prevIndex) || !isIndex(message.prevTerm) || !isIndex(message.commit)) return 'a number out of range';
  let index = message.prevIndex;
  if (!isIndex(index + message.entries.length + 1)) return 'an index out of range';
  for (const entry of message.entries) {
    index += 1;
    if (entry.index !== index) return `entry ${entry.index} where ${index} follows`;
    if (!isIndex(entry.term)) return `entry ${index} with term ${entry.term}`;
  }
  return null;
}

/** Whoever hears from a living leader refuses to help depose it, unless that leader asked for it (Raft thesis §4.2.3). */
function isHeldByLease(s: CoreState, message: Message): boolean {
  if (message.kind !== 'vote' && message.kind !== 'pre-vote') return false;
  const isHeld = s.isCheckQuorumOn && s.leader !== null && s.electionElapsedTicks < s.limits.electionTicks && !message.isTransfer;
  if (isHeld) s.mark('vote-held-by-lease', { from: message.from });
  return isHeld;
}

function takeTerm(s: CoreState, message: Message): void {
  // A pre-vote only asks; a granted one answers for a term that nobody is in yet.
  if (message.kind === 'pre-vote' || (message.kind === 'pre-vote-response' && !message.isReject)) return;
  const isFromLeader = message.kind === 'append' || message.kind === 'heartbeat' || message.kind === 'snapshot';
  becomeFollower(s, message.term, isFromLeader ? message.from : null);
}

function answerOldTerm(s: CoreState, message: Message): void {
  if ((message.kind === 'append' || message.kind === 'heartbeat') && (s.isCheckQuorumOn || s.isPreVoteOn)) {
    // Tells a leader of an older term about ours; without it neither could ever win the other over. Nothing is promised by it.
    s.sendAfterPersist({
      kind: 'append-response', from: s.id, to: message.from, term: s.term, clusterId: s.clusterId, index: 0, isReject: false, hintIndex: 0, hintTerm: 0,
    });
  } else if (message.kind === 'pre-vote') {
    refuseOldPreVote(s, message);
  } else {
    s.mark('old-term-ignored', { kind: message.kind, from: message.from });
  }
}

function dispatch(s: CoreState, message: Message): void {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      learnCommit(s, message);
      handleVoteRequest(s, message);
      return;
    case 'vote-response':
      learnCommit(s, message);
      countVote(s, message.from, false, !message.isReject);
      return;
    case 'pre-vote-response':
      learnCommit(s, message);
      countVote(s, message.from, true, !message.isReject);
      return;
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      handleFromLeader(s, message);
      return;
    case 'append-response':
    case 'heartbeat-response':
      handleFromFollower(s, message);
      return;
    case 'timeout-now':
      if (s.role === 'follower') startElection(s, 'transfer');
      return;
    case 'transfer-leader':
      requestTransfer(s, message.transferee);
      return;
    case 'read-index':
      handleReadIndex(s, message);
      return;
    case 'read-index-response':
      handleReadIndexResponse(s, message);
      return;
    default:
      unreachable(message);
  }
}

function handleFromLeader(s: CoreState, message: Append | Heartbeat | Snapshot): void {
  // Two leaders of one term can't be; if one is claimed, do not listen.
  if (s.role === 'leader') return;
  if (s.role !== 'follower') becomeFollower(s, message.term, message.from);
  s.electionElapsedTicks = 0;
  setLeader(s, message.from);
  if (message.kind === 'append') handleAppend(s, message);
  else if (message.kind === 'heartbeat') handleHeartbeat(s, message);
  else handleSnapshot(s, message);
}

function handleFromFollower(s: CoreState, message: Message & { kind: 'append-response' | 'heartbeat-response' }): void {
  const progress = s.members.get(message.from);
  if (s.role !== 'leader' || progress === undefined) return;
  if (message.kind === 'append-response') {
    handleAppendResponse(s, progress, message);
  } else {
    handleHeartbeatResponse(s, progress, message);
    handleReadAck(s, message);
  }
}

/** Hands over at once to a member whose log is complete, else brings it up to date first. A follower passes the wish on. */
export function requestTransfer(s: CoreState, to: MemberId): Accepted | Refusal {
  if (s.role !== 'leader') {
    if (s.leader === null) return s.refuse('RAFT_NO_LEADER', 'no leader is known that could hand over');
    s.send({ kind: 'transfer-leader', from: s.id, to: s.leader, term: s.term, clusterId: s.clusterId, transferee: to });
    return { kind: 'accepted' };
  }
  const progress = s.members.get(to);
  if (progress === undefined) return s.refuse('RAFT_UNKNOWN_MEMBER', `${to} is not a member`);
  if (progress.isLearner || !s.voterIds.includes(to)) return s.refuse('RAFT_NOT_VOTER', `${to} is a learner and cannot lead`);
  if (to === s.id || s.transferee === to) return { kind: 'accepted' };
  s.electionElapsedTicks = 0;
  s.transferee = to;
  if (progress.match === s.log.lastIndex() || s.has('transfer-to-lagging')) sendTimeoutNow(s, to);
  else sendAppend(s, progress, true);
  return { kind: 'accepted' };
}
