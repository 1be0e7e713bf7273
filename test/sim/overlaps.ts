import { randomBelow } from '../../src/base/random.ts';
import type { SimMember } from './sim-member.ts';
import { cutLinks, lag, others } from './targeted.ts';
import type { Tools } from './targeted.ts';
import { count } from './tally.ts';

export type OverlapFault = 'slow-thread' | 'held-thread' | 'overlap' | 'close';

/** One of a member's two threads falls behind the other, and what takes many steps is begun, broken off and begun again meanwhile. */
export const overlapFaults: readonly OverlapFault[] = ['slow-thread', 'held-thread', 'overlap', 'close'];

export function strikeOverlap(fault: OverlapFault, any: SimMember, tools: Tools): void {
  const { random } = tools;
  const leader = tools.leader();
  const member = random.float() < 0.4 && leader !== null ? leader : any;
  tools.cluster.trace?.(`${member.id} ${fault}`);
  switch (fault) {
    case 'slow-thread':
      slow(member, tools, 300 + random.float() * 4000);
      break;
    case 'held-thread':
      hold(member, tools, 100 + random.float() * 3000);
      break;
    case 'overlap':
      overlap(member, tools);
      break;
    case 'close':
      close(member, tools);
      break;
  }
}

function slow(member: SimMember, { random, later, cluster }: Tools, forMs: number): void {
  const name = random.float() < 0.5 ? 'log' : 'bulk';
  const lane = member.lanes[name];
  const mostMs = 10 * 300 ** random.float();
  cluster.trace?.(`${member.id}: its ${name} thread takes up to ${mostMs.toFixed(0)} ms a job`);
  lane.slow(() => random.float() * mostMs);
  later(forMs, () => lane.slow(() => 0));
}

function hold(member: SimMember, { random, later, cluster }: Tools, forMs: number): void {
  const name = random.float() < 0.6 ? 'log' : 'bulk';
  const lane = member.lanes[name];
  cluster.trace?.(`${member.id}: its ${name} thread stands still`);
  lane.hold(random.float() < 0.3 ? 2 + randomBelow(random, 20) : Infinity);
  later(forMs, () => lane.release());
}

/** A thread is slow or still, and within that time all that takes many steps goes on at once. */
function overlap(member: SimMember, tools: Tools): void {
  const { random, later, cluster } = tools;
  const forMs = 500 + random.float() * 3000;
  if (random.float() < 0.5) slow(member, tools, forMs);
  else hold(member, tools, forMs);
  count(cluster.tally, 'overlaps begun');
  if (random.float() < 0.4) lag(member, tools);
  for (let left = 3 + randomBelow(random, 12); left > 0; left -= 1) later(random.float() * forMs * 1.2, () => step(member, tools));
}

function step(member: SimMember, tools: Tools): void {
  const { random, cluster, later } = tools;
  const leader = tools.leader();
  const present = others(cluster, member);
  const other = present[randomBelow(random, Math.max(1, present.length))];
  const dice = randomBelow(random, 24);
  if (dice < 5) member.act((node) => node.snapshots.request(() => undefined, random.float() < 0.2));
  else if (dice < 9) for (const one of present) one.act((node) => node.snapshots.request(() => undefined));
  else if (dice < 13) rotate(member);
  else if (dice < 14) close(random.float() < 0.5 && leader !== null ? leader : member, tools);
  else if (dice < 15) {
    member.crash('within an overlap');
    later(random.float() * 200, () => member.start());
  } else if (dice < 17 && other !== undefined) tools.transfer(random.float() < 0.5 ? member : other);
  else if (dice < 19) cutLinks(member, present.filter(() => random.float() < 0.6), tools, 50 + random.float() * 1500);
  else if (dice < 20 && present.length < 5) tools.add();
  else if (dice < 21 && present.length > 2 && other !== undefined) tools.remove(other);
  else if (dice < 22 && other !== undefined) rotate(other);
  else member.act(() => member.backup());
}

/** Once, or several times before the first is done. */
function rotate(member: SimMember): void {
  member.act(() => member.rotation?.rotate(() => undefined));
}

/** NOTE: it may end when the trouble is over, and comes back all the same. */
function close(member: SimMember, { random, cluster }: Tools): void {
  member.close(() => void cluster.scheduler.after(random.float() * 300, () => member.start()));
}
