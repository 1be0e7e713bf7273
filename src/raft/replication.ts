import type { CoreState } from './core-state.ts';
import { entryBytes } from './log-storage.ts';
import type { Progress } from './progress.ts';
import { jointIndex } from './quorum.ts';
import type { AppendResponse, Entry, EntryKind, HeartbeatResponse, Index, MemberId, Proposed } from './types.ts';

/** Appends to the own log, as leader. The own acknowledgement counts when the entries are durable. */
export function appendAsLeader(s: CoreState, payloads: readonly Uint8Array[], kind: EntryKind): Proposed {
  let index = s.log.lastIndex();
  const firstIndex = index + 1;
  const entries: Entry[] = [];
  for (const data of payloads) {
    index += 1;
    const entry: Entry = { index, term: s.term, kind, data };
    entries.push(entry);
    if (kind !== 'empty') s.uncommittedBytes += entryBytes(entry);
  }
  s.log.append(entries);
  s.selfAck = index;
  if (s.has('self-ack-before-persist')) acknowledgeSelf(s, index);
  return { kind: 'proposed', term: s.term, firstIndex, lastIndex: index };
}

/** The own log is durable up to `index`. */
export function acknowledgeSelf(s: CoreState, index: Index): void {
  const own = s.members.get(s.id);
  if (own === undefined || !own.acknowledged(index)) return;
  own.isRecentActive = true;
  if (maybeCommit(s)) announceCommit(s);
}

const scratchIncoming: number[] = [];
const scratchOutgoing: number[] = [];

/** Commits what a majority holds, but only up to an entry of this term: older ones are committed with it (Raft §5.4.2). */
export function maybeCommit(s: CoreState): boolean {
  fillMatches(s, s.countedVoters, scratchIncoming);
  fillMatches(s, s.countedOutgoing, scratchOutgoing);
  const index = jointIndex(scratchIncoming, scratchOutgoing);
  if (index <= s.log.committed || index === Infinity) return false;
  if (s.log.term(index) !== s.term && !s.has('commit-old-term')) return false;
  s.log.commitTo(Math.min(index, s.log.lastIndex()));
  return true;
}

function fillMatches(s: CoreState, voters: readonly MemberId[], matches: number[]): void {
  matches.length = 0;
  for (const voter of voters) matches.push(s.members.get(voter)?.match ?? 0);
}

/** Every other member is to get what it lacks, or at least the commit index: with the next Ready, so that what comes together goes together. */
export function broadcastAppend(s: CoreState): void {
  if (s.testing.isSendEager !== true) {
    s.isBroadcastDue = true;
    return;
  }
  for (const progress of s.members.values()) if (progress.member !== s.id) sendAppend(s, progress, true);
}

/** NOTE: of a change of members everyone hears at once: who leads now may not be heard after it. */
function announceCommit(s: CoreState): void {
  if (s.isCommitHeld && s.log.applied >= s.pendingConfIndex) s.isCommitDue = true;
  else broadcastAppend(s);
}

/** Sends what broadcastAppend asked for. */
export function flushBroadcast(s: CoreState): void {
  s.isBroadcastDue = false;
  s.isCommitDue = false;
  if (s.role !== 'leader') return;
  for (const progress of s.members.values()) {
    if (progress.member === s.id) continue;
    sendAppend(s, progress, progress.canRaiseCommit(s.log.committed));
    while (progress.state === 'replicate' && sendAppend(s, progress, false));
  }
}

/**
 * Sends the next entries, or the description of a snapshot if they are gone. Without entries, only if `isEmptySent`.
 * False: nothing was sent.
 */
export function sendAppend(s: CoreState, progress: Progress, isEmptySent: boolean): boolean {
  if (progress.isPaused && !(s.has('window-unbounded') && progress.state === 'replicate')) return false;
  const prevIndex = progress.next - 1;
  const prevTerm = s.log.term(prevIndex);
  if (prevTerm === null) return sendSnapshot(s, progress);
  let entries: readonly Entry[] = [];
  if (progress.state !== 'replicate' || !progress.window.isFull || s.has('window-unbounded')) {
    const found = s.log.entriesFrom(progress.next, s.limits.messageBytesMax);
    if (found === null) return sendSnapshot(s, progress);
    entries = found;
  }
  if (entries.length === 0 && !isEmptySent) return false;
  const commit = s.log.committed;
  s.send({ kind: 'append', from: s.id, to: progress.member, term: s.term, clusterId: s.clusterId, prevIndex, prevTerm, entries, commit });
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  progress.sent(entries.length, bytes);
  progress.sentCommit = commit;
  return true;
}

function sendSnapshot(s: CoreState, progress: Progress): boolean {
  // A member that does not answer would only make the host read and send a snapshot in vain.
  if (!progress.isRecentActive) return false;
  const meta = s.log.snapshotToSend();
  if (meta === null) return false;
  s.mark('snapshot-sent', { to: progress.member, index: meta.index });
  progress.becomeSnapshot(meta.index);
  s.send({ kind: 'snapshot', from: s.id, to: progress.member, term: s.term, clusterId: s.clusterId, meta });
  return true;
}

/** The commit index in a heartbeat never passes what the member is known to hold. */
export function broadcastHeartbeat(s: CoreState, round: number): void {
  for (const [member, progress] of s.members) {
    if (member === s.id) continue;
    const commit = s.has('heartbeat-commit-unclamped') ? s.log.committed : Math.min(progress.match, s.log.committed);
    s.send({ kind: 'heartbeat', from: s.id, to: member, term: s.term, clusterId: s.clusterId, commit, round });
    progress.sentCommit = commit;
  }
}

export function handleAppendResponse(s: CoreState, progress: Progress, message: AppendResponse): void {
  progress.isRecentActive = true;
  if (message.isReject) {
    handleReject(s, progress, message);
    return;
  }
  const isNews = progress.acknowledged(message.index);
  if (!isNews && !(progress.match === message.index && progress.state === 'probe')) return;
  if (progress.state === 'probe') {
    progress.becomeReplicate();
  } else if (progress.state === 'snapshot' && progress.match + 1 >= s.log.firstIndex()) {
    // NOTE: the pending snapshot's index does not matter: whatever brought it here, its log now connects with ours.
    s.mark('snapshot-overtaken', { member: progress.member });
    progress.becomeProbe();
    progress.becomeReplicate();
  } else if (progress.state === 'replicate') {
    progress.window.free(message.index);
  }
  if (maybeCommit(s)) announceCommit(s);
  else if (progress.canRaiseCommit(s.log.committed)) {
    if (s.isCommitHeld) s.isCommitDue = true;
    else sendAppend(s, progress, true);
  }
  // The window may have opened by several messages.
  while (sendAppend(s, progress, false));
  if (s.transferee === progress.member && progress.match === s.log.lastIndex()) sendTimeoutNow(s, progress.member);
}

function handleReject(s: CoreState, progress: Progress, message: AppendResponse): void {
  // The follower's log can only match where our term is not above its own: skip whole terms at once.
  const hint = message.hintTerm > 0 ? s.log.findConflictByTerm(message.hintIndex, message.hintTerm).index : message.hintIndex;
  if (!progress.rejected(message.index, hint)) return;
  s.mark('append-rejected', { member: progress.member, next: progress.next });
  if (progress.state === 'replicate') progress.becomeProbe();
  sendAppend(s, progress, true);
}

export function handleHeartbeatResponse(s: CoreState, progress: Progress, _message: HeartbeatResponse): void {
  progress.isRecentActive = true;
  progress.isPausedByFlow = false;
  // NOTE: an empty append in a full window finds out about appends that were lost.
  if (progress.match < s.log.lastIndex() || progress.state === 'probe') sendAppend(s, progress, true);
}

export function sendTimeoutNow(s: CoreState, to: MemberId): void {
  s.mark('timeout-now-sent', { to });
  s.send({ kind: 'timeout-now', from: s.id, to, term: s.term, clusterId: s.clusterId });
}
