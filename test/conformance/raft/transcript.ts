import type { ConfChange, ConfState, Entry, SnapshotMeta } from '../../../src/raft/types.ts';
import { encodeConfChange } from '../../../src/raft/conf-change.ts';
import { parseBlocks, type Arg, type Block } from './datadriven.ts';
import { describeEntry, describeMessage, describeProgress, messageNames, parseChanges, roleNames } from './describe.ts';
import { TranscriptNode, indent, peerEnvelope, type Envelope, type Work } from './transcript-node.ts';

export type Disagreement = { readonly line: number; readonly command: string; readonly expected: string; readonly got: string };

/** Plays a transcript; answers the number of its blocks and those on which we disagree. */
export function playTranscript(text: string): { readonly blocks: number; readonly disagreements: readonly Disagreement[] } {
  const env = new Env();
  const disagreements: Disagreement[] = [];
  const blocks = parseBlocks(text);
  for (const block of blocks) {
    let got: string;
    try {
      got = env.run(block);
    } catch (error) {
      got = error instanceof Error ? `failed: ${error.stack ?? error.message}` : String(error);
    }
    const expected = normalize(block.expected);
    if (expected !== normalize(got)) {
      disagreements.push({ line: block.line, command: block.command, expected, got: normalize(got) });
    }
  }
  return { blocks: blocks.length, disagreements };
}

/**
 * What is compared: everything but log lines, the difference between the two encodings of a change of members, and that we
 * count the own acknowledgements of one write as one.
 */
function normalize(text: string): string {
  const lines = text
    .replaceAll('EntryConfChangeV2', 'EntryConfChange')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && line !== 'ok' && !/^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /.test(line));
  return lines.filter((line, at) => !(isOwnAck(line) && isOwnAck(lines[at + 1] ?? ''))).join('\n');
}

function isOwnAck(line: string): boolean {
  return /^\s*(\d+)->\1 MsgAppResp /.test(line);
}

const noConf: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** Nodes, the messages between them, and the commands of a transcript. */
class Env {
  readonly #nodes: TranscriptNode[] = [];
  #mail: Envelope[] = [];
  #isQuiet = false;
  #lines: string[] = [];

  run(block: Block): string {
    this.#lines = [];
    const wasQuiet = this.#isQuiet;
    const level = block.command === 'stabilize' ? valueOf(block.args, 'log-level') : null;
    if (level !== null) this.#isQuiet = level === 'none';
    const error = this.#dispatch(block);
    const text = this.#isQuiet ? '' : this.#lines.join('\n');
    if (level !== null) this.#isQuiet = wasQuiet;
    return error === null ? text : `${text}\n${error}`;
  }

  #say(text: string): void {
    if (text !== '') this.#lines.push(text);
  }

  #dispatch(block: Block): string | null {
    const { args } = block;
    switch (block.command) {
      case '_breakpoint':
        return null;
      case 'log-level':
        this.#isQuiet = args[0]?.key.toLowerCase() === 'none';
        return null;
      case 'add-nodes':
        return this.#addNodes(args);
      case 'deliver-msgs':
        return this.#deliverCommand(args);
      case 'process-ready':
        return this.#each(args, 'handling Ready', (node) => this.#say(this.#takeReady(node) ?? '<empty Ready>'));
      case 'process-append-thread':
        return this.#each(args, 'processing append thread', (node) => this.#runWork(node.appendWork, 'no append work to perform'));
      case 'process-apply-thread':
        return this.#each(args, 'processing apply thread', (node) => this.#runWork(node.applyWork, 'no apply work to perform'));
      case 'stabilize':
        this.#stabilize(args.some((arg) => arg.values.length === 0) ? this.#nodesOf(args) : this.#nodes);
        return null;
      case 'raft-state':
        for (const node of this.#nodes) this.#say(describeState(node));
        return null;
      default:
        return this.#dispatchOnNode(block);
    }
  }

  #dispatchOnNode(block: Block): string | null {
    const { args } = block;
    const node = this.#nodeOf(args[0]?.values[0] ?? args[0]?.key);
    switch (block.command) {
      case 'campaign':
        node.core.campaign();
        return null;
      case 'compact': {
        node.storage.compact(Number(args[1]?.key));
        this.#say(describeLog(node));
        return null;
      }
      case 'raft-log':
        this.#say(describeLog(node));
        return null;
      case 'status':
        for (const status of node.core.status().members) this.#say(describeProgress(status, node.config.inflightMax));
        return null;
      case 'tick-election':
        for (let tick = 0; tick < 3; tick += 1) node.core.tick();
        return null;
      case 'tick-heartbeat':
        node.core.tick();
        return null;
      case 'set-randomized-election-timeout':
        node.core.setElectionTicks(Number(valueOf(args, 'timeout')));
        return null;
      case 'transfer-leadership':
        node.core.transferLeader(valueOf(args, 'to') ?? '');
        return null;
      case 'forget-leader':
        node.core.forgetLeader();
        return null;
      case 'report-unreachable':
        node.core.reportUnreachable(args[1]?.key ?? '');
        return null;
      case 'send-snapshot':
        return this.#sendSnapshot(node, args[1]?.key ?? '');
      case 'propose':
        return this.#propose(node, { kind: 'normal', data: new TextEncoder().encode(args[1]?.key ?? '') });
      case 'propose-conf-change':
        return this.#proposeConfChange(node, args, block.input);
      default:
        return 'unknown command';
    }
  }

  #nodeOf(id: string | undefined): TranscriptNode {
    const node = this.#nodes[Number(id) - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  #nodesOf(args: readonly Arg[]): TranscriptNode[] {
    return args.filter((arg) => arg.values.length === 0).map((arg) => this.#nodeOf(arg.key));
  }

  #addNodes(args: readonly Arg[]): string | null {
    const list = (key: string): string[] => [...(args.find((arg) => arg.key === key)?.values ?? [])];
    const index = Number(valueOf(args, 'index') ?? 0);
    const conf: ConfState = { ...noConf, voters: list('voters').sort(), learners: list('learners').sort() };
    const isBootstrapped = args.length > 1 && (index > 0 || conf.voters.length > 0 || conf.learners.length > 0 || valueOf(args, 'content') !== null);
    if (isBootstrapped && index <= 1) return 'index must be specified as > 1 due to bootstrap';
    const snapshot: SnapshotMeta | null = isBootstrapped ? { index, term: 1, conf } : null;
    for (let count = Number(args[0]?.key); count > 0; count -= 1) {
      const isAsync = isTrue(args, 'async-storage-writes');
      this.#nodes.push(
        new TranscriptNode({
          id: String(this.#nodes.length + 1),
          snapshot,
          isAsync,
          inflightMax: Number(valueOf(args, 'inflight') ?? Infinity),
          applyingBytesMax: Number(valueOf(args, 'max-committed-size-per-ready') ?? Infinity),
          testing: {
            isPreVoteOff: !isTrue(args, 'prevote'),
            isCheckQuorumOff: !isTrue(args, 'checkquorum'),
            isLeaseRead: valueOf(args, 'read-only') === 'lease-based',
            isStepDownOff: !isTrue(args, 'step-down-on-removal'),
            isConfValidationOff: isTrue(args, 'disable-conf-change-validation'),
            isRemovedHeard: true,
            isSendEager: true,
            isApplyUnstable: !isAsync,
            isConfChangeEarly: true,
          },
        }),
      );
    }
    return null;
  }

  #each(args: readonly Arg[], what: string, run: (node: TranscriptNode) => void): null {
    const nodes = this.#nodesOf(args);
    for (const node of nodes) {
      if (nodes.length === 1) run(node);
      else this.#indented(`> ${node.id} ${what}`, () => run(node));
    }
    return null;
  }

  #indented(head: string, run: () => void): void {
    const outer = this.#lines;
    this.#lines = [];
    run();
    const inner = this.#lines;
    this.#lines = outer;
    this.#say(head);
    if (inner.length > 0) this.#say(indent(inner.join('\n')));
  }

  #takeReady(node: TranscriptNode): string | null {
    return node.takeReady(this.#mail);
  }

  #runWork(queue: Work[], none: string): void {
    const work = queue.shift();
    if (work === undefined) {
      this.#say(none);
      return;
    }
    this.#say(['Processing:', work.processing, 'Responses:', ...work.responses].join('\n'));
    this.#mail.push(...work.run());
  }

  #deliverCommand(args: readonly Arg[]): null {
    const type = valueOf(args, 'type');
    const targets = args.flatMap((arg) => {
      if (arg.values.length === 0) return [{ id: arg.key, isDropped: false }];
      return arg.key === 'drop' ? arg.values.map((id) => ({ id, isDropped: true })) : [];
    });
    let count = 0;
    for (const { id, isDropped } of targets) count += this.#deliver(id, type, isDropped);
    if (count === 0) this.#say('no messages');
    return null;
  }

  #deliver(id: string, type: string | null, isDropped: boolean): number {
    const isMeant = (one: Envelope): boolean => one.to === id && !(isDropped && one.isLocal) && (type === null || nameOf(one.type) === type);
    const taken = this.#mail.filter(isMeant);
    this.#mail = this.#mail.filter((one) => !isMeant(one));
    for (const one of taken) {
      this.#say(`${isDropped ? 'dropped: ' : ''}${one.text}`);
      if (!isDropped) this.#say(one.deliver(this.#nodeOf(id)) ?? '');
    }
    return taken.length;
  }

  #stabilize(nodes: readonly TranscriptNode[]): void {
    for (let isDone = false; !isDone; ) {
      isDone = true;
      const note = (): void => {
        isDone = false;
      };
      for (const node of nodes) {
        if (!node.core.hasReady() && node.forwards.length === 0) continue;
        const told = this.#takeReady(node);
        // NOTE: a Ready that only says that a leader has settled is none in their words.
        if (told === null) continue;
        this.#indented(`> ${node.id} handling Ready`, () => this.#say(told));
        note();
      }
      for (const node of nodes) {
        if (!this.#mail.some((one) => one.to === node.id)) continue;
        this.#indented(`> ${node.id} receiving messages`, () => this.#deliver(node.id, null, false));
        note();
      }
      this.#drain(nodes, 'append', note);
      this.#drain(nodes, 'apply', note);
    }
  }

  #drain(nodes: readonly TranscriptNode[], thread: 'append' | 'apply', note: () => void): void {
    for (const node of nodes) {
      const queue = thread === 'append' ? node.appendWork : node.applyWork;
      if (queue.length === 0) continue;
      this.#indented(`> ${node.id} processing ${thread} thread`, () => {
        while (queue.length > 0) this.#runWork(queue, '');
      });
      note();
    }
  }

  #sendSnapshot(node: TranscriptNode, to: string): null {
    const message = { kind: 'snapshot', from: node.id, to, term: node.core.status().hardState.term, clusterId: 'transcript', meta: node.newestSnapshot } as const;
    this.#mail.push(peerEnvelope(message));
    this.#say(describeMessage(message));
    return null;
  }

  #proposeConfChange(node: TranscriptNode, args: readonly Arg[], input: string): string | null {
    const asked = valueOf(args, 'transition') ?? 'auto';
    const transition: ConfChange['transition'] | null = asked === 'auto' || asked === 'implicit' || asked === 'explicit' ? asked : null;
    if (transition === null) return `unknown transition ${asked}`;
    const changes = parseChanges(input);
    if (isTrue(args, 'v1') && (changes.length > 1 || transition !== 'auto')) return 'v1 conf change can only have one operation and no transition';
    return this.#propose(node, { kind: 'conf', change: { transition, changes } });
  }

  #propose(node: TranscriptNode, proposal: Proposal): string | null {
    const { role, leader } = node.core.status();
    if (role === 'follower' && leader !== null) {
      node.forwards.push(this.#forwarded(node.id, leader, proposal));
      return null;
    }
    const result = proposal.kind === 'normal' ? node.core.propose([proposal.data]) : node.core.proposeConfChange(proposal.change);
    if (result.kind === 'proposed') return null;
    // NOTE: there a change that is refused becomes an empty entry; here nothing is appended.
    const isRefusedChange = result.code === 'RAFT_CONF_PENDING' || result.code === 'RAFT_CONF_INVALID';
    return isRefusedChange && node.core.propose([new Uint8Array(0)]).kind === 'proposed' ? null : 'raft proposal dropped';
  }

  #forwarded(from: string, to: string, proposal: Proposal): Envelope {
    const entry: Entry = { index: 0, term: 0, kind: proposal.kind, data: proposal.kind === 'conf' ? encodeConfChange(proposal.change) : proposal.data };
    return {
      to,
      type: 'MsgProp',
      isLocal: false,
      text: `${from}->${to} MsgProp Term:0 Log:0/0 Entries:[${describeEntry(entry)}]`,
      deliver: (node) => this.#propose(node, proposal),
    };
  }
}

type Proposal = { readonly kind: 'normal'; readonly data: Uint8Array } | { readonly kind: 'conf'; readonly change: ConfChange };

function nameOf(type: string): string {
  return new Map<string, string>(Object.entries(messageNames)).get(type) ?? type;
}

function valueOf(args: readonly Arg[], key: string): string | null {
  return args.find((arg) => arg.key === key)?.values[0] ?? null;
}

function isTrue(args: readonly Arg[], key: string): boolean {
  return valueOf(args, key) === 'true';
}

function describeState(node: TranscriptNode): string {
  const status = node.core.status();
  const isVoter = status.conf.voters.includes(node.id) || status.conf.votersOutgoing.includes(node.id);
  return `${node.id}: ${roleNames[status.role]} ${isVoter ? '(Voter)' : '(Non-Voter)'} Term:${status.hardState.term} Lead:${status.leader ?? 0}`;
}

/** The durable log. */
function describeLog(node: TranscriptNode): string {
  const first = node.storage.firstIndex();
  const last = node.storage.lastIndex();
  if (last < first) return `log is empty: first index=${first}, last index=${last}`;
  return node.storage.entries(first, last + 1, Infinity).map(describeEntry).join('\n');
}
