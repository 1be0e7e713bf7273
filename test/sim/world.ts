import { seededRandom } from '../../src/base/random.ts';
import type { Outcome } from '../../src/model/entry.ts';
import type { CallAnswer, MemberCall } from '../../src/manager/store/host-messages.ts';
import { clusterLimits } from '../../src/manager/store/store-limits.ts';
import type { StoreLimits } from '../../src/manager/store/store-limits.ts';
import { emptyConf } from '../../src/raft/log-storage.ts';
import { Oracles, SimFailure } from './oracles.ts';
import type { RunOptions } from './run-seed.ts';
import { Scheduler } from './scheduler.ts';
import { SimDisk } from './sim-disk.ts';
import { SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { emptyTally } from './tally.ts';

/** A simulated cluster for told stories: no nemesis but the teller. */
export class SimWorld {
  readonly scheduler: Scheduler = new Scheduler();
  readonly oracles: Oracles = new Oracles();
  readonly network: SimNetwork;
  readonly members: Map<string, SimMember> = new Map();
  readonly #make: (id: string) => SimMember;

  constructor(voters: readonly string[], options: RunOptions, limits: Partial<StoreLimits> = {}, isEncrypted = false) {
    const random = seededRandom(7);
    const has = (name: 'host-no-fsync' | 'host-no-dir-fsync' | 'host-retry-fsync' | 'host-snapshot-in-one-message'): boolean => options.hostMutations?.has(name) ?? false;
    this.network = new SimNetwork(this.scheduler, seededRandom(8), { dropRate: 0, repeatRate: 0, slowRate: 0, delayMs: 1, slowMs: 1, messageBytesMax: 64 * 1024, isEncoded: false, noticeRate: 1 });
    this.#make = (id) => new SimMember({
      id, scheduler: this.scheduler, network: this.network, oracles: this.oracles, random: seededRandom(id.length * 100 + (id.codePointAt(id.length - 1) ?? 0)),
      disk: new SimDisk(random, { isSyncLost: has('host-no-fsync'), isDirSyncLost: has('host-no-dir-fsync'), isSyncRetried: has('host-retry-fsync') }),
      firstConf: { ...emptyConf, voters }, limits: { ...clusterLimits, segmentSizeBytes: 64 * 1024, snapshotEntries: 1000, snapshotDelayMs: 0, trailingEntries: 5, proposalTimeoutMs: 3000, ...limits },
      isEncrypted, isSmall: false, address: '', chunkBytes: has('host-snapshot-in-one-message') ? 1 << 30 : 4096,
      mutations: options.hostMutations ?? new Set(), raftMutations: options.raftMutations ?? new Set(), trace: null, tally: emptyTally(),
    });
    for (const id of voters) this.start(id);
  }

  start(id: string): SimMember {
    const member = this.members.get(id) ?? this.#make(id);
    this.members.set(id, member);
    member.start();
    return member;
  }

  get(id: string): SimMember {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  /** A member that lost its disk and comes back under the same name. */
  wipe(id: string): void {
    const member = this.get(id);
    member.crash('wiped');
    member.options.disk.wipe();
    member.state = 'down';
  }

  run(ms: number): void {
    const until = this.scheduler.nowMs + ms;
    while (this.scheduler.step(until));
  }

  leader(): SimMember {
    for (let waited = 0; waited < 10_000; waited += 50) {
      const found = [...this.members.values()].find((member) => member.state === 'up' && member.node?.leadership.isLeader === true);
      if (found !== undefined) return found;
      this.run(50);
    }
    throw new SimFailure('liveness: no leader within 10 s');
  }

  /** Null: refused, or nothing heard within the time. */
  write(id: string, key: string, value: string, withinMs = 4000): Outcome | null {
    let outcome: Outcome | null = null;
    this.get(id).act((node) => node.proposals.propose({
      changes: [{ kind: 'put', ifVersion: null, object: { kind: 'config', id: key, version: 0, createdMs: 0, updatedMs: 0, name: key, projectName: null, key, labels: {}, dataBase64: value, digest: '' } }],
      requestId: null, isFirstAsk: true, fence: null, done: (_error, found) => {
        outcome = found;
      },
    }));
    for (let waited = 0; waited < withinMs && outcome === null; waited += 10) this.run(10);
    return outcome;
  }

  /** What a request with an id of its own is told: the kind of its outcome, or the code of the refusal; `nothing` within the time. */
  ask(id: string, request: { readonly requestId: string; readonly isFirstAsk: boolean; readonly value: string }, withinMs: number): string {
    let answer = 'nothing';
    const { requestId, isFirstAsk, value } = request;
    this.get(id).act((node) => node.proposals.propose({
      changes: [{ kind: 'put', ifVersion: null, object: { kind: 'config', id: 'k', version: 0, createdMs: 0, updatedMs: 0, name: 'k', projectName: null, key: 'k', labels: {}, dataBase64: value, digest: '' } }],
      requestId, isFirstAsk, fence: null, done: (error, outcome) => {
        answer = outcome?.kind ?? error?.code ?? 'nothing';
      },
    }));
    for (let waited = 0; waited < withinMs && answer === 'nothing'; waited += 10) this.run(10);
    return answer;
  }

  call(id: string, call: MemberCall, withinMs = 6000): CallAnswer | null {
    let answer: CallAnswer | null = null;
    this.get(id).act((node) => node.membership.call(call, (found) => {
      answer = found;
    }));
    for (let waited = 0; waited < withinMs && answer === null; waited += 10) this.run(10);
    return answer;
  }

  isolate(id: string): void {
    for (const other of this.members.keys()) {
      this.network.cut.add(`${id}>${other}`);
      this.network.cut.add(`${other}>${id}`);
    }
  }

  heal(): void {
    this.network.cut.clear();
  }

  value(id: string, key: string): string | null {
    return this.get(id).node?.state.view.tables.config.get(key)?.dataBase64 ?? null;
  }

  get terms(): number {
    return this.oracles.leaderTerms.size;
  }
}
