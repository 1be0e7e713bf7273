import { seededRandom, randomBelow, type Random } from '../../src/base/random.ts';
import { MemoryLogStorage, emptyConf } from '../../src/raft/log-storage.ts';
import type { RaftMutation } from '../../src/raft/mutations.ts';
import { RaftCore } from '../../src/raft/raft-core.ts';
import type {
  ConfChange, ConfState, Entry, HardState, Index, MemberId, Message, PersistJob, Proposed, RaftLimits, Refusal, SnapshotMeta, TestOptions,
} from '../../src/raft/types.ts';

/** What breaks a promise of Raft: the message says which promise, and by whom. */
export class Broken extends Error {}

export type WorldOptions = {
  readonly seed: number;
  readonly voters: readonly MemberId[];
  /** More members that exist but are in no configuration yet. */
  readonly others?: readonly MemberId[];
  readonly limits?: Partial<RaftLimits>;
  readonly mutations?: ReadonlySet<RaftMutation>;
  readonly testing?: TestOptions;
};

/** What a whole cluster has promised to the outside. No member may ever contradict it. */
export class Ledger {
  readonly leaderOf = new Map<number, MemberId>();
  /** By index: the entry that somebody applied there. */
  readonly committed = new Map<Index, Entry>();
  readonly confAt = new Map<Index, ConfState>();
  lastCommitted: Index = 0;

  elected(member: Member): void {
    const { term } = member.core.status().hardState;
    const other = this.leaderOf.get(term);
    if (other !== undefined && other !== member.id) throw new Broken(`two leaders in term ${term}: ${other} and ${member.id}`);
    if (other === member.id) return;
    this.leaderOf.set(term, member.id);
    for (const [index, entry] of this.committed) {
      // NOTE: a candidate may win an old term late; it owes only what was committed in terms before its own.
      if ((this.#knownInTerm.get(index) ?? 0) >= term) continue;
      const { firstIndex } = member.core.status();
      if (index >= firstIndex && member.core.termAt(index) !== entry.term) throw new Broken(`leader ${member.id} of term ${term} lacks the committed entry ${index}`);
    }
  }

  /** In which term an entry was first known to be committed. */
  readonly #knownInTerm = new Map<Index, number>();

  applied(member: Member, entry: Entry): void {
    const known = this.committed.get(entry.index);
    if (known === undefined) {
      this.committed.set(entry.index, entry);
      this.#knownInTerm.set(entry.index, member.core.status().hardState.term);
      this.lastCommitted = Math.max(this.lastCommitted, entry.index);
    } else if (known.term !== entry.term || !sameBytes(known.data, entry.data)) {
      throw new Broken(`${member.id} applied another entry ${entry.index} (term ${entry.term}) than was applied before (term ${known.term})`);
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** One member: its core, its disk (what survives a crash), and the work its host has not done yet. */
export class Member {
  readonly id: MemberId;
  readonly world: World;
  readonly storage: MemoryLogStorage;
  hard: HardState | null = null;
  core: RaftCore;
  isUp = true;
  jobs: PersistJob[] = [];
  toApply: Entry[] = [];
  /** The state machine: the text of every normal entry applied. */
  applied: Index = 0;
  conf: ConfState;
  answered: { readonly context: number; readonly index: Index }[] = [];
  failed: number[] = [];
  checkedCommit: Index = 0;
  wasLeader = false;

  constructor(world: World, id: MemberId, conf: ConfState) {
    this.world = world;
    this.id = id;
    this.conf = conf;
    this.storage = new MemoryLogStorage(null);
    this.core = this.#boot(conf, 0);
  }

  #boot(conf: ConfState, applied: Index): RaftCore {
    const { options } = this.world;
    return new RaftCore({
      id: this.id, clusterId: 'world', storage: this.storage, random: this.world.random, hardState: this.hard, conf, applied,
      mark: (name) => this.world.marks.add(name),
      limits: { messageBytesMax: 200, inflightMessagesMax: 4, ...options.limits },
      ...(options.mutations === undefined ? {} : { mutations: options.mutations }),
      ...(options.testing === undefined ? {} : { testing: options.testing }),
    });
  }

  /** Everything that was not durable is lost; of the writes under way the first `kept` reached the disk, unreported. */
  crash(kept: number): void {
    for (const job of this.jobs.slice(0, kept)) this.#write(job);
    this.isUp = false;
    this.wasLeader = false;
    this.jobs = [];
    this.toApply = [];
    this.answered = [];
    this.failed = [];
  }

  restart(): void {
    const snapshot = this.storage.snapshotMeta();
    this.applied = this.storage.firstIndex() - 1;
    if (snapshot !== null) this.applied = snapshot.index;
    this.conf = snapshot?.conf ?? this.world.startConf(this.id);
    this.core = this.#boot(this.conf, this.applied);
    this.checkedCommit = this.core.status().hardState.commit;
    this.isUp = true;
  }

  /** Takes what the core has to say: messages into the mail, writes and applies into their queues. */
  pump(): void {
    if (this.isUp) this.world.checkDurable(this);
    while (this.isUp && this.core.hasReady()) {
      const ready = this.core.ready();
      if (ready.softState?.role === 'leader') this.world.ledger.elected(this);
      this.world.send(ready.messages);
      if (ready.persist !== null) this.jobs.push(ready.persist);
      this.toApply.push(...ready.committed);
      for (const read of ready.reads) this.#answerRead(read);
      this.failed.push(...ready.readsFailed);
    }
  }

  #answerRead(read: { readonly context: number; readonly index: Index }): void {
    const least = this.world.readFloor.get(read.context);
    if (least !== undefined && read.index < least) throw new Broken(`${this.id} answers read ${read.context} at ${read.index}, although ${least} was committed before it was asked`);
    this.answered.push(read);
  }

  #write(job: PersistJob): void {
    if (job.snapshot !== null) this.storage.install(job.snapshot);
    this.storage.append(job.entries);
    if (job.hardState !== null) this.hard = job.hardState;
  }

  /** Finishes the oldest write. */
  persistOne(): boolean {
    const job = this.jobs.shift();
    if (job === undefined) return false;
    this.#write(job);
    if (job.snapshot !== null) {
      this.toApply = this.toApply.filter((entry) => entry.index > (job.snapshot?.index ?? 0));
      this.applied = job.snapshot.index;
      this.conf = job.snapshot.conf;
    }
    this.world.send(job.messagesAfterPersist);
    this.core.persisted(job.id);
    this.pump();
    return true;
  }

  applyOne(): boolean {
    const entry = this.toApply.shift();
    if (entry === undefined) return false;
    if (this.storage.term(entry.index) !== entry.term && this.storage.firstIndex() <= entry.index) throw new Broken(`${this.id} applies entry ${entry.index} before it is durable here`);
    this.world.ledger.applied(this, entry);
    if (entry.kind === 'conf') {
      this.conf = this.core.applyConfChange(entry);
      this.world.ledger.confAt.set(entry.index, this.conf);
    }
    this.applied = entry.index;
    this.core.applied(entry.index);
    this.pump();
    return true;
  }

  /** A snapshot of the state as of now; the log before it goes. */
  compact(keep: number): void {
    if (this.applied === 0) return;
    const term = this.storage.term(this.applied);
    if (term === null) return;
    this.storage.setSnapshot({ index: this.applied, term, conf: this.conf });
    const upTo = this.applied - keep;
    if (upTo >= this.storage.firstIndex()) this.storage.compact(upTo);
  }

  texts(): string[] {
    const decoder = new TextDecoder();
    return [...this.world.ledger.committed.values()].filter((entry) => entry.index <= this.applied && entry.kind === 'normal').sort((a, b) => a.index - b.index).map((entry) => decoder.decode(entry.data));
  }
}

/** Members, the mail between them and the ledger of promises. Everything moves only when it is told to. */
export class World {
  readonly options: WorldOptions;
  readonly random: Random;
  readonly ledger = new Ledger();
  readonly members = new Map<MemberId, Member>();
  /** Links that carry nothing, as `from>to`. */
  readonly cut = new Set<string>();
  readonly readFloor = new Map<number, Index>();
  /** Rare branches of the cores that were reached. */
  readonly marks = new Set<string>();
  mail: Message[] = [];
  #contexts = 0;
  #written = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    for (const id of [...options.voters, ...(options.others ?? [])]) this.members.set(id, new Member(this, id, this.startConf(id)));
  }

  startConf(id: MemberId): ConfState {
    return this.options.voters.includes(id) ? { ...emptyConf, voters: [...this.options.voters].sort() } : emptyConf;
  }

  get(id: MemberId): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  up(): Member[] {
    return [...this.members.values()].filter((member) => member.isUp);
  }

  /** The leader of the newest term that is up. */
  leader(): Member | null {
    const leaders = this.up().filter((member) => member.core.status().role === 'leader');
    return leaders.sort((a, b) => b.core.status().hardState.term - a.core.status().hardState.term)[0] ?? null;
  }

  send(messages: readonly Message[]): void {
    this.mail.push(...messages);
  }

  /** Hands over one message, unless the link is cut or the receiver down. */
  deliver(message: Message): void {
    const target = this.members.get(message.to);
    const isLost = target === undefined || !target.isUp || this.cut.has(`${message.from}>${message.to}`);
    if (!isLost) {
      target.core.step(message);
      target.pump();
    }
    if (message.kind === 'snapshot') {
      const sender = this.get(message.from);
      if (sender.isUp) {
        sender.core.reportSnapshot(message.to, isLost ? 'failed' : 'finished');
        sender.pump();
      }
    }
  }

  deliverAt(at: number): void {
    const [message] = this.mail.splice(at, 1);
    if (message !== undefined) this.deliver(message);
  }

  /** What a leader counts as committed is on the disks of a majority of the voters that decide (of both halves while joint). */
  checkDurable(by: Member): void {
    const { role, conf, hardState } = by.core.status();
    const index = hardState.commit;
    // NOTE: only what it decided itself as leader; what it was told may have been decided under another configuration.
    const isDecided = role === 'leader' && by.wasLeader && index > by.checkedCommit;
    by.wasLeader = role === 'leader';
    by.checkedCommit = Math.max(index, by.checkedCommit);
    if (!isDecided) return;
    const term = by.core.termAt(index);
    const holds = (id: MemberId): boolean => {
      const member = this.members.get(id);
      return member !== undefined && (member.storage.term(index) === term || member.storage.firstIndex() > index);
    };
    for (const voters of [conf.voters, conf.votersOutgoing]) {
      if (voters.length > 0 && voters.filter(holds).length * 2 <= voters.length) {
        throw new Broken(`${by.id} committed entry ${index}, durable only on ${voters.filter(holds).join(', ') || 'nobody'} of ${voters.join(', ')}`);
      }
    }
  }

  propose(id: MemberId, text?: string): Proposed | Refusal {
    this.#written += 1;
    const member = this.get(id);
    const result = member.core.propose([new TextEncoder().encode(text ?? `w${this.#written}`)]);
    member.pump();
    return result;
  }

  change(id: MemberId, change: ConfChange): Proposed | Refusal {
    const member = this.get(id);
    const result = member.core.proposeConfChange(change);
    member.pump();
    return result;
  }

  /** A read must see everything that was applied anywhere before it was asked for. */
  read(id: MemberId): number | null {
    this.#contexts += 1;
    const context = this.#contexts;
    this.readFloor.set(context, this.ledger.lastCommitted);
    const member = this.get(id);
    const result = member.core.readIndex(context);
    member.pump();
    return result.kind === 'accepted' ? context : null;
  }

  tick(id: MemberId): void {
    const member = this.get(id);
    if (!member.isUp) return;
    member.core.tick();
    member.pump();
  }

  /** Writes, applies and delivers until all is quiet. */
  settle(): void {
    for (let round = 0; round < 10_000; round += 1) {
      let isQuiet = true;
      for (const member of this.up()) {
        member.pump();
        while (member.persistOne()) isQuiet = false;
        while (member.applyOne()) isQuiet = false;
      }
      const mail = this.mail;
      this.mail = [];
      for (const message of mail) {
        this.deliver(message);
        isQuiet = false;
      }
      if (isQuiet) return;
    }
    throw new Broken(`the members do not come to rest: ${JSON.stringify(this.mail.slice(0, 4))}`);
  }

  /** Ticks of everybody, all work done between. */
  run(ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      for (const member of this.up()) this.tick(member.id);
      this.settle();
    }
  }

  isolate(id: MemberId): void {
    for (const other of this.members.keys()) {
      if (other === id) continue;
      this.cut.add(`${id}>${other}`);
      this.cut.add(`${other}>${id}`);
    }
  }

  heal(): void {
    this.cut.clear();
  }

  pick<T>(items: readonly T[]): T | null {
    return items[randomBelow(this.random, Math.max(items.length, 1))] ?? null;
  }

  /** Two logs that agree on the term of an entry agree on everything before it (Raft §5.3). */
  checkLogMatching(): void {
    const members = this.up();
    for (const a of members) {
      for (const b of members) {
        if (a.id >= b.id) continue;
        let isEqual = false;
        const low = Math.max(a.core.status().firstIndex, b.core.status().firstIndex);
        for (let index = Math.min(a.core.status().lastIndex, b.core.status().lastIndex); index >= low; index -= 1) {
          const isSame = a.core.termAt(index) === b.core.termAt(index);
          if (isEqual && !isSame) throw new Broken(`the logs of ${a.id} and ${b.id} agree after entry ${index} but not there`);
          isEqual = isEqual || isSame;
        }
      }
    }
  }

  snapshotOf(id: MemberId): SnapshotMeta | null {
    return this.get(id).storage.snapshotMeta();
  }
}
