import { randomBelow } from '../../src/base/random.ts';
import type { RaftMutation } from '../../src/raft/mutations.ts';
import type { ConfChange, MemberId } from '../../src/raft/types.ts';
import { Broken, World, type Member } from './world.ts';

/** A random life of a small cluster, all of it from one seed. Throws `Broken` when a promise is broken. */
export function runSchedule(options: { readonly seed: number; readonly steps: number; readonly mutations?: ReadonlySet<RaftMutation> }): World {
  const sizes: readonly (readonly MemberId[])[] = [['a', 'b', 'c'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd', 'e'], ['a', 'b', 'c', 'd'], ['a']];
  const voters = sizes[options.seed % sizes.length] ?? ['a'];
  const all = ['a', 'b', 'c', 'd', 'e'];
  const world = new World({
    seed: options.seed,
    voters,
    others: all.filter((id) => !voters.includes(id)).slice(0, 2),
    limits: { electionTicks: 5 },
    ...(options.mutations === undefined ? {} : { mutations: options.mutations }),
  });
  const weather = weathers[Math.floor(options.seed / sizes.length) % weathers.length];
  for (let step = 0; weather !== undefined && step < options.steps; step += 1) {
    act(world, weather);
    if (step % 50 === 0) world.checkLogMatching();
  }
  finish(world);
  return world;
}

type Weights = { readonly persist: number; readonly crash: number; readonly cut: number; readonly members: number };

/** Kinds of bad weather; the seed chooses one. */
const weathers: readonly Weights[] = [
  { persist: 180, crash: 8, cut: 15, members: 7 },
  { persist: 90, crash: 40, cut: 15, members: 4 },
  { persist: 180, crash: 4, cut: 50, members: 4 },
  { persist: 150, crash: 12, cut: 25, members: 30 },
];

/** One thing happens. */
function act(world: World, weather: Weights): void {
  const member = world.pick(world.up());
  if (member === null) {
    restartOne(world);
    return;
  }
  const actions: readonly (readonly [number, () => void])[] = [
    [330, () => deliverOne(world)],
    [150, () => world.tick(member.id)],
    [weather.persist, () => member.persistOne()],
    [140, () => member.applyOne()],
    [70, () => proposeSome(world)],
    [40, () => world.read(member.id)],
    [15, () => member.compact(randomBelow(world.random, 4))],
    [weather.cut, () => partition(world)],
    [20, () => world.heal()],
    [weather.crash, () => member.crash(randomBelow(world.random, member.jobs.length + 1))],
    [weather.crash + 15, () => restartOne(world)],
    [weather.members, () => changeMembers(world)],
    [5, () => transfer(world)],
    [5, () => lateTick(world, member)],
    [3, () => campaign(member)],
  ];
  let dice = randomBelow(world.random, actions.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, run] of actions) {
    if (dice < weight) {
      run();
      return;
    }
    dice -= weight;
  }
}

/** Mostly in order, sometimes any message, sometimes twice, sometimes never. */
function deliverOne(world: World): void {
  if (world.mail.length === 0) return;
  if (world.mail.length > 300) world.mail.splice(0, 150);
  const dice = randomBelow(world.random, 100);
  const at = dice < 70 ? 0 : randomBelow(world.random, world.mail.length);
  const message = world.mail[at];
  if (message === undefined) return;
  if (dice >= 96 && message.kind !== 'snapshot') {
    world.mail.splice(at, 1);
    return;
  }
  // NOTE: a snapshot's stream is one, so it is neither doubled nor lost without a report.
  if (dice >= 90 && message.kind !== 'snapshot') world.deliver(message);
  else world.deliverAt(at);
}

function proposeSome(world: World): void {
  const leader = world.leader();
  if (leader === null) return;
  for (let count = 1 + randomBelow(world.random, 3); count > 0; count -= 1) world.propose(leader.id);
}

function partition(world: World): void {
  const ids = [...world.members.keys()];
  const one = world.pick(ids);
  if (one === null) return;
  if (randomBelow(world.random, 2) === 0) {
    world.isolate(one);
    return;
  }
  const other = world.pick(ids);
  if (other !== null && other !== one) world.cut.add(`${one}>${other}`);
}

function restartOne(world: World): void {
  world.pick([...world.members.values()].filter((member) => !member.isUp))?.restart();
}

function transfer(world: World): void {
  const leader = world.leader();
  const to = world.pick([...world.members.keys()]);
  if (leader === null || to === null) return;
  leader.core.transferLeader(to);
  leader.pump();
}

function campaign(member: Member): void {
  member.core.campaign();
  member.pump();
}

function lateTick(world: World, member: Member): void {
  member.core.tickLate();
  member.pump();
  for (const message of world.mail.filter((one) => one.to === member.id)) {
    world.mail.splice(world.mail.indexOf(message), 1);
    world.deliver(message);
  }
  member.core.decide();
  member.pump();
}

/** At least one voter stays, ids of removed members are not used again (the core refuses that), and learners are sometimes promoted. */
function changeMembers(world: World): void {
  const leader = world.leader();
  if (leader === null) return;
  const { conf } = leader.core.status();
  const kinds = ['add-voter', 'add-learner', 'remove'] as const;
  const one = (): ConfChange['changes'][number] => ({ kind: kinds[randomBelow(world.random, 3)] ?? 'add-voter', member: world.pick([...world.members.keys()]) ?? 'a' });
  const dice = randomBelow(world.random, 4);
  const changes = dice === 0 ? [one(), one()] : [one()];
  // NOTE: below three members a single crash would end the cluster's life and the run would show nothing.
  const removals = changes.filter((change) => change.kind === 'remove').length;
  if (conf.votersOutgoing.length > 0) world.change(leader.id, { transition: 'auto', changes: [] });
  else if (removals === 0 || conf.voters.length > 3) world.change(leader.id, { transition: dice === 1 ? 'implicit' : dice === 2 ? 'explicit' : 'auto', changes });
}

/** Faults end: now there must be one leader, and a write must reach every member of the configuration. */
function finish(world: World): void {
  world.heal();
  for (const member of world.members.values()) if (!member.isUp) member.restart();
  world.run(60);
  for (let tries = 0; tries < 12; tries += 1) {
    const leader = world.leader();
    if (leader !== null && leader.core.status().conf.votersOutgoing.length > 0) world.change(leader.id, { transition: 'auto', changes: [] });
    const result = leader === null ? null : world.propose(leader.id);
    world.run(15);
    if (leader !== null && result?.kind === 'proposed' && hasEverywhere(world, leader, result.lastIndex)) {
      world.checkLogMatching();
      if (leader.core.status().conf.votersOutgoing.length > 0) throw new Broken('the joint configuration is never left');
      return;
    }
  }
  throw new Broken(`no progress although all faults are over: ${describe(world)}`);
}

function hasEverywhere(world: World, leader: Member, index: number): boolean {
  const { conf } = leader.core.status();
  return [...conf.voters, ...conf.learners].every((id) => world.get(id).applied >= index);
}

export function describe(world: World): string {
  return [...world.members.values()]
    .map((member) => {
      const { role, hardState, leader, lastIndex, conf } = member.core.status();
      return `${member.id} ${role} term ${hardState.term} leader ${leader} last ${lastIndex} commit ${hardState.commit} applied ${member.applied} conf ${conf.voters.join('')}/${conf.votersOutgoing.join('')}/${conf.learners.join('')}`;
    })
    .join('; ');
}
