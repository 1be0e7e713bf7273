import { parseBlocks, type Arg, type Block } from '../conformance/raft/datadriven.ts';
import type { ConfState, MemberChange, Message, Proposed, RaftLimits, Refusal } from '../../src/raft/types.ts';
import { Broken, World, type Member } from './world.ts';

/**
 * Plays a transcript of this room and answers it with its outputs renewed. A block's output tells what changed:
 *
 *     a: leader of term 1, log 1/1, commit 1, applied 1        (log: term/index of the last entry)
 *
 * | command | what it does |
 * |---|---|
 * | `members a b c others=(d) election=10` | voters, and members that join later |
 * | `campaign a`, `timeout a 5`, `tick a 3`, `tick-late a`, `decide a`, `run 20` | time; `run` ticks everybody and lets all work be done |
 * | `propose a text`, `read a`, `transfer a b`, `change a transition=explicit` + `add-voter d` lines | requests |
 * | `persist a`, `apply a`, `deliver from=a to=b kind=append`, `drop …`, `settle` | work, one step or all of it |
 * | `cut a b` (one way), `isolate a`, `heal`, `crash a`, `restart a`, `compact a keep=2` | faults |
 * | `state`, `log a b`, `mail` | looks |
 */
export function playTranscript(text: string): string {
  const player = new Player();
  const outputs = new Map(parseBlocks(text).map((block) => [block.line, player.run(block)]));
  return renew(text, outputs);
}

/** The same text with every block's output replaced. */
function renew(text: string, outputs: ReadonlyMap<number, string>): string {
  const lines = text.split('\n');
  const out: string[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    out.push(lines[at] ?? '');
    const output = outputs.get(at + 1);
    if (output === undefined) continue;
    while (lines[at] !== '----') out.push(lines[++at] ?? '');
    while (at + 1 < lines.length && lines[at + 1] !== '') at += 1;
    out.push(output);
  }
  return out.join('\n');
}

class Player {
  #world = new World({ seed: 1, voters: [] });
  #told = new Map<string, string>();

  run(block: Block): string {
    let said: string[];
    try {
      said = this.#act(block);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      said = [`broken promise: ${error.message}`];
    }
    const news = [...said, ...this.#news()];
    return news.length === 0 ? 'ok' : news.join('\n');
  }

  /** Members whose state is not what was told last. */
  #news(): string[] {
    return [...this.#world.members.values()].flatMap((member) => {
      const now = summary(member);
      const old = this.#told.get(member.id);
      this.#told.set(member.id, now);
      const reads = member.answered.splice(0).map((read) => `${member.id}: read ${read.context} may be answered at ${read.index}`);
      const failed = member.failed.splice(0).map((context) => `${member.id}: read ${context} gets no answer`);
      return [...(now === old ? [] : [now]), ...reads, ...failed];
    });
  }

  #act({ command, args, input }: Block): string[] {
    const world = this.#world;
    const word = (at: number): string => args.filter((arg) => arg.values.length === 0)[at]?.key ?? '';
    const words = args.filter((arg) => arg.values.length === 0).map((arg) => arg.key);
    switch (command) {
      case 'members':
        this.#world = new World({ seed: 1, voters: words, others: args.find((arg) => arg.key === 'others')?.values ?? [], limits: limitsOf(args) });
        return [];
      case 'campaign':
        return this.#on(word(0), (member) => refusal(member.core.campaign()));
      case 'tick':
        return this.#on(word(0), (member) => {
          for (let count = Number(word(1) || 1); count > 0; count -= 1) member.core.tick();
          return [];
        });
      case 'timeout':
        return this.#on(word(0), (member) => (member.core.setElectionTicks(Number(word(1))), []));
      case 'tick-late':
        return this.#on(word(0), (member) => (member.core.tickLate(), []));
      case 'decide':
        return this.#on(word(0), (member) => (member.core.decide(), []));
      case 'run':
        world.run(Number(word(0)));
        return [];
      case 'settle':
        world.settle();
        return [];
      case 'propose':
        return refusal(world.propose(word(0), words.slice(1).join(' ')));
      case 'read':
        return world.read(word(0)) === null ? ['refused'] : [];
      case 'change':
        return refusal(world.change(word(0), { transition: transitionOf(args), changes: input.split('\n').filter((line) => line !== '').map(changeOf) }));
      default:
        return this.#workOrFault(command, args, words);
    }
  }

  #workOrFault(command: string, args: readonly Arg[], words: readonly string[]): string[] {
    const world = this.#world;
    const first = words[0] ?? '';
    switch (command) {
      case 'transfer':
        return this.#on(first, (member) => refusal(member.core.transferLeader(words[1] ?? '')));
      case 'persist':
        while (world.get(first).persistOne());
        return [];
      case 'apply':
        while (world.get(first).applyOne());
        return [];
      case 'deliver':
      case 'drop':
        return this.#mail(command, args);
      case 'cut':
        world.cut.add(`${first}>${words[1] ?? ''}`);
        return [];
      case 'isolate':
        world.isolate(first);
        return [];
      case 'heal':
        world.heal();
        return [];
      case 'crash':
        world.get(first).crash(Number(valueOf(args, 'kept') ?? 0));
        return [];
      case 'restart':
        world.get(first).restart();
        return [];
      case 'compact':
        world.get(first).compact(Number(valueOf(args, 'keep') ?? 0));
        return [];
      default:
        return this.#look(command, words);
    }
  }

  #look(command: string, words: readonly string[]): string[] {
    switch (command) {
      case 'state':
        return [...this.#world.members.values()].map(summary);
      case 'log':
        return words.map((id) => describeLog(this.#world.get(id)));
      case 'mail':
        return this.#world.mail.map(describeMessage);
      default:
        throw new Error(`unknown command ${command}`);
    }
  }

  #on(id: string, run: (member: Member) => string[]): string[] {
    const member = this.#world.get(id);
    const said = run(member);
    member.pump();
    return said;
  }

  #mail(command: string, args: readonly Arg[]): string[] {
    const isMeant = (message: Message): boolean =>
      args.every((arg) => (arg.key === 'from' && arg.values.includes(message.from)) || (arg.key === 'to' && arg.values.includes(message.to)) || (arg.key === 'kind' && arg.values.includes(message.kind)));
    const meant = this.#world.mail.filter(isMeant);
    this.#world.mail = this.#world.mail.filter((message) => !isMeant(message));
    for (const message of command === 'deliver' ? meant : []) this.#world.deliver(message);
    return meant.map((message) => (command === 'drop' ? `lost: ${describeMessage(message)}` : describeMessage(message)));
  }
}

function limitsOf(args: readonly Arg[]): Partial<RaftLimits> {
  const window = valueOf(args, 'window');
  return { electionTicks: Number(valueOf(args, 'election') ?? 10), ...(window === null ? {} : { inflightMessagesMax: Number(window) }) };
}

function valueOf(args: readonly Arg[], key: string): string | null {
  return args.find((arg) => arg.key === key)?.values[0] ?? null;
}

function transitionOf(args: readonly Arg[]): 'auto' | 'implicit' | 'explicit' {
  const value = valueOf(args, 'transition');
  return value === 'implicit' || value === 'explicit' ? value : 'auto';
}

function changeOf(line: string): MemberChange {
  const [kind, member] = line.split(' ');
  if (kind !== 'add-voter' && kind !== 'add-learner' && kind !== 'remove' && kind !== 'update') throw new Error(`unknown change ${line}`);
  return { kind, member: member ?? '' };
}

function refusal(result: Proposed | Refusal | { readonly kind: 'accepted' }): string[] {
  return result.kind === 'refused' ? [`refused: ${result.code}, ${result.message}`] : [];
}

function summary(member: Member): string {
  if (!member.isUp) return `${member.id}: down`;
  const { role, leader, isLeading, hardState, lastIndex, conf } = member.core.status();
  const who = role === 'leader' ? `${isLeading ? 'leader' : 'leader to be'} of term ${hardState.term}` : `${role} in term ${hardState.term}${leader === null ? '' : `, follows ${leader}`}`;
  const vote = hardState.vote === null || role === 'leader' ? '' : `, vote ${hardState.vote}`;
  return `${member.id}: ${who}${vote}, log ${member.core.termAt(lastIndex) ?? 0}/${lastIndex}, commit ${hardState.commit}, applied ${member.applied}, ${describeConf(conf)}`;
}

function describeConf(conf: ConfState): string {
  const joint = conf.votersOutgoing.length > 0 ? ` and ${conf.votersOutgoing.join(' ')}` : '';
  const learners = conf.learners.length > 0 ? `, learners ${conf.learners.join(' ')}` : '';
  return conf.voters.length === 0 ? 'no voters known' : `voters ${conf.voters.join(' ')}${joint}${learners}`;
}

function describeLog(member: Member): string {
  const { firstIndex, lastIndex } = member.core.status();
  const entries = Array.from({ length: lastIndex - firstIndex + 1 }, (_, at) => `${member.core.termAt(firstIndex + at) ?? '?'}/${firstIndex + at}`);
  return `${member.id}: ${firstIndex > 1 ? `… ${firstIndex - 1} | ` : ''}${entries.join(' ')}`;
}

function describeMessage(message: Message): string {
  const head = `${message.from} to ${message.to}: ${message.kind}`;
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      return `${head} for term ${message.term}, log ${message.lastTerm}/${message.lastIndex}`;
    case 'vote-response':
    case 'pre-vote-response':
      return `${head} ${message.isReject ? 'no' : 'yes'}, term ${message.term}`;
    case 'append':
      return `${head} after ${message.prevTerm}/${message.prevIndex}: ${message.entries.map((entry) => `${entry.term}/${entry.index}`).join(' ') || 'nothing'}, commit ${message.commit}`;
    case 'append-response':
      return message.isReject ? `${head} no, not after ${message.index}; try ${message.hintTerm}/${message.hintIndex}` : `${head} up to ${message.index}, term ${message.term}`;
    case 'heartbeat':
      return `${head}, commit ${message.commit}${message.round === 0 ? '' : `, read round ${message.round}`}`;
    case 'snapshot':
      return `${head} of ${message.meta.term}/${message.meta.index}`;
    default:
      return head;
  }
}
