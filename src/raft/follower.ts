import type { CoreState } from './core-state.ts';
import { applyConfEntry, restoreConf } from './membership.ts';
import type { Append, Entry, Heartbeat, Index, Snapshot } from './types.ts';

export function handleAppend(s: CoreState, message: Append): void {
  if (message.prevIndex < s.log.committed && !s.has('append-truncates-always')) {
    // An old message: everything committed equals the leader's log.
    acknowledge(s, message.from, s.log.committed);
    return;
  }
  const last = acceptEntries(s, message);
  if (last === null) rejectAppend(s, message);
  else acknowledge(s, message.from, last);
}

/** Takes the entries over if the one before them is the same here. Answers up to where the logs are equal now; null if they do not meet. */
export function acceptEntries(s: CoreState, message: Pick<Append, 'prevIndex' | 'prevTerm' | 'entries' | 'commit'>): Index | null {
  if (!s.log.matches(message.prevIndex, message.prevTerm) && !(s.has('append-ignores-previous') && message.prevIndex <= s.log.lastIndex())) return null;
  const last = message.prevIndex + message.entries.length;
  appendNew(s, message.entries);
  // NOTE: beyond `last` the own log may still differ from the leader's.
  s.log.commitTo(s.has('commit-past-match') ? Math.min(message.commit, s.log.lastIndex()) : Math.min(message.commit, last));
  return last;
}

/** Only from the first entry that differs: the message may be older than what is here already. */
function appendNew(s: CoreState, entries: readonly Entry[]): void {
  const head = entries[0];
  if (head === undefined) return;
  const conflict = s.has('append-truncates-always') ? Math.max(head.index, s.log.committed + 1) : s.log.findConflict(entries);
  if (conflict === 0 || conflict - head.index >= entries.length) return;
  if (conflict <= s.log.lastIndex()) s.mark('log-cut', { at: conflict, last: s.log.lastIndex() });
  const added = conflict === head.index ? entries : entries.slice(conflict - head.index);
  s.log.append(added);
  if (s.has('conf-change-at-append')) for (const entry of added) if (entry.kind === 'conf') applyConfEntry(s, entry);
}

function rejectAppend(s: CoreState, message: Append): void {
  const hint = s.log.findConflictByTerm(Math.min(message.prevIndex, s.log.lastIndex()), message.prevTerm);
  s.mark('append-refused', { prevIndex: message.prevIndex, hint: hint.index });
  s.sendAfterPersist({
    kind: 'append-response', from: s.id, to: message.from, term: s.term, clusterId: s.clusterId,
    index: message.prevIndex, isReject: true, hintIndex: hint.index, hintTerm: hint.term,
  });
}

/** "My log equals yours up to `index`": leaves when that is durable. */
export function acknowledge(s: CoreState, to: string, index: Index): void {
  const response = { kind: 'append-response', from: s.id, to, term: s.term, clusterId: s.clusterId, index, isReject: false, hintIndex: 0, hintTerm: 0 } as const;
  if (s.has('ack-before-persist')) {
    s.send(response);
    return;
  }
  // An acknowledgement says everything that an earlier one of the same write says.
  const last = s.messagesAfterPersist.at(-1);
  const isCovered = last?.kind === 'append-response' && !last.isReject && last.to === to && last.term === s.term && last.index <= index;
  if (isCovered && s.testing.isSendEager !== true) s.messagesAfterPersist.pop();
  s.sendAfterPersist(response);
}

export function handleHeartbeat(s: CoreState, message: Heartbeat): void {
  s.log.commitTo(s.has('heartbeat-commit-unclamped') ? Math.min(message.commit, s.log.lastIndex()) : message.commit);
  s.send({ kind: 'heartbeat-response', from: s.id, to: message.from, term: s.term, clusterId: s.clusterId, round: message.round });
}

/** The host holds the snapshot's bytes already. Taken over only if it brings something that is not here. */
export function handleSnapshot(s: CoreState, message: Snapshot): void {
  const isTaken = restore(s, message);
  s.mark(isTaken ? 'snapshot-restored' : 'snapshot-ignored', { index: message.meta.index });
  acknowledge(s, message.from, isTaken ? s.log.lastIndex() : s.log.committed);
}

function restore(s: CoreState, message: Snapshot): boolean {
  const meta = message.meta;
  if (meta.index <= s.log.committed && !s.has('old-snapshot-installed')) return false;
  // NOTE: the snapshot may be older than this member's joining; the change that added it follows in the log.
  if (s.log.matches(meta.index, meta.term) && !s.has('old-snapshot-installed')) {
    // The log goes on beyond the snapshot: only its being committed is news.
    s.log.commitTo(meta.index);
    return false;
  }
  s.log.restore(meta);
  restoreConf(s, meta.conf);
  return true;
}
