import { seededRandom } from '../../../src/base/random.ts';
import { CoreState } from '../../../src/raft/core-state.ts';
import { MemoryLogStorage } from '../../../src/raft/log-storage.ts';
import { defaultLimits, RaftCore } from '../../../src/raft/raft-core.ts';
import { RaftLog } from '../../../src/raft/raft-log.ts';
import type { ConfState, Entry, MemberId, Message, RaftOptions, TestOptions } from '../../../src/raft/types.ts';

/** Readers for the outside cases, and cores set up as these describe. */
export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object: ${JSON.stringify(value)}`);
  return Object.fromEntries(Object.entries(value));
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is no list: ${JSON.stringify(value)}`);
  return value;
}

export function int(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new Error(`${what} is no whole number: ${JSON.stringify(value)}`);
  return value;
}

export function intOr(value: unknown, fallback: number): number {
  return value === undefined || value === null ? fallback : int(value, 'a number');
}

export function ids(value: unknown, what: string): MemberId[] {
  return list(value, what).map((one) => String(one));
}

/** `[[index, term], …]` */
export function entries(value: unknown): Entry[] {
  return list(value ?? [], 'log').map((pair) => {
    const [index, term] = list(pair, 'entry');
    return { index: int(index, 'index'), term: int(term, 'term'), kind: 'normal', data: new Uint8Array(0) };
  });
}

export function pairs(log: readonly Entry[]): string {
  return JSON.stringify(log.map((entry) => [entry.index, entry.term]));
}

export function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function conf(voters: readonly MemberId[]): ConfState {
  return { voters: [...voters].sort(), votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

export function numbered(count: number): MemberId[] {
  return Array.from({ length: count }, (_, at) => String(at + 1));
}

export type Start = {
  readonly id: MemberId;
  readonly peers: readonly MemberId[];
  readonly term: number;
  readonly vote: MemberId | null;
  readonly log: readonly Entry[];
  readonly commit: number;
  readonly isPreVoteOn: boolean;
};

function optionsOf(start: Start, storage: MemoryLogStorage): RaftOptions {
  const testing: TestOptions = { isPreVoteOff: !start.isPreVoteOn, isCheckQuorumOff: true, isConfChangeEarly: true };
  return {
    id: start.id, clusterId: 'cases', storage, random: seededRandom(Number(start.id)), conf: conf(start.peers), applied: 0, testing,
    hardState: { term: start.term, vote: start.vote, commit: start.commit },
  };
}

/** A core and the plainest host: everything is durable and applied as soon as `settle` is called. */
export class Bench {
  readonly core: RaftCore;
  readonly storage: MemoryLogStorage;
  readonly applied: Entry[] = [];

  constructor(start: Start) {
    this.storage = new MemoryLogStorage();
    this.storage.append(start.log);
    this.core = new RaftCore(optionsOf(start, this.storage));
  }

  /** Does what is to be done; answers the messages. */
  settle(): Message[] {
    const out: Message[] = [];
    while (this.core.hasReady()) {
      const ready = this.core.ready();
      out.push(...ready.messages);
      if (ready.persist !== null) {
        this.storage.append(ready.persist.entries);
        out.push(...ready.persist.messagesAfterPersist);
        this.core.persisted(ready.persist.id);
      }
      for (const entry of ready.committed) {
        this.applied.push(entry);
        if (entry.kind === 'conf') this.core.applyConfChange(entry);
        this.core.applied(entry.index);
      }
    }
    return out;
  }

  log(): Entry[] {
    const { firstIndex, lastIndex, hardState } = this.core.status();
    return Array.from({ length: lastIndex - firstIndex + 1 }, (_, at) => {
      const index = firstIndex + at;
      return { index, term: this.core.termAt(index) ?? hardState.term, kind: 'normal', data: new Uint8Array(0) };
    });
  }
}

/** The state behind a core, where a case speaks of one function and not of a whole member. */
export function bareState(start: Start): CoreState {
  const storage = new MemoryLogStorage();
  storage.append(start.log);
  return new CoreState(optionsOf(start, storage), defaultLimits, new RaftLog(storage, start.commit, 0));
}

/** Messages between benches until all is quiet. Members without a bench answer nothing. */
export function exchange(benches: ReadonlyMap<MemberId, Bench>): void {
  let mail: Message[] = [];
  for (const bench of benches.values()) mail.push(...bench.settle());
  for (let round = 0; mail.length > 0; round += 1) {
    if (round > 1000) throw new Error('the members do not come to rest');
    const now = mail;
    mail = [];
    for (const message of now) {
      const bench = benches.get(message.to);
      if (bench === undefined) continue;
      bench.core.step(message);
      mail.push(...bench.settle());
    }
  }
}
