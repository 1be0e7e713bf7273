import type { CoreState } from './core-state.ts';
import { becomeFollower, isQuorumActive, startElection } from './election.ts';
import { maybeLeaveJoint } from './membership.ts';
import { ageForwardedReads, heartbeatWithReads } from './reads.ts';

/** Counts one tick. A leader's heartbeat is due by count alone; everything that could depose or elect is left to `decide`. */
export function countTick(s: CoreState): void {
  s.electionElapsedTicks += 1;
  s.isDecisionDue = true;
  ageForwardedReads(s);
  if (s.role === 'leader') s.heartbeatElapsedTicks += 1;
}

export function decide(s: CoreState): void {
  if (!s.isDecisionDue) return;
  s.isDecisionDue = false;
  if (s.role === 'leader') decideAsLeader(s);
  else if (s.isPromotable && s.electionElapsedTicks >= s.randomizedElectionTicks) {
    s.electionElapsedTicks = 0;
    startElection(s, 'normal');
  }
}

function decideAsLeader(s: CoreState): void {
  if (s.electionElapsedTicks >= s.limits.electionTicks) {
    s.electionElapsedTicks = 0;
    if (s.isCheckQuorumOn) checkQuorum(s);
    // A handover that was not finished within an election timeout is given up.
    if (s.transferee !== null && !s.has('transfer-never-aborted')) {
      s.mark('transfer-aborted', { to: s.transferee });
      s.transferee = null;
    }
  }
  if (s.role !== 'leader') return;
  sendHeartbeatIfDue(s);
  maybeLeaveJoint(s);
}

export function sendHeartbeatIfDue(s: CoreState): void {
  if (s.role !== 'leader' || s.heartbeatElapsedTicks < s.limits.heartbeatTicks) return;
  s.heartbeatElapsedTicks = 0;
  heartbeatWithReads(s);
}

/** A leader that a majority does not answer can't know that it still leads. */
function checkQuorum(s: CoreState): void {
  if (!isQuorumActive(s)) {
    s.mark('quorum-lost', { term: s.term });
    becomeFollower(s, s.term, null);
    return;
  }
  for (const [member, progress] of s.members) if (member !== s.id) progress.isRecentActive = false;
}
