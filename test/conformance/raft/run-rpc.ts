import { isAppError } from '../../../src/base/app-error.ts';
import { acceptEntries, handleAppend, handleHeartbeat } from '../../../src/raft/follower.ts';
import type { CoreState } from '../../../src/raft/core-state.ts';
import type { Append, Entry, Heartbeat, MemberId, Message, Role } from '../../../src/raft/types.ts';
import { Bench, bareState, entries, fields, ids, int, intOr, pairs, sameJson, type Fields, type Start } from './cases.ts';

/** One node in a given state handles one RPC. Null: agreed; else what differed. */
export function runRpc(one: Fields): string | null {
  if (one['op'] !== undefined && one['node'] === undefined) return runLogOp(one);
  const node = fields(one['node'], 'node');
  const rpc = fields(one['rpc'], 'rpc');
  const expect = fields(one['expect'], 'expect');
  if (String(one['note'] ?? '').includes('directly')) return runDirectly(node, rpc, expect);
  const bench = benchOf(node);
  const before = bench.core.status();
  const message = messageOf(rpc, before.id);
  let out: Message[] = [];
  let isFatal = false;
  try {
    bench.core.step(message);
    out = bench.settle();
  } catch (error) {
    if (!isAppError(error, 'RAFT_LOG_DIVERGED')) throw error;
    isFatal = true;
  }
  const reply = out.find((sent) => sent.to === message.from && (sent.kind.endsWith('-response') || sent.kind === message.kind)) ?? null;
  return compare(expect, { bench, reply, isFatal, before: { term: before.hardState.term, lastIndex: before.lastIndex } });
}

const roles: ReadonlyMap<unknown, Role> = new Map<unknown, Role>([
  ['follower', 'follower'], ['precandidate', 'pre-candidate'], ['pre-candidate', 'pre-candidate'], ['candidate', 'candidate'], ['leader', 'leader'],
]);

function startOf(node: Fields): Start & { readonly role: Role } {
  const id = String(node['id'] ?? 1);
  const role = roles.get(node['state'] ?? 'follower');
  if (role === undefined) throw new Error(`unknown state ${JSON.stringify(node['state'])}`);
  const isRaised = role === 'candidate' || role === 'leader';
  const term = intOr(node['term'], isRaised ? 1 : 0);
  const vote = node['vote'] === undefined || node['vote'] === null ? null : String(node['vote']);
  return {
    id, role,
    peers: node['peers'] === undefined ? [id] : ids(node['peers'], 'peers'),
    // NOTE: candidates and leaders get into their term by campaigning for it.
    term: isRaised ? Math.max(term - 1, 0) : term,
    vote: isRaised ? null : vote,
    log: entries(node['log']),
    commit: intOr(node['commit'], 0),
    isPreVoteOn: role === 'pre-candidate',
  };
}

export function benchOf(node: Fields): Bench {
  const start = startOf(node);
  const bench = new Bench(start);
  if (start.role === 'follower') return bench;
  bench.core.campaign();
  if (start.role !== 'leader' && start.peers.length === 1) return bench;
  bench.settle();
  if (start.role === 'leader') {
    for (const peer of start.peers.filter((one) => one !== start.id)) {
      bench.core.step({ kind: 'vote-response', commit: 0, commitTerm: 0, from: peer, to: start.id, term: start.term + 1, clusterId: 'cases', isReject: false });
    }
  }
  const role = bench.core.status().role;
  if (role !== start.role) throw new Error(`could not set up a ${start.role}: it is a ${role}`);
  return bench;
}

function messageOf(rpc: Fields, to: MemberId): Message {
  const head = { from: String(rpc['from'] ?? 2), to, term: int(rpc['term'], 'term'), clusterId: 'cases' };
  const lastLog = { commit: 0, commitTerm: 0, lastIndex: intOr(rpc['lastLogIndex'], 0), lastTerm: intOr(rpc['lastLogTerm'], 0), isTransfer: rpc['transfer'] === true };
  const commit = intOr(rpc['leaderCommit'] ?? rpc['commit'], 0);
  switch (String(rpc['type'])) {
    case 'RequestVote':
      return { kind: 'vote', ...head, ...lastLog };
    case 'PreVote':
    case 'RequestPreVote':
      return { kind: 'pre-vote', ...head, ...lastLog };
    case 'AppendEntries':
      return { kind: 'append', ...head, prevIndex: intOr(rpc['prevLogIndex'], 0), prevTerm: intOr(rpc['prevLogTerm'], 0), entries: entries(rpc['entries']), commit };
    case 'Heartbeat':
      return { kind: 'heartbeat', ...head, commit, round: 0 };
    case 'HeartbeatResponse':
      return { kind: 'heartbeat-response', ...head, round: 0 };
    case 'AppendEntriesResponse':
      return {
        kind: 'append-response', ...head, index: intOr(rpc['index'] ?? rpc['matchIndex'], 0), isReject: rpc['success'] === false,
        hintIndex: intOr(rpc['hintIndex'], 0), hintTerm: intOr(rpc['hintTerm'], 0),
      };
    case 'RequestVoteResponse':
      return { kind: 'vote-response', commit: 0, commitTerm: 0, ...head, isReject: rpc['granted'] === false };
    case 'TimeoutNow':
      return { kind: 'timeout-now', ...head };
    case 'InstallSnapshot':
      return {
        kind: 'snapshot', ...head,
        meta: {
          index: int(rpc['lastIncludedIndex'] ?? rpc['index'], 'index'), term: int(rpc['lastIncludedTerm'] ?? rpc['logTerm'], 'term'),
          conf: { voters: ids(rpc['voters'] ?? [1, 2, 3], 'voters').sort(), votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
        },
      };
    default:
      throw new Error(`unknown rpc ${JSON.stringify(rpc['type'])}`);
  }
}

type Outcome = { readonly bench: Bench; readonly reply: Message | null; readonly isFatal: boolean; readonly before: { readonly term: number; readonly lastIndex: number } };

/** Every expectation is checked; one that is not known is a disagreement, not a pass. */
function compare(expect: Fields, outcome: Outcome): string | null {
  const problems: string[] = [];
  if (expect['fatal'] === undefined && outcome.isFatal) return 'the node stopped';
  for (const [key, wanted] of Object.entries(expect)) {
    const got = observe(key, outcome);
    if (got === undefined) problems.push(`unknown expectation ${key}`);
    else if (key !== 'fatal' && !sameJson(got, key === 'log' || key === 'applied' ? JSON.parse(pairs(entries(wanted))) : wanted)) {
      problems.push(`${key}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
    } else if (key === 'fatal' && !outcome.isFatal) problems.push('the node should have stopped');
  }
  return problems.length === 0 ? null : problems.join('; ');
}

function observe(key: string, { bench, reply, isFatal, before }: Outcome): unknown {
  const status = bench.core.status();
  const isGranted = reply !== null && (reply.kind === 'vote-response' || reply.kind === 'pre-vote-response') && !reply.isReject;
  const ack = reply !== null && reply.kind === 'append-response' ? reply : null;
  const numberOf = (id: MemberId | null): number | null => (id === null ? null : Number(id));
  switch (key) {
    case 'granted': return isGranted;
    case 'term': return status.hardState.term;
    case 'state': return status.role === 'pre-candidate' ? 'precandidate' : status.role;
    case 'vote': return numberOf(status.hardState.vote);
    case 'leader': return numberOf(status.leader);
    case 'success': return (ack !== null && !ack.isReject) || reply?.kind === 'heartbeat-response';
    case 'accepted': return ack !== null && !ack.isReject;
    case 'lastIndex': return status.lastIndex;
    case 'commit': return status.hardState.commit;
    case 'ackIndex': return ack?.index ?? null;
    case 'hintIndex': return ack?.hintIndex ?? null;
    case 'hintTerm': return ack?.hintTerm ?? null;
    case 'log': return JSON.parse(pairs(bench.log()));
    case 'applied': return JSON.parse(pairs(bench.applied));
    case 'responses': return reply === null ? 0 : 1;
    case 'ignored': case 'rejected': case 'dropped': return reply === null && status.hardState.term === before.term && status.lastIndex === before.lastIndex;
    case 'handled': case 'stepped': case 'called': return !(reply === null && status.hardState.term === before.term && status.lastIndex === before.lastIndex);
    case 'fatal': return isFatal;
    default: return undefined;
  }
}

/** The case leaves out everything before the handler itself (such as the check of the term): so do we. */
function runDirectly(node: Fields, rpc: Fields, expect: Fields): string | null {
  const start = startOf(node);
  const state = bareState(start);
  const message = messageOf(rpc, start.id);
  const isHeartbeat = message.kind === 'heartbeat';
  if (message.kind === 'append') handleAppend(state, message);
  else if (isHeartbeat) handleHeartbeat(state, message);
  else return `no handler to call for ${message.kind}`;
  return compareState(expect, state, [...state.messages, ...state.messagesAfterPersist].at(-1) ?? null, message);
}

function compareState(expect: Fields, state: CoreState, reply: Message | null, _message: Append | Heartbeat): string | null {
  const got: Record<string, unknown> = {
    success: reply?.kind === 'heartbeat-response' || (reply?.kind === 'append-response' && !reply.isReject),
    lastIndex: state.log.lastIndex(),
    commit: state.log.committed,
    ackIndex: reply?.kind === 'append-response' ? reply.index : null,
    term: state.term,
  };
  const problems = Object.entries(expect).filter(([key, wanted]) => !sameJson(got[key], wanted));
  return problems.length === 0 ? null : problems.map(([key, wanted]) => `${key}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got[key])}`).join('; ');
}

/** The log alone takes entries: no node, no term of a message. */
export function runLogOp(one: Fields): string | null {
  const op = fields(one['op'], 'op');
  const expect = fields(one['expect'], 'expect');
  const log: Entry[] = entries(one['log']);
  const state = bareState({ id: '1', peers: ['1'], term: 100, vote: null, log, commit: intOr(one['commit'], 0), isPreVoteOn: false });
  let accepted: number | null;
  try {
    accepted = acceptEntries(state, {
      prevIndex: int(op['prevLogIndex'], 'prevLogIndex'), prevTerm: int(op['prevLogTerm'], 'prevLogTerm'), entries: entries(op['entries']), commit: int(op['leaderCommit'], 'leaderCommit'),
    });
  } catch (error) {
    if (!isAppError(error, 'RAFT_LOG_DIVERGED')) throw error;
    return expect['fatal'] === undefined ? 'refused as divergent' : null;
  }
  const got: Record<string, unknown> = {
    accepted: accepted !== null, lastNewIndex: accepted ?? 0, commit: state.log.committed, lastIndex: state.log.lastIndex(),
  };
  const problems = Object.entries(expect).filter(([key, wanted]) => !sameJson(got[key], wanted));
  return problems.length === 0 ? null : problems.map(([key, wanted]) => `${key}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got[key])}`).join('; ');
}
