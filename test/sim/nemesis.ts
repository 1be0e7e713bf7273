import { randomBelow } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import type { MemberCall } from '../../src/manager/store/host-messages.ts';
import { memberIds } from '../../src/manager/store/store-state.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimMember } from './sim-member.ts';
import type { SimNetwork } from './sim-network.ts';
import { count } from './tally.ts';
import type { Tally } from './tally.ts';
import { strikeOverlap } from './overlaps.ts';
import type { OverlapFault } from './overlaps.ts';
import { strikeTargeted } from './targeted.ts';
import type { TargetedFault, Tools } from './targeted.ts';

export type Fault = TargetedFault | OverlapFault | 'crash' | 'restart' | 'cut' | 'one-way' | 'heal' | 'lossy' | 'stall' | 'slow-disk' | 'full-disk' | 'disk-error' | 'bit-flip' | 'drift' | 'crash-at-jobs' | 'transfer' | 'add' | 'remove' | 'replace' | 'snapshot' | 'rotate-key' | 'storm';

export const allFaults: readonly Fault[] = ['crash', 'restart', 'cut', 'one-way', 'heal', 'lossy', 'stall', 'slow-disk', 'full-disk', 'disk-error', 'bit-flip', 'drift', 'crash-at-jobs', 'transfer', 'add', 'remove', 'replace', 'snapshot', 'rotate-key', 'storm'];

export type Cluster = {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly members: SimMember[];
  readonly addMember: () => SimMember;
  readonly trace: ((text: string) => void) | null;
  readonly tally: Tally;
};

/** What makes trouble. Each seed allows some kinds only, so that each gets its turn undisturbed by all others. */
export class Nemesis {
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #faults: readonly Fault[];
  #isOver = false;
  /** The one member whose disk was damaged: it does not count any more, and must be replaced before another is. */
  #damaged: SimMember | null = null;
  #removalMs = -Infinity;

  constructor(cluster: Cluster, random: Random, faults: readonly Fault[]) {
    this.#cluster = cluster;
    this.#random = random;
    this.#faults = faults;
  }

  start(everyMs: number): void {
    this.#cluster.scheduler.after(this.#random.float() * everyMs * 2, () => {
      if (this.#isOver) return;
      this.#strike(this.#faults[randomBelow(this.#random, this.#faults.length)] ?? 'heal');
      this.start(everyMs);
    });
  }

  /** Ends all trouble: what is down comes back, what is damaged is replaced. */
  end(): void {
    this.#isOver = true;
    this.calm();
    for (const member of this.#cluster.members) if (member.state === 'down') member.start();
  }

  calm(): void {
    const { network, members } = this.#cluster;
    network.cut.clear();
    network.onChunk = null;
    Object.assign(network.faults, { dropRate: 0, repeatRate: 0, slowRate: 0 });
    for (const member of members) {
      member.slowness = 1;
      member.lanes.log.calm();
      member.lanes.bulk.calm();
      member.crashRate = 0;
      member.setDrift(1);
      member.options.disk.capacityBytes = Infinity;
      member.options.disk.failAfter = null;
    }
  }

  /** A member whose disk does not verify is removed, its data wiped, and a new one joins in its place. */
  replaceDamaged(): boolean {
    const broken = this.#cluster.members.find((member) => member.state === 'refused') ?? this.#lateJoiner();
    if (broken === undefined) return false;
    const leader = this.#leader();
    if (leader === null || leader.node === null) return true;
    if (memberIds(leader.node.state.conf).includes(broken.id)) this.#call({ kind: 'remove', memberId: broken.id });
    else {
      broken.leave();
      this.#add();
    }
    return true;
  }

  /** Given up by who asked a leader of before, that did not know of its joining: it was to be removed, too. */
  #lateJoiner(): SimMember | undefined {
    const conf = this.#leader()?.node?.state.conf;
    return conf === undefined ? undefined : this.#cluster.members.find((member) => member.state === 'left' && memberIds(conf).includes(member.id));
  }

  #strike(fault: Fault): void {
    const { network, members, trace } = this.#cluster;
    const random = this.#random;
    const up = members.filter((member) => member.state === 'up');
    const member = up[randomBelow(random, Math.max(1, up.length))];
    const down = members.filter((one) => one.state === 'down');
    if (down.length > 0 && random.float() < 0.3) down[randomBelow(random, down.length)]?.start();
    if (member === undefined) {
      for (const one of down) one.start();
      return;
    }
    count(this.#cluster.tally, `× ${fault}`);
    switch (fault) {
      case 'crash':
        member.crash('power');
        if (random.float() < 0.15) for (const one of members) if (one.state === 'up') one.crash('power everywhere');
        break;
      case 'restart':
        member.crash('restart');
        member.start();
        break;
      case 'cut': {
        trace?.('cut');
        const side = new Set(members.filter(() => random.float() < 0.5).map((one) => one.id));
        for (const a of members) for (const b of members) if (side.has(a.id) !== side.has(b.id)) network.cut.add(`${a.id}>${b.id}`);
        break;
      }
      case 'one-way': {
        const other = members[randomBelow(random, members.length)];
        trace?.(`one way cut ${member.id} > ${other?.id ?? ''}`);
        if (random.float() < 0.5) network.cut.add(`${member.id}>${other?.id ?? ''}`);
        else for (const one of members) if (one !== member) network.cut.add(`${member.id}>${one.id}`);
        break;
      }
      case 'heal':
        trace?.('heal');
        network.cut.clear();
        Object.assign(network.faults, { dropRate: 0, repeatRate: 0, slowRate: 0 });
        break;
      case 'lossy':
        Object.assign(network.faults, { dropRate: random.float() * 0.3, repeatRate: random.float() * 0.2, slowRate: random.float() * 0.2 });
        break;
      case 'stall':
        member.stall(50 + random.float() * 2500);
        break;
      case 'slow-disk':
        member.slowness = random.float() < 0.5 ? 1 : 200 * random.float();
        break;
      case 'full-disk':
        trace?.(`${member.id} full disk`);
        member.options.disk.capacityBytes = member.options.disk.usedBytes + randomBelow(random, 20_000);
        this.#cluster.scheduler.after(300 + random.float() * 2000, () => {
          member.options.disk.capacityBytes = Infinity;
        });
        break;
      case 'disk-error':
        trace?.(`${member.id} disk error`);
        member.options.disk.failAfter = randomBelow(random, 20);
        break;
      case 'bit-flip':
        this.#flip(member);
        break;
      case 'drift':
        member.setDrift(0.8 + random.float() * 0.4);
        break;
      case 'crash-at-jobs':
        member.crashRate = member.crashRate > 0 ? 0 : 0.02 + random.float() * 0.1;
        break;
      case 'transfer':
        this.#call({ kind: 'transfer', memberId: member.id });
        break;
      case 'add':
        if (members.filter((one) => one.state !== 'left').length < 6) this.#add();
        break;
      case 'remove':
        if (members.filter((one) => one.state !== 'left').length > 2) this.#call({ kind: 'remove', memberId: member.id });
        break;
      case 'replace':
        this.#replace();
        break;
      case 'snapshot':
        member.act((node) => node.snapshots.request(() => undefined));
        break;
      case 'storm':
        trace?.('storm');
        Object.assign(network.faults, { slowRate: 0.5, dropRate: random.float() * 0.2 });
        this.#storm(10 + randomBelow(random, 60));
        break;
      case 'rotate-key':
        trace?.(`${member.id} rotates its key`);
        member.act(() => member.rotation?.rotate(() => undefined));
        break;
      case 'slow-thread':
      case 'held-thread':
      case 'overlap':
      case 'close':
        strikeOverlap(fault, member, this.#tools());
        break;
      default:
        trace?.(`${member.id} ${fault}`);
        strikeTargeted(fault, member, this.#tools());
    }
  }

  #tools(): Tools {
    const cluster = this.#cluster;
    return {
      cluster, random: this.#random, leader: () => this.#leader(), add: () => this.#add(),
      remove: (member) => this.#call({ kind: 'remove', memberId: member.id }),
      transfer: (member) => this.#call({ kind: 'transfer', memberId: member.id }),
      later: (delayMs, run) => void cluster.scheduler.after(delayMs, () => {
        if (!this.#isOver) run();
      }),
    };
  }

  /** Members restart one after the other, faster than elections end. */
  #storm(left: number): void {
    const { members, scheduler, network } = this.#cluster;
    if (left === 0 || this.#isOver) {
      Object.assign(network.faults, { slowRate: 0, dropRate: 0 });
      return;
    }
    const up = members.filter((one) => one.state === 'up');
    // Often the one that leads or campaigns: what it sent is under way.
    const busy = up.filter((one) => one.node !== null && one.node.core.status().role !== 'follower');
    const pool = busy.length > 0 && this.#random.float() < 0.5 ? busy : up;
    const member = pool[randomBelow(this.#random, Math.max(1, pool.length))];
    if (member !== undefined) {
      member.crash('storm');
      if (this.#random.float() < 0.8) member.start();
    }
    for (const one of members) if (one.state === 'down' && this.#random.float() < 0.3) one.start();
    scheduler.after(2 + this.#random.float() * 120, () => this.#storm(left - 1));
  }

  #flip(member: SimMember): void {
    const { members, trace, network } = this.#cluster;
    if (this.#damaged !== null && this.#damaged.state !== 'left' && this.#damaged.state !== 'up') return;
    // Only where all others are well: the damaged one's copy does not count any more.
    if (members.some((one) => one !== member && (one.state === 'down' || one.state === 'refused')) || network.cut.size > 0 || members.filter((one) => one.state === 'up').length < 3) return;
    const conf = this.#leader()?.node?.state.conf;
    if (this.#cluster.scheduler.nowMs - this.#removalMs < 3000 || conf === undefined || conf.votersOutgoing.length > 0 || conf.voters.length < 3) return;
    member.crash('for a bit flip');
    const path = member.options.disk.flipBit((one) => one.endsWith('.wal') || one.endsWith('.snap'));
    trace?.(`${member.id} bit flip in ${path ?? 'nothing'}`);
    this.#damaged = member;
    member.start();
  }

  #leader(): SimMember | null {
    return this.#cluster.members.find((member) => member.state === 'up' && member.node?.leadership.isLeader === true) ?? null;
  }

  #call(call: MemberCall): void {
    this.#cluster.trace?.(`call ${JSON.stringify(call)}`);
    // A disk that is destroyed while another voter is on its way out is one loss too many.
    if (call.kind === 'remove' || call.kind === 'replace') this.#removalMs = this.#cluster.scheduler.nowMs;
    const up = this.#cluster.members.filter((member) => member.state === 'up');
    const via = up[randomBelow(this.#random, Math.max(1, up.length))];
    via?.act((node) => node.membership.call(call, (answer) => {
      if (answer.kind === 'refused') this.#cluster.trace?.(`refused: ${answer.message}`);
    }));
  }

  #add(): void {
    const leader = this.#leader();
    if (leader === null) return;
    const member = this.#cluster.addMember();
    member.start();
    this.#call({ kind: 'join', memberId: member.id, address: member.id, featureLevel: 1 });
  }

  #replace(): void {
    const conf = this.#leader()?.node?.state.conf;
    const learner = conf?.learners[0];
    const voter = conf?.voters[randomBelow(this.#random, conf.voters.length)];
    if (learner !== undefined && voter !== undefined) this.#call({ kind: 'replace', memberId: voter, byMemberId: learner });
    else this.#strike('add');
  }
}
