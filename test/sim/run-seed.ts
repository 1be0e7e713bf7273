import { randomBelow, seededRandom } from '../../src/base/random.ts';
import type { HostMutation, RaftMutation } from '../../src/raft/mutations.ts';
import { clusterLimits } from '../../src/manager/store/store-limits.ts';
import type { StoreLimits } from '../../src/manager/store/store-limits.ts';
import { memberIds } from '../../src/manager/store/store-state.ts';
import { emptyConf } from '../../src/raft/log-storage.ts';
import { allFaults, Nemesis } from './nemesis.ts';
import type { Cluster, Fault } from './nemesis.ts';
import { Oracles, SimFailure } from './oracles.ts';
import { Scheduler } from './scheduler.ts';
import { SimClients } from './sim-clients.ts';
import { SimDisk } from './sim-disk.ts';
import { SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { count, emptyTally } from './tally.ts';
import type { Tally } from './tally.ts';
import { overlapFaults } from './overlaps.ts';
import { targetedFaults } from './targeted.ts';

export type SeedResult = { readonly seed: number; readonly failure: string | null; readonly events: number; readonly acknowledged: number; readonly terms: number; readonly trace: readonly string[]; /** What it met, counted. */ readonly tally: Tally; /** Of all its events in order: equal where the same happened. */ readonly fingerprint: string };

export type RunOptions = {
  readonly hostMutations?: ReadonlySet<HostMutation>;
  readonly raftMutations?: ReadonlySet<RaftMutation>;
  readonly isTraced?: boolean;
  /** Only these, instead of a choice by the seed. */
  readonly faults?: readonly Fault[];
};

const troubleMs = 6000;
const healMs = 20_000;
const eventsMax = 400_000;
/** Of the sequence that chooses overlaps. */
const overlapMask = 0x51ab07;

/** One run: a cluster under one seed, trouble, then calm, and the questions at the end. The same seed does the same, event for event. */
export function runSeed(seed: number, options: RunOptions = {}): SeedResult {
  const trace: string[] = [];
  const run = new Run(seed, options, trace);
  try {
    run.go();
    return run.result(null);
  } catch (error) {
    return run.result(error instanceof SimFailure ? error.message : error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error));
  }
}

class Run {
  readonly #seed: number;
  readonly #options: RunOptions;
  readonly #trace: string[];
  readonly #scheduler: Scheduler = new Scheduler();
  readonly #tally: Tally = emptyTally();
  readonly #oracles: Oracles = new Oracles();
  readonly #cluster: Cluster;
  readonly #clients: SimClients;
  readonly #nemesis: Nemesis;
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: number, options: RunOptions, trace: string[]) {
    this.#seed = seed;
    this.#options = options;
    this.#trace = trace;
    const random = seededRandom(seed);
    this.#random = random;
    const scheduler = this.#scheduler;
    const say = options.isTraced !== true ? null : (text: string): void => void trace.push(`${scheduler.nowMs.toFixed(1).padStart(8)} ${text}`);
    const network = new SimNetwork(scheduler, seededRandom(randomBelow(random, 0x7fffffff)), {
      dropRate: 0, repeatRate: 0, slowRate: 0, delayMs: 1 + random.float() * 4, slowMs: 50 + random.float() * 400, messageBytesMax: 64 * 1024, isEncoded: random.float() < 0.15, noticeRate: 0.7,
    });
    const voterCount = [3, 3, 3, 5, 1, 2][randomBelow(random, 6)] ?? 3;
    const voters = Array.from({ length: voterCount }, (_, at) => `m${at + 1}`);
    // NOTE: of a sequence of its own, so that seeds without any of these do what they did before these were there.
    const extra = seededRandom(seed ^ 0x7a39e1);
    const targeted = options.faults === undefined && extra.float() < 0.5 ? targetedFaults.filter(() => extra.float() < 0.3) : [];
    const isLagging = targeted.includes('lag');
    const overlap = seededRandom(seed ^ overlapMask);
    const overlaps = options.faults === undefined && overlap.float() < 0.4 ? overlapFaults.filter(() => overlap.float() < 0.6) : [];
    const isOverlapping = overlaps.length > 0 || options.faults?.some((one) => overlapFaults.some((other) => other === one)) === true;
    const limits: StoreLimits = {
      ...clusterLimits, electionTicks: 5 + randomBelow(random, 6), snapshotEntries: 20 + randomBelow(random, 150), snapshotBytes: 64 * 1024, snapshotDelayMs: 0, trailingEntries: randomBelow(random, 40), segmentSizeBytes: 24 * 1024,
      proposalTimeoutMs: 2000, snapshotProgressMs: 3000, promoteEntriesMax: 10, applyEntriesMax: 1 + randomBelow(random, 64), snapshotWindow: 1 + randomBelow(random, 4),
    };
    // Short logs and long values: who lags needs a snapshot of many chunks.
    if (isLagging) Object.assign(limits, { trailingEntries: 3 });
    // Transfers of very many small chunks, and snapshots so often that each overtakes the one before.
    if (isOverlapping) Object.assign(limits, { trailingEntries: randomBelow(overlap, 6), snapshotEntries: 5 + randomBelow(overlap, 40), snapshotProgressMs: 1000 + randomBelow(overlap, 4000) });
    const isEncrypted = random.float() < 0.15 || targeted.includes('rotate-and-crash') || (isOverlapping && overlap.float() < 0.5);
    const isSmall = random.float() < 0.2;
    const chunkBytes = this.#has('host-snapshot-in-one-message') ? 1 << 30 : isOverlapping ? 48 + randomBelow(overlap, 500) : 512 + randomBelow(random, 4096);
    const members: SimMember[] = [];
    const make = (id: string, isFirst: boolean): SimMember => {
      const member = new SimMember({
        id, scheduler, network, oracles: this.#oracles, random: seededRandom(randomBelow(random, 0x7fffffff)),
        disk: new SimDisk(seededRandom(randomBelow(random, 0x7fffffff)), { isSyncLost: this.#has('host-no-fsync'), isDirSyncLost: this.#has('host-no-dir-fsync'), isSyncRetried: this.#has('host-retry-fsync') }),
        firstConf: { ...emptyConf, voters }, limits, isEncrypted, isSmall, address: isFirst ? '' : id, chunkBytes,
        mutations: options.hostMutations ?? new Set(), raftMutations: options.raftMutations ?? new Set(), trace: say, tally: this.#tally,
      });
      members.push(member);
      return member;
    };
    let made = voterCount;
    this.#cluster = { scheduler, network, members, trace: say, tally: this.#tally, addMember: () => make(`m${(made += 1)}`, false) };
    for (const id of voters) make(id, true);
    this.#clients = new SimClients({ scheduler, random: seededRandom(randomBelow(random, 0x7fffffff)), oracles: this.#oracles, members: () => members, keyCount: 1 + randomBelow(random, 5) });
    this.#clients.padding = random.float() < 0.2 ? randomBelow(random, 2000) : 0;
    if (isLagging) this.#clients.padding = Math.max(this.#clients.padding, 800);
    if (isOverlapping) this.#clients.padding = Math.max(this.#clients.padding, randomBelow(overlap, 800));
    const share = 0.15 + random.float() * 0.5;
    const chosen = [...(options.faults ?? allFaults.filter(() => random.float() < share)), ...targeted];
    // Undisturbed by all others now and then: whose threads are slow gets further into what overlaps.
    const faults: Fault[] = overlaps.length > 0 && overlap.float() < 0.3 ? [...overlaps, 'overlap', 'lag'] : [...chosen, ...overlaps];
    this.#nemesis = new Nemesis(this.#cluster, seededRandom(randomBelow(random, 0x7fffffff)), faults.length === 0 ? ['crash'] : faults);
    say?.(`seed ${seed}: ${voterCount} voters, faults ${faults.join(' ')}`);
  }

  go(): void {
    const random = this.#random;
    for (const member of this.#cluster.members) member.start();
    this.#clients.start(2 + randomBelow(random, 4), 10 + random.float() * 120);
    this.#nemesis.start(120 + random.float() * 500);
    this.#advance(troubleMs);
    this.#nemesis.end();
    this.#clients.stop();
    this.#heal();
    this.#clients.checkAtEnd();
  }

  #advance(untilMs: number): void {
    while (this.#scheduler.step(untilMs)) if (this.#scheduler.eventCount > eventsMax) throw new SimFailure(`livelock: ${eventsMax} events`);
  }

  result(failure: string | null): SeedResult {
    const events = this.#scheduler.eventCount;
    const terms = this.#oracles.leaderTerms.size;
    const { acknowledged, answeredReads } = this.#clients;
    const tally = this.#tally;
    count(tally, 'seeds');
    count(tally, 'events', events);
    count(tally, 'writes acknowledged', acknowledged);
    count(tally, 'reads answered', answeredReads);
    count(tally, 'calls checked', this.#clients.callCount);
    count(tally, 'elections won', terms);
    count(tally, 'campaigns', this.#oracles.campaigns);
    count(tally, 'entries committed', this.#oracles.highest);
    count(tally, 'changes of members', this.#oracles.confChanges);
    count(tally, 'states compared', this.#oracles.statesCompared);
    count(tally, 'messages', this.#cluster.network.sentCount);
    count(tally, 'disk calls', this.#cluster.members.reduce((sum, member) => sum + member.options.disk.callCount, 0));
    return { seed: this.#seed, failure, events, acknowledged, terms, trace: this.#trace, tally, fingerprint: this.#scheduler.fingerprint };
  }

  #has(mutation: HostMutation): boolean {
    return this.#options.hostMutations?.has(mutation) ?? false;
  }

  /** Once trouble ends, the cluster must take a write through every member, and all must come to the same state. */
  #heal(): void {
    const deadline = this.#scheduler.nowMs + healMs;
    const answered = new Set<string>();
    for (let round = 0; this.#scheduler.nowMs < deadline; round += 1) {
      this.#advance(Math.min(deadline, troubleMs + (round + 1) * 250));
      // NOTE: first, because a damaged one can only be replaced where the others are enough to lead.
      for (const member of this.#cluster.members) if (member.state === 'down') member.start();
      if (this.#nemesis.replaceDamaged()) continue;
      const expected = this.#expectedMembers();
      if (expected === null) continue;
      for (const member of expected) if (!answered.has(member.id)) this.#clients.probe(member, (isOk) => isOk && answered.add(member.id));
      const revisions = new Set(expected.map((member) => member.node?.state.view.revision));
      if (revisions.size === 1 && expected.every((member) => answered.has(member.id))) {
        for (const member of expected) if (member.node !== null) this.#oracles.sameState(member.id, member.node.state, 'ended with');
        return;
      }
    }
    const states = this.#cluster.members.filter((member) => member.state !== 'left').map((member) => `${member.id} ${member.state} ${member.refusal} ${member.node === null ? '' : JSON.stringify({ soft: member.node.leadership, revision: member.node.state.view.revision, conf: member.node.state.conf })}`);
    throw new SimFailure(`liveness: ${(healMs / 1000).toFixed(0)} s after the trouble ended, no agreement (answered: ${[...answered].join(' ')}):\n${states.join('\n')}`);
  }

  /** The members of the configuration as the leader has it, where all of them are up. */
  #expectedMembers(): SimMember[] | null {
    const leader = this.#cluster.members.find((member) => member.node?.leadership.isLeader === true);
    if (leader?.node == null) return null;
    const ids = memberIds(leader.node.state.conf);
    const expected = this.#cluster.members.filter((member) => ids.includes(member.id));
    return expected.every((member) => member.state === 'up') ? expected : null;
  }
}
