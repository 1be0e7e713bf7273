import { seededRandom } from '../../../src/base/random.ts';
import { MemoryLogStorage } from '../../../src/raft/log-storage.ts';
import { RaftCore } from '../../../src/raft/raft-core.ts';
import type { ConfState, Entry, MemberId, Message, PersistJob, Ready, SnapshotMeta, TestOptions } from '../../../src/raft/types.ts';
import { describeEntries, describeEntry, describeHardState, describeMessage, describeSnapshot, roleNames } from './describe.ts';

/** Something on its way to a node: of a peer, or of the node's own storage. `lines` is how it is told, `deliver` what it does. */
export type Envelope = {
  readonly to: MemberId;
  readonly type: string;
  readonly isLocal: boolean;
  readonly text: string;
  readonly deliver: (node: TranscriptNode) => string | null;
};

export type Work = { readonly processing: string; readonly responses: readonly string[]; readonly run: () => readonly Envelope[] };

export type NodeConfig = {
  readonly id: MemberId;
  readonly snapshot: SnapshotMeta | null;
  readonly isAsync: boolean;
  readonly inflightMax: number;
  readonly applyingBytesMax: number;
  readonly testing: TestOptions;
};

const noConf: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** A core with the plainest possible host: storage in memory, and queues that run when the transcript says so. */
export class TranscriptNode {
  readonly id: MemberId;
  readonly core: RaftCore;
  readonly storage: MemoryLogStorage;
  readonly config: NodeConfig;
  readonly appendWork: Work[] = [];
  readonly applyWork: Work[] = [];
  /** Proposals to pass on to the leader: the core leaves that to its host. */
  forwards: Envelope[] = [];
  #newest: SnapshotMeta;

  constructor(config: NodeConfig) {
    this.id = config.id;
    this.config = config;
    this.#newest = config.snapshot ?? { index: 0, term: 0, conf: noConf };
    this.storage = new MemoryLogStorage(config.snapshot);
    const { firstIndex, lastIndex, term, entries } = this.storage;
    this.core = new RaftCore({
      id: config.id,
      clusterId: 'transcript',
      storage: { firstIndex, lastIndex, term, entries, snapshotMeta: () => this.#newest },
      random: seededRandom(Number(config.id)),
      hardState: null,
      conf: this.#newest.conf,
      applied: this.#newest.index,
      limits: {
        electionTicks: 3, heartbeatTicks: 1, inflightMessagesMax: config.inflightMax, inflightBytesMax: Infinity, messageBytesMax: Infinity,
        uncommittedBytesMax: Infinity, applyingBytesMax: config.applyingBytesMax,
      },
      testing: config.testing,
    });
  }

  get newestSnapshot(): SnapshotMeta {
    return this.#newest;
  }

  /** The next Ready told in the transcript's words, or null if there is nothing in it that these know. Its messages go to `out`. */
  takeReady(out: Envelope[]): string | null {
    const before = this.core.status();
    const ready = this.core.ready();
    const job = ready.persist;
    const forwards = this.forwards;
    this.forwards = [];
    const told: string[] = [];
    if (ready.softState !== null && this.#isSoftNews(ready.softState.role, ready.softState.leader)) {
      told.push(`Lead:${ready.softState.leader ?? 0} State:${roleNames[before.role]}`);
    }
    told.push(...this.#describeWrites(ready));
    const messages = [...ready.messages, ...(this.config.isAsync ? [] : (job?.messagesAfterPersist ?? []))];
    const lines = [...forwards.map((one) => one.text), ...messages.map(describeMessage)];
    out.push(...forwards, ...messages.map(peerEnvelope));
    if (this.config.isAsync) lines.push(...this.#queueWork(ready));
    if (lines.length > 0) told.push('Messages:', ...lines);
    if (!this.config.isAsync) this.#runSync(ready);
    if (told.length === 0) return null;
    // NOTE: there a snapshot alone does not ask for a sync, here it does.
    const mustSync = job !== null && job.mustSync && (job.entries.length > 0 || job.snapshot === null || this.#isVoteNews);
    return [`Ready MustSync=${mustSync}:`, ...told].join('\n');
  }

  #soft: { role: string; leader: MemberId | null } = { role: 'follower', leader: null };
  #hard: { term: number; vote: MemberId | null } = { term: 0, vote: null };
  #isVoteNews = false;

  #isSoftNews(role: string, leader: MemberId | null): boolean {
    const isNews = role !== this.#soft.role || leader !== this.#soft.leader;
    this.#soft = { role, leader };
    return isNews;
  }

  #describeWrites(ready: Ready): string[] {
    const told: string[] = [];
    const hard = ready.persist?.hardState ?? null;
    this.#isVoteNews = hard !== null && (hard.term !== this.#hard.term || hard.vote !== this.#hard.vote);
    if (hard !== null) {
      this.#hard = hard;
      told.push(`HardState ${describeHardState(hard)}`);
    }
    if (ready.reads.length > 0) told.push(`ReadStates ${JSON.stringify(ready.reads)}`);
    if (ready.persist !== null && ready.persist.entries.length > 0) told.push('Entries:', ...ready.persist.entries.map(describeEntry));
    if (ready.persist?.snapshot) told.push(`Snapshot ${describeSnapshot(ready.persist.snapshot)}`);
    if (ready.committed.length > 0) told.push('CommittedEntries:', ...ready.committed.map(describeEntry));
    return told;
  }

  #runSync(ready: Ready): void {
    if (ready.persist !== null) this.#write(ready.persist);
    this.#apply(ready.committed);
    if (ready.persist !== null) this.core.persisted(ready.persist.id);
    const last = ready.committed.at(-1);
    if (last !== undefined) this.core.applied(last.index);
  }

  #write(job: PersistJob): void {
    if (job.snapshot !== null) this.storage.install(job.snapshot);
    this.storage.append(job.entries);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const conf = entry.kind === 'conf' ? this.core.applyConfChange(entry) : this.#newest.conf;
      this.#newest = { index: entry.index, term: entry.term, conf };
    }
  }

  /** Puts the Ready's writes and applies into the queues of the two threads; answers how that is told. */
  #queueWork(ready: Ready): string[] {
    const lines: string[] = [];
    if (ready.persist !== null) lines.push(this.#queueAppend(ready.persist));
    if (ready.committed.length > 0) lines.push(this.#queueApply(ready.committed));
    return lines;
  }

  #queueAppend(job: PersistJob): string {
    const pending = this.core.inspect().jobs.find((one) => one.id === job.id);
    const self: string[] = (pending?.selfVotes ?? []).map((vote) => `${this.id}->${this.id} ${vote.isPreVote ? 'MsgPreVoteResp' : 'MsgVoteResp'} Term:${vote.term} Log:0/0`);
    if (pending !== undefined && pending.selfAck > 0) self.push(`${this.id}->${this.id} MsgAppResp Term:${pending.term} Log:0/${pending.selfAck}`);
    if (pending !== undefined && (pending.lastIndex > 0 || job.snapshot !== null)) {
      const snapshot = job.snapshot === null ? '' : `\n  Snapshot: ${describeSnapshot(job.snapshot)}`;
      self.push(`AppendThread->${this.id} MsgStorageAppendResp Term:${pending.term} Log:${pending.lastTerm}/${pending.lastIndex}${snapshot}`);
    }
    const head = `${this.id}->AppendThread MsgStorageAppend Term:${job.hardState?.term ?? 0} Log:0/0${describeHard(job)}${describeEntries(job.entries)}${
      job.snapshot === null ? '' : `\n  Snapshot: ${describeSnapshot(job.snapshot)}`
    }`;
    // NOTE: acknowledgements to peers stand between the own ones and the storage's answer.
    const storageAnswer = self.filter((line) => line.startsWith('AppendThread'));
    const responses = [...self.filter((line) => !line.startsWith('AppendThread')), ...job.messagesAfterPersist.map(describeMessage), ...storageAnswer];
    this.appendWork.push({
      processing: head,
      responses,
      run: () => {
        this.#write(job);
        const own: Envelope = { to: this.id, type: 'local', isLocal: true, text: self.join('\n'), deliver: (node) => node.#reportPersisted(job.id) };
        return [...job.messagesAfterPersist.map(peerEnvelope), ...(self.length > 0 ? [own] : [])];
      },
    });
    return responses.length === 0 ? head : `${head} Responses:[\n${indent(responses.join('\n'))}\n]`;
  }

  #reportPersisted(id: number): null {
    this.core.persisted(id);
    return null;
  }

  #queueApply(entries: readonly Entry[]): string {
    const head = `${this.id}->ApplyThread MsgStorageApply Term:0 Log:0/0${describeEntries(entries)}`;
    const answer = `ApplyThread->${this.id} MsgStorageApplyResp Term:0 Log:0/0${describeEntries(entries)}`;
    const last = entries.at(-1)?.index ?? 0;
    const deliver = (): null => {
      this.core.applied(last);
      return null;
    };
    this.applyWork.push({
      processing: head,
      responses: [answer],
      run: () => {
        this.#apply(entries);
        return [{ to: this.id, type: 'local', isLocal: true, text: answer, deliver }];
      },
    });
    return `${head} Responses:[\n${indent(answer)}\n]`;
  }
}

function describeHard(job: PersistJob): string {
  if (job.hardState === null) return '';
  return `${job.hardState.commit === 0 ? '' : ` Commit:${job.hardState.commit}`}${job.hardState.vote === null ? '' : ` Vote:${job.hardState.vote}`}`;
}

export function indent(text: string): string {
  return text.split('\n').map((line) => `  ${line}`).join('\n');
}

export function peerEnvelope(message: Message): Envelope {
  return {
    to: message.to,
    type: message.kind,
    isLocal: false,
    text: describeMessage(message),
    deliver: (node) => (node.core.step(message)?.code === 'RAFT_UNKNOWN_MEMBER' ? 'raft: cannot step as peer not found' : null),
  };
}
