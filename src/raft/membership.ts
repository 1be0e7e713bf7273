import { applyChange, decodeConfEntry, encodeConfChange, isJoint, isLeave, membersOf, type ConfResult } from './conf-change.ts';
import type { CoreState } from './core-state.ts';
import { becomeFollower } from './election.ts';
import type { Progress } from './progress.ts';
import { recheckRounds } from './reads.ts';
import { appendAsLeader, broadcastAppend, maybeCommit, sendAppend } from './replication.ts';
import type { ConfChange, ConfState, Entry, MemberId, Proposed, Refusal } from './types.ts';

const leaveChange: ConfChange = { transition: 'auto', changes: [] };

/** Why the leader would not take this change now; null if it would. */
export function checkConfChange(s: CoreState, change: ConfChange): Refusal | null {
  if (s.testing.isConfValidationOff === true) return null;
  const isEarlyAllowed = s.testing.isConfChangeEarly === true || s.has('conf-change-before-term-commit');
  if (!s.isLeading && !isEarlyAllowed) return s.refuse('RAFT_NOT_READY', 'the leader is new: it has not applied an entry of its own term yet');
  if (s.pendingConfIndex > s.log.applied && !s.has('conf-change-many-pending')) {
    return s.refuse('RAFT_CONF_PENDING', `the change at entry ${s.pendingConfIndex} is not applied yet (applied: ${s.log.applied})`);
  }
  if (isJoint(s.conf) && !isLeave(change)) return s.refuse('RAFT_CONF_PENDING', 'the joint configuration must be left first');
  const back = change.changes.find((one) => (one.kind === 'add-voter' || one.kind === 'add-learner') && s.removed.has(one.member));
  if (back !== undefined && !s.has('removed-member-heard')) return s.refuse('RAFT_REMOVED_MEMBER', `${back.member} was removed; it can join again under a new id only`);
  const result = applyChange(s.conf, change);
  return result.kind === 'invalid' ? s.refuse('RAFT_CONF_INVALID', result.reason) : null;
}

export function proposeChange(s: CoreState, change: ConfChange): Proposed {
  const proposed = appendAsLeader(s, [encodeConfChange(change, s.conf)], 'conf');
  s.pendingConfIndex = proposed.lastIndex;
  s.didProposeJoint = true;
  if (s.has('conf-change-at-append')) adopt(s, change, null);
  broadcastAppend(s);
  return proposed;
}

/** A committed change takes effect. One that can't (only possible with checks off) changes nothing, on every member alike. */
export function applyConfEntry(s: CoreState, entry: Entry): ConfState {
  const { change, base } = decodeConfEntry(entry.data);
  return adopt(s, change, base);
}

/** A member that joined and reads the log from its beginning knows no configuration: it takes the one that the first change was made to. */
function adopt(s: CoreState, change: ConfChange, base: ConfState | null): ConfState {
  const before = s.conf.voters.length === 0 && base !== null && !s.has('founders-forgotten') ? base : s.conf;
  const result: ConfResult = applyChange(before, change);
  if (result.kind === 'invalid') {
    s.mark('conf-change-without-effect', { reason: result.reason });
    return s.conf;
  }
  const kept = new Map<MemberId, Progress>();
  for (const [member, progress] of s.members) if (!result.fresh.has(member)) kept.set(member, progress);
  rememberRemoved(s, result.conf);
  s.setConf(result.conf, kept, s.log.lastIndex());
  afterSwitch(s);
  return s.conf;
}

function rememberRemoved(s: CoreState, next: ConfState): void {
  const present = new Set(membersOf(next));
  for (const member of s.memberIds) if (!present.has(member)) s.removed.add(member);
  for (const member of present) s.removed.delete(member);
  for (const oldest of s.removed) {
    if (s.removed.size <= s.limits.removedMax) break;
    s.removed.delete(oldest);
  }
}

function afterSwitch(s: CoreState): void {
  s.mark('conf-switched', { voters: s.conf.voters, outgoing: s.conf.votersOutgoing, learners: s.conf.learners });
  if (s.role !== 'leader') return;
  const own = s.members.get(s.id);
  if (own === undefined || own.isLearner) {
    // The change is committed, so the others can elect among themselves (Raft thesis §4.2.2).
    if (s.testing.isStepDownOff === true || s.has('removed-leader-stays')) return;
    s.mark('removed-leader-stepped-down', {});
    becomeFollower(s, s.term, null);
    return;
  }
  // A smaller quorum may commit more; otherwise at least say hello to new members.
  if (maybeCommit(s)) broadcastAppend(s);
  else for (const [member, progress] of s.members) if (member !== s.id) sendAppend(s, progress, false);
  recheckRounds(s);
  if (s.transferee !== null && !s.voterIds.includes(s.transferee)) s.transferee = null;
}

/** A follower's log was replaced: so is its configuration. */
export function restoreConf(s: CoreState, conf: ConfState): void {
  rememberRemoved(s, conf);
  s.setConf(conf, new Map(), s.log.lastIndex());
  s.mark('conf-restored', { voters: conf.voters });
}

/**
 * Whoever leads when a joint configuration that leaves itself is applied proposes to leave it; so does any later leader, if the
 * first one failed before (etcd#12136).
 */
export function maybeLeaveJoint(s: CoreState): void {
  if (s.role !== 'leader' || !s.conf.autoLeave || s.transferee !== null || s.log.applied < s.pendingConfIndex) return;
  if (!s.isLeading && s.testing.isConfChangeEarly !== true) return;
  if (s.has('joint-stuck') && !s.didProposeJoint) return;
  s.mark('auto-leave-proposed', { term: s.term });
  proposeChange(s, leaveChange);
}
