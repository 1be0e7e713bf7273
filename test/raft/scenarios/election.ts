import type { World } from '../world.ts';
import { cutBoth, deliverWhere, elect, electAndLeaveBehind, must, roleOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** a and c both ask b for its vote of the same term; b crashes between the two. */
function twoCandidates(world: World, hasTimeToPersist: boolean): void {
  for (const id of ['a', 'c']) {
    world.get(id).core.campaign();
    world.get(id).pump();
    cutBoth(world, 'a', 'c');
  }
  for (const id of ['a', 'c']) {
    while (world.get(id).persistOne());
    deliverWhere(world, (message) => message.kind === 'pre-vote' && message.from === id);
  }
  while (world.get('b').persistOne());
  deliverWhere(world, (message) => message.kind === 'pre-vote-response');
  for (const id of ['a', 'c']) while (world.get(id).persistOne());
  deliverWhere(world, (message) => message.kind === 'vote' && message.from === 'a' && message.to === 'b');
  if (hasTimeToPersist) while (world.get('b').persistOne());
  world.get('b').crash(0);
  world.get('b').restart();
  world.settle();
}

export const election: readonly Scenario[] = [
  {
    catches: 'vote-before-persist',
    name: 'a vote that was not written when its giver crashed was never sent',
    play: (make) => twoCandidates(make(), false),
  },
  {
    catches: 'vote-asked-before-persist',
    name: 'who leads has its term on disk, though the others\' votes are enough',
    play: (make) => {
      const world = make();
      world.get('a').core.campaign();
      world.get('a').pump();
      // Its disk stands still from here; the others' don't.
      const others = (): void => {
        for (const id of ['b', 'c']) while (world.get(id).persistOne());
      };
      for (const kind of ['pre-vote', 'pre-vote-response', 'vote', 'vote-response'] as const) {
        deliverWhere(world, (message) => message.kind === kind);
        others();
      }
      const { role, hardState } = world.get('a').core.status();
      must(role !== 'leader', `nobody leads term ${hardState.term} who may forget it`);
      while (world.get('a').persistOne());
      world.settle();
      must(world.get('a').core.status().role === 'leader', 'it leads once its vote is durable');
    },
  },
  {
    catches: 'vote-not-in-hard-state',
    name: 'a vote that was written is remembered after a crash',
    play: (make) => twoCandidates(make(), true),
  },
  {
    catches: 'double-vote',
    name: 'a member votes once in a term',
    play: (make) => {
      const world = make();
      const core = world.get('b').core;
      const head = { kind: 'vote', to: 'b', term: 1, clusterId: 'world', lastIndex: 0, lastTerm: 0, isTransfer: false, commit: 0, commitTerm: 0 } as const;
      core.step({ ...head, from: 'a' });
      core.step({ ...head, from: 'c' });
      const granted = (core.ready().persist?.messagesAfterPersist ?? []).filter((message) => message.kind === 'vote-response' && !message.isReject);
      must(granted.length === 1, 'a member votes once in a term');
    },
  },
  {
    catches: 'vote-ignores-log',
    name: 'a candidate whose log is behind gets no vote',
    play: (make) => {
      const world = make();
      electAndLeaveBehind(world);
      world.isolate('a');
      world.get('b').core.forgetLeader();
      world.get('c').core.campaign();
      world.settle();
    },
  },
  {
    catches: 'no-pre-vote',
    name: 'a member that was cut off comes back without deposing the leader',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.isolate('c');
      world.run(60);
      world.heal();
      world.run(20);
      const { role, hardState } = world.get('a').core.status();
      must(role === 'leader' && hardState.term === 1, 'the leader keeps leading in its term');
    },
  },
  {
    catches: 'no-check-quorum',
    name: 'a leader that hears from no majority stops leading',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.isolate('a');
      world.run(25);
      must(roleOf(world, 'a') !== 'leader', 'a leader without a quorum steps down');
    },
  },
  {
    catches: 'pre-vote-reject-without-term',
    name: 'a member with a long log and an old term learns the new term from a refusal',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.isolate('a');
      world.propose('a');
      while (world.get('a').persistOne());
      world.get('a').crash(0);
      world.mail = [];
      // b becomes candidate twice with the pre-votes of c, whose votes are lost.
      for (let round = 0; round < 2; round += 1) {
        const { term } = world.get('b').core.status().hardState;
        for (let tick = 0; tick < 40 && world.get('b').core.status().hardState.term === term; tick += 1) {
          for (const id of ['b', 'c']) world.get(id).core.tick();
          for (const id of ['b', 'c']) {
            world.get(id).pump();
            while (world.get(id).persistOne());
          }
          world.mail = world.mail.filter((message) => message.to !== 'b' || message.from !== 'c' || message.kind === 'pre-vote-response');
          deliverWhere(world, (message) => message.kind.startsWith('pre-vote') && message.from !== 'c');
          while (world.get('c').persistOne());
          deliverWhere(world, (message) => message.kind === 'pre-vote-response');
          while (world.get('b').persistOne());
        }
        world.mail = [];
      }
      world.get('c').crash(0);
      world.heal();
      world.get('a').restart();
      must(world.get('b').core.status().hardState.term >= 3, 'the story is set up: b has a newer term');
      world.run(80);
      must(world.leader() !== null, 'two of three members elect a leader');
    },
  },
  {
    catches: 'late-tick-decides',
    name: 'a late wake-up does not campaign before the waiting heartbeat is read',
    play: (make) => {
      const world = make({ limits: { electionTicks: 5 } });
      elect(world, 'a');
      const b = world.get('b');
      b.core.setElectionTicks(5);
      for (let tick = 0; tick < 4; tick += 1) world.tick('b');
      world.get('a').core.tick();
      world.get('a').pump();
      b.core.tickLate();
      b.pump();
      deliverWhere(world, (message) => message.to === 'b');
      b.core.decide();
      b.pump();
      must(!world.mail.some((message) => message.kind === 'pre-vote'), 'nobody campaigns after a mere stall');
    },
  },
];
