import { decodeConfChange } from '../../../src/raft/conf-change.ts';
import type { ConfState, Entry, HardState, MemberChange, MemberId, MemberStatus, Message, Role, SnapshotMeta } from '../../../src/raft/types.ts';

/** The words in which the outside transcripts tell what a core did. Only the meaning is ours to match; the notation is theirs. */

export const roleNames: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  'pre-candidate': 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};

const changeLetters: Readonly<Record<MemberChange['kind'], string>> = { 'add-voter': 'v', 'add-learner': 'l', remove: 'r', update: 'u' };

export function parseChanges(text: string): MemberChange[] {
  return text.trim().split(/\s+/).filter((word) => word !== '').map((word) => {
    const kind = word.startsWith('v') ? 'add-voter' : word.startsWith('l') ? 'add-learner' : word.startsWith('r') ? 'remove' : word.startsWith('u') ? 'update' : null;
    if (kind === null || !/^\d+$/.test(word.slice(1))) throw new Error(`unknown change ${word}`);
    // NOTE: id 0 stands for a change that was blanked.
    return { kind, member: word.slice(1) === '0' ? '' : word.slice(1) };
  });
}

export function byNumber(ids: readonly MemberId[]): MemberId[] {
  return [...ids].sort((a, b) => Number(a) - Number(b));
}

export function describeEntry(entry: Entry): string {
  const head = `${entry.term}/${entry.index}`;
  if (entry.kind !== 'conf') return `${head} EntryNormal ${JSON.stringify(new TextDecoder().decode(entry.data))}`;
  const changes = decodeConfChange(entry.data).changes.map((change) => `${changeLetters[change.kind]}${change.member === '' ? '0' : change.member}`);
  return [`${head} EntryConfChange`, ...changes].join(' ');
}

export function describeHardState(state: HardState): string {
  return `Term:${state.term}${state.vote === null ? '' : ` Vote:${state.vote}`} Commit:${state.commit}`;
}

export function describeConf(conf: ConfState): string {
  const list = (ids: readonly MemberId[]): string => `[${byNumber(ids).join(' ')}]`;
  return `Voters:${list(conf.voters)} VotersOutgoing:${list(conf.votersOutgoing)} Learners:${list(conf.learners)} LearnersNext:${list(conf.learnersNext)} AutoLeave:${conf.autoLeave}`;
}

export function describeSnapshot(meta: SnapshotMeta): string {
  return `Index:${meta.index} Term:${meta.term} ConfState:${describeConf(meta.conf)}`;
}

export function describeEntries(entries: readonly Entry[]): string {
  if (entries.length === 0) return '';
  if (entries.length === 1) return ` Entries:[${entries.map(describeEntry).join('')}]`;
  return ` Entries:[\n${entries.map((entry) => `  ${describeEntry(entry)}`).join('\n')}\n]`;
}

export const messageNames: Readonly<Record<Message['kind'], string>> = {
  'pre-vote': 'MsgPreVote',
  'pre-vote-response': 'MsgPreVoteResp',
  vote: 'MsgVote',
  'vote-response': 'MsgVoteResp',
  append: 'MsgApp',
  'append-response': 'MsgAppResp',
  heartbeat: 'MsgHeartbeat',
  'heartbeat-response': 'MsgHeartbeatResp',
  snapshot: 'MsgSnap',
  'timeout-now': 'MsgTimeoutNow',
  'transfer-leader': 'MsgTransferLeader',
  'read-index': 'MsgReadIndex',
  'read-index-response': 'MsgReadIndexResp',
};

export function describeMessage(message: Message): string {
  const from = message.kind === 'transfer-leader' ? message.transferee : message.from;
  const head = `${from}->${message.to} ${messageNames[message.kind]} Term:${message.kind === 'transfer-leader' ? 0 : message.term}`;
  const commit = (index: number): string => (index === 0 ? '' : ` Commit:${index}`);
  switch (message.kind) {
    case 'pre-vote':
    case 'vote':
      return `${head} Log:${message.lastTerm}/${message.lastIndex}`;
    case 'pre-vote-response':
    case 'vote-response':
      return `${head} Log:0/0${message.isReject ? ' Rejected (Hint: 0)' : ''}`;
    case 'append':
      return `${head} Log:${message.prevTerm}/${message.prevIndex}${commit(message.commit)}${describeEntries(message.entries)}`;
    case 'append-response':
      return message.isReject ? `${head} Log:${message.hintTerm}/${message.index} Rejected (Hint: ${message.hintIndex})` : `${head} Log:0/${message.index}`;
    case 'heartbeat':
      return `${head} Log:0/0${commit(message.commit)}`;
    case 'snapshot':
      return `${head} Log:0/0\n  Snapshot: ${describeSnapshot(message.meta)}`;
    case 'read-index-response':
      return `${head} Log:0/${message.index ?? 0}`;
    default:
      return `${head} Log:0/0`;
  }
}

export function describeProgress(status: MemberStatus, inflightMax: number): string {
  const state = status.state === 'probe' ? 'StateProbe' : status.state === 'replicate' ? 'StateReplicate' : 'StateSnapshot';
  const parts = [`${status.member}: ${state} match=${status.match} next=${status.next}`];
  if (status.isLearner) parts.push('learner');
  if (status.isPaused) parts.push('paused');
  if (status.pendingSnapshot !== null) parts.push(`pendingSnap=${status.pendingSnapshot}`);
  if (!status.isRecentActive) parts.push('inactive');
  if (status.inflightMessages > 0) parts.push(`inflight=${status.inflightMessages}${status.inflightMessages >= inflightMax ? '[full]' : ''}`);
  return parts.join(' ');
}
