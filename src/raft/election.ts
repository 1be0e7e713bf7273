import { randomBelow } from '../base/random.ts';
import type { CoreState } from './core-state.ts';
import { jointVote } from './quorum.ts';
import { dropLeaderReads, setLeader } from './reads.ts';
import { appendAsLeader, broadcastAppend } from './replication.ts';
import type { Accepted, Index, MemberId, PreVote, PreVoteResponse, Refusal, Term, Vote, VoteResponse } from './types.ts';

const nothing = new Uint8Array(0);

/** What every change of role or term begins with. */
function reset(s: CoreState, term: Term): void {
  if (s.term !== term) {
    s.term = term;
    s.vote = null;
  }
  s.electionElapsedTicks = 0;
  s.heartbeatElapsedTicks = 0;
  drawElectionTimeout(s);
  s.transferee = null;
  s.votes.clear();
  s.pendingConfIndex = 0;
  s.termStart = 0;
  s.didProposeJoint = false;
  s.uncommittedBytes = 0;
  s.selfAck = 0;
  s.isBroadcastDue = false;
  dropLeaderReads(s);
  const last = s.log.lastIndex();
  for (const [member, old] of s.members) {
    const fresh = s.newProgress(member, last);
    fresh.isLearner = old.isLearner;
    fresh.isRecentActive = false;
    fresh.match = member === s.id ? s.log.stableIndex : 0;
    fresh.next = last + 1;
    s.members.set(member, fresh);
  }
}

/** Uniform in [electionTicks, 2 × electionTicks - 1], so that two members seldom campaign at once (Raft §5.2). */
export function drawElectionTimeout(s: CoreState): void {
  s.randomizedElectionTicks = s.limits.electionTicks + randomBelow(s.random, s.limits.electionTicks);
}

export function becomeFollower(s: CoreState, term: Term, leader: MemberId | null): void {
  reset(s, term);
  s.role = 'follower';
  setLeader(s, leader);
}

/** Asks before it disturbs: neither term nor vote changes (Raft thesis §9.6). */
function becomePreCandidate(s: CoreState): void {
  s.role = 'pre-candidate';
  s.votes.clear();
  setLeader(s, null);
}

function becomeCandidate(s: CoreState): void {
  reset(s, s.term + 1);
  setLeader(s, null);
  s.role = 'candidate';
  s.vote = s.id;
}

function becomeLeader(s: CoreState): void {
  s.mark('became-leader', { term: s.term });
  reset(s, s.term);
  s.role = 'leader';
  setLeader(s, s.id);
  const own = s.members.get(s.id);
  if (own !== undefined) {
    own.becomeReplicate();
    own.isRecentActive = true;
  }
  // Changes of members in the part of the log that this leader has not applied yet must be applied before another is taken.
  s.pendingConfIndex = s.has('conf-change-before-term-commit') ? 0 : s.log.lastIndex();
  s.termStart = s.log.lastIndex() + 1;
  appendAsLeader(s, [nothing], 'empty');
}

export type CampaignKind = 'normal' | 'transfer';

/** Starts an election if this member may. A handover asked for by the leader needs no pre-vote: the leader vouches for it. */
export function startElection(s: CoreState, kind: CampaignKind): Accepted | Refusal {
  if (s.role === 'leader') return { kind: 'accepted' };
  if (!s.isPromotable) {
    s.mark('not-promotable', {});
    return s.refuse('RAFT_NOT_VOTER', `${s.id} is no voter or is receiving a snapshot, so it cannot campaign`);
  }
  if (hasUnappliedConf(s)) {
    // Its own list of voters may be out of date, and it is known that it is.
    s.mark('campaign-waits-for-conf', {});
    return s.refuse('RAFT_CONF_PENDING', 'a committed change of members is not applied yet');
  }
  campaign(s, kind === 'normal' && s.isPreVoteOn, kind);
  return { kind: 'accepted' };
}

function hasUnappliedConf(s: CoreState): boolean {
  let low = s.log.applied + 1;
  while (low <= s.log.committed) {
    const entries = s.log.slice(low, s.log.committed + 1, s.limits.messageBytesMax);
    if (entries.some((entry) => entry.kind === 'conf')) return true;
    low += entries.length;
  }
  return false;
}

function campaign(s: CoreState, isPreVote: boolean, kind: CampaignKind): void {
  if (isPreVote) becomePreCandidate(s);
  else becomeCandidate(s);
  s.mark(isPreVote ? 'became-pre-candidate' : 'became-candidate', { term: s.term });
  const term = isPreVote ? s.term + 1 : s.term;
  const lastIndex = s.log.lastIndex();
  const lastTerm = s.log.lastTerm();
  for (const member of s.voterIds) {
    if (member === s.id) {
      s.selfVotes.push({ isPreVote, term });
      continue;
    }
    const head = { from: s.id, to: member, term, clusterId: s.clusterId, lastIndex, lastTerm, isTransfer: kind === 'transfer', ...knownCommit(s) };
    if (isPreVote) s.send({ kind: 'pre-vote', ...head });
    // NOTE: not before term, own vote and log are durable. Who asks, is elected and then forgets the term in a crash would lead it a second time, with other entries.
    else if (s.has('vote-asked-before-persist')) s.send({ kind: 'vote', ...head });
    else s.sendAfterPersist({ kind: 'vote', ...head });
  }
}

function knownCommit(s: CoreState): { commit: Index; commitTerm: Term } {
  return { commit: s.log.committed, commitTerm: s.log.term(s.log.committed) ?? 0 };
}

/** Takes over what another knows to be committed, if the own log holds the same entry there. */
export function learnCommit(s: CoreState, message: Vote | PreVote | VoteResponse | PreVoteResponse): void {
  if (s.role === 'leader' || message.commit <= s.log.committed || s.log.term(message.commit) !== message.commitTerm || s.has('commit-not-told')) return;
  s.mark('commit-learnt-from-vote', { commit: message.commit });
  s.log.commitTo(message.commit);
  // A candidate may learn that it asked the wrong voters.
  if (s.role !== 'follower' && hasUnappliedConf(s)) becomeFollower(s, s.term, null);
}

/** A vote of anybody, the own one included. */
export function countVote(s: CoreState, from: MemberId, isPreVote: boolean, isGranted: boolean): void {
  if (s.role !== (isPreVote ? 'pre-candidate' : 'candidate')) return;
  if (!s.votes.has(from)) s.votes.set(from, isGranted);
  const result = jointVote(s.countedVoters, s.countedOutgoing, s.votes);
  if (result === 'lost') {
    // NOTE: the term of a lost pre-vote is not taken over: it was only asked about.
    becomeFollower(s, s.term, null);
  } else if (result === 'won') {
    if (isPreVote) {
      campaign(s, false, 'normal');
    } else {
      becomeLeader(s);
      broadcastAppend(s);
    }
  }
}

/** A request whose term is not below ours; a higher one was taken over before (not for a pre-vote). */
export function handleVoteRequest(s: CoreState, message: Vote | PreVote): void {
  const isPreVote = message.kind === 'pre-vote';
  const canVote =
    s.vote === message.from || (s.vote === null && s.leader === null) || (isPreVote && message.term > s.term) || (!isPreVote && s.has('double-vote'));
  const isGranted = canVote && (s.log.isUpToDate(message.lastIndex, message.lastTerm) || s.has('vote-ignores-log'));
  if (isGranted && !isPreVote) {
    s.electionElapsedTicks = 0;
    s.vote = message.from;
  }
  s.mark(isGranted ? 'vote-granted' : 'vote-refused', { to: message.from, kind: message.kind });
  // A granted pre-vote is for the term that was asked about; a refusal tells ours, so that a member left behind catches up.
  respond(s, message, isGranted ? message.term : s.term, !isGranted);
}

export function refuseOldPreVote(s: CoreState, message: PreVote): void {
  if (s.has('pre-vote-reject-without-term')) return;
  respond(s, message, s.term, true);
}

function respond(s: CoreState, message: Vote | PreVote, term: Term, isReject: boolean): void {
  const head = { from: s.id, to: message.from, term, clusterId: s.clusterId, isReject, ...knownCommit(s) };
  const response: VoteResponse | PreVoteResponse = message.kind === 'vote' ? { kind: 'vote-response', ...head } : { kind: 'pre-vote-response', ...head };
  if (s.has('vote-before-persist')) s.send(response);
  else s.sendAfterPersist(response);
}

/** A majority was heard from since the last check? */
export function isQuorumActive(s: CoreState): boolean {
  const active = new Map<MemberId, boolean>();
  for (const [member, progress] of s.members) active.set(member, member === s.id || progress.isRecentActive);
  return jointVote(s.countedVoters, s.countedOutgoing, active) === 'won';
}
