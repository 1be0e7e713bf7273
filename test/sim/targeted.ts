import { randomBelow } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import type { Cluster } from './nemesis.ts';
import type { SimMember } from './sim-member.ts';
import { count } from './tally.ts';

export type TargetedFault = 'slow-leader' | 'full-leader' | 'error-leader' | 'stall-leader' | 'clock-jump' | 'cut-link' | 'lag' | 'churn' | 'rotate-and-crash';

/** Faults that chance alone seldom brings about: they look for the member, the link or the moment where they hurt most. */
export const targetedFaults: readonly TargetedFault[] = ['slow-leader', 'full-leader', 'error-leader', 'stall-leader', 'clock-jump', 'cut-link', 'lag', 'churn', 'rotate-and-crash'];

export type Tools = {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly leader: () => SimMember | null;
  readonly add: () => void;
  readonly remove: (member: SimMember) => void;
  readonly transfer: (member: SimMember) => void;
  /** Nothing happens any more once the trouble is over. */
  readonly later: (delayMs: number, run: () => void) => void;
};

export function strikeTargeted(fault: TargetedFault, any: SimMember, tools: Tools): void {
  const { cluster, random, later } = tools;
  const member = tools.leader() ?? any;
  switch (fault) {
    case 'slow-leader':
      // A gray failure: heartbeats go out in time, and hardly anything becomes durable.
      member.slowness = 100 + random.float() * 2000;
      later(500 + random.float() * 4000, () => {
        member.slowness = 1;
      });
      break;
    case 'full-leader':
      member.options.disk.capacityBytes = member.options.disk.usedBytes + randomBelow(random, 60_000);
      later(300 + random.float() * 3000, () => {
        member.options.disk.capacityBytes = Infinity;
      });
      break;
    case 'error-leader':
      member.options.disk.failAfter = randomBelow(random, 8);
      break;
    case 'stall-leader':
      member.stall(500 + random.float() * 4000);
      break;
    case 'clock-jump':
      // By hours, in either direction; a cluster of one day has members of another.
      any.wallOffsetMs += (random.float() - 0.5) * 2 * (random.float() < 0.5 ? 5000 : 86_400_000);
      break;
    case 'cut-link':
      cutLinks(member, others(cluster, member).slice(0, 1), tools, 200 + random.float() * 4000);
      break;
    case 'lag':
      lag(any, tools);
      break;
    case 'churn':
      churn(6 + randomBelow(random, 20), tools);
      break;
    case 'rotate-and-crash':
      rotate(any, tools);
      break;
  }
}

export function others(cluster: Cluster, member: SimMember): SimMember[] {
  return cluster.members.filter((one) => one !== member && one.state !== 'left');
}

/** Both ways, for a while: the two hear each other no more, and all others hear both. */
export function cutLinks(member: SimMember, from: readonly SimMember[], { cluster, later }: Tools, forMs: number): void {
  const { cut } = cluster.network;
  const links = from.flatMap((other) => [`${member.id}>${other.id}`, `${other.id}>${member.id}`]);
  for (const link of links) cut.add(link);
  later(forMs, () => {
    for (const link of links) cut.delete(link);
  });
}

/** A member is cut off until the others' logs begin after what it has; the transfer that it needs then is interrupted at one chunk after the other. */
export function lag(any: SimMember, tools: Tools): void {
  const { cluster, random, later } = tools;
  const leader = tools.leader();
  const member = any === leader ? others(cluster, leader)[0] : any;
  // NOTE: one at a time: of two, each would keep the other from what it lacks.
  if (leader === null || member === undefined || cluster.network.onChunk !== null) return;
  const links = others(cluster, member).flatMap((other) => [`${member.id}>${other.id}`, `${other.id}>${member.id}`]);
  for (const link of links) cluster.network.cut.add(link);
  const untilMs = cluster.scheduler.nowMs + 4000;
  const hold = (): void => {
    const firstIndex = tools.leader()?.node?.core.status().firstIndex ?? 0;
    if (cluster.scheduler.nowMs > untilMs || firstIndex > (member.node?.core.status().lastIndex ?? 0) + 1) {
      for (const link of links) cluster.network.cut.delete(link);
      later(3000, () => {
        cluster.network.onChunk = null;
      });
      return;
    }
    // NOTE: two snapshots are kept, and the log back to the older.
    for (const one of others(cluster, member)) one.act((node) => node.snapshots.request(() => undefined));
    later(150, hold);
  };
  let left = 1 + randomBelow(random, 6);
  let chunks = 0;
  const interruptAt = randomBelow(random, 3);
  cluster.network.onChunk = (from, to) => {
    chunks += 1;
    if (left === 0 || chunks <= interruptAt) return;
    chunks = 0;
    left -= 1;
    const [sender, receiver] = [from, to].map((id) => cluster.members.find((one) => one.id === id));
    if (sender === undefined || receiver === undefined) return;
    count(cluster.tally, 'transfers interrupted');
    const dice = random.float();
    // NOTE: after the event that sends, as a member can't end in the middle of its own step.
    later(random.float() * 3, () => {
      if (dice < 0.3) restart(receiver, tools);
      else if (dice < 0.6) restart(sender, tools);
      else cutLinks(sender, [receiver], tools, 100 + random.float() * 3500);
    });
  };
  hold();
}

function restart(member: SimMember, { random, later }: Tools): void {
  if (member.state !== 'up') return;
  member.crash('within a transfer');
  later(random.float() * 300, () => member.start());
}

/** Members come, go and restart faster than any of it is done. */
function churn(left: number, tools: Tools): void {
  const { cluster, random, later } = tools;
  if (left === 0) return;
  const present = cluster.members.filter((one) => one.state !== 'left');
  const dice = random.float();
  const newest = present.at(-1);
  const some = present[randomBelow(random, Math.max(1, present.length))];
  if (dice < 0.4 && present.length < 6) tools.add();
  else if (dice < 0.7 && present.length > 2 && some !== undefined) tools.remove(some);
  else if (newest !== undefined) restart(newest, tools);
  later(30 + random.float() * 400, () => churn(left - 1, tools));
}

/** New keys, and the power goes at some disk job of the change; where nothing is encrypted, at one of a snapshot. */
function rotate(member: SimMember, { random, later }: Tools): void {
  const { rotation } = member;
  member.act((node) => (rotation === null ? node.snapshots.request(() => undefined) : rotation.rotate(() => undefined)));
  member.crashRate = 0.05 + random.float() * 0.4;
  later(50 + random.float() * 400, () => {
    member.crashRate = 0;
  });
}
