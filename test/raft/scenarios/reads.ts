import type { MemberId } from '../../../src/raft/types.ts';
import type { World } from '../world.ts';
import { must, elect, cutBoth, deliverWhere, roleOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';

export const reads: readonly Scenario[] = [
  {
    catches: 'read-local',
    name: 'a deposed leader that does not know it answers no read',
    play: (make) => staleLeader(make(), ['a']),
  },
  {
    catches: 'read-before-quorum',
    name: 'one follower\'s confirmation is not enough for a read',
    play: (make) => staleLeader(make({ voters: ['a', 'b', 'c', 'd', 'e'] }), ['a', 'b']),
  },
  {
    catches: 'read-before-term-commit',
    name: 'a new leader answers reads only after an entry of its own term',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.cut.add('a>c');
      world.propose('a');
      world.settle();
      // b knows the entry but not that it is committed; it becomes leader and is asked at once.
      const b = world.get('b');
      world.propose('a');
      for (let round = 0; round < 4; round += 1) {
        while (world.get('a').persistOne());
        while (b.persistOne());
        deliverWhere(world, (message) => (message.to === 'b' && message.kind === 'append' && message.entries.length > 0) || (message.to === 'a' && message.from === 'b'));
      }
      while (world.get('a').applyOne());
      world.isolate('a');
      world.mail = [];
      for (let tick = 0; tick < 60 && roleOf(world, 'b') !== 'leader'; tick += 1) {
        for (const id of ['b', 'c']) world.get(id).core.tick();
        for (let round = 0; round < 10; round += 1) {
          for (const id of ['b', 'c']) {
            world.get(id).pump();
            while (world.get(id).persistOne());
          }
          deliverWhere(world, (message) => message.kind.includes('vote'));
        }
      }
      must(roleOf(world, 'b') === 'leader', 'the story is set up: b leads');
      world.read('b');
      for (let round = 0; round < 10; round += 1) deliverWhere(world, (message) => message.kind.startsWith('heartbeat'));
    },
  },
  {
    catches: 'read-round-reused',
    name: 'a late confirmation of an earlier read does not confirm a later one',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.read('a');
      deliverWhere(world, (message) => message.kind === 'heartbeat');
      const late = world.mail.find((message) => message.kind === 'heartbeat-response' && message.from === 'b');
      world.mail = world.mail.filter((message) => message !== late);
      world.settle();
      depose(world, ['a']);
      world.read('a');
      if (late !== undefined) {
        world.heal();
        world.deliver(late);
      }
    },
  },
];

/** The others elect a new leader and commit a write, while the old one and those with it hear nothing of it and do not tick. */
function depose(world: World, old: readonly MemberId[]): void {
  const rest = [...world.members.keys()].filter((id) => !old.includes(id));
  for (const a of old) for (const b of rest) cutBoth(world, a, b);
  for (let tick = 0; tick < 60 && !rest.some((id) => world.get(id).core.status().isLeading); tick += 1) {
    for (const id of rest) world.tick(id);
    world.settle();
  }
  const leader = rest.find((id) => world.get(id).core.status().isLeading);
  if (leader === undefined) throw new Error('the story is not set up: nobody leads');
  world.propose(leader);
  world.settle();
}

function staleLeader(world: World, old: readonly MemberId[]): void {
  elect(world, 'a');
  depose(world, old);
  world.read('a');
  world.settle();
}
