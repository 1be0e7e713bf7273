import type { World } from '../world.ts';
import { deliverWhere, elect, electAndLeaveBehind, must, roleOf } from './scenario.ts';
import type { Scenario, Setup } from './scenario.ts';

export const members: readonly Scenario[] = [
  {
    catches: 'conf-change-before-term-commit',
    name: 'a new leader takes no change of members before it has applied an entry of its term',
    play: (make) => {
      const world = make({ others: ['d'] });
      world.get('a').core.campaign();
      for (let round = 0; round < 20 && roleOf(world, 'a') !== 'leader'; round += 1) {
        for (const member of world.up()) {
          member.pump();
          while (member.persistOne());
        }
        deliverWhere(world, (message) => message.kind.includes('vote'));
      }
      must(roleOf(world, 'a') === 'leader', 'the story is set up: a leads');
      must(world.change('a', { transition: 'auto', changes: [{ kind: 'add-voter', member: 'd' }] }).kind === 'refused', 'the change waits');
    },
  },
  {
    catches: 'conf-change-at-append',
    name: 'a change that was not committed has no effect, and leaves none when it is cut',
    play: (make) => {
      const world = make({ others: ['d'] });
      elect(world, 'a');
      world.isolate('a');
      world.change('a', { transition: 'auto', changes: [{ kind: 'add-voter', member: 'd' }] });
      world.settle();
      must(!world.get('a').core.status().conf.voters.includes('d'), 'the configuration changes when the change is applied');
    },
  },
  {
    catches: 'conf-change-many-pending',
    name: 'one change of members at a time',
    play: (make) => {
      const world = make({ others: ['d', 'e'] });
      elect(world, 'a');
      world.change('a', { transition: 'auto', changes: [{ kind: 'add-learner', member: 'd' }] });
      must(world.change('a', { transition: 'auto', changes: [{ kind: 'add-learner', member: 'e' }] }).kind === 'refused', 'the second change waits');
    },
  },
  {
    catches: 'joint-stuck',
    name: 'a later leader leaves the joint configuration that an earlier one entered',
    play: (make) => {
      const world = make({ others: ['d'] });
      elect(world, 'a');
      world.change('a', { transition: 'implicit', changes: [{ kind: 'add-voter', member: 'd' }, { kind: 'remove', member: 'c' }] });
      // Everybody but a applies the change; a crashes before it does.
      for (let round = 0; round < 30; round += 1) {
        for (const member of world.up()) while (member.persistOne());
        for (const id of ['b', 'c']) while (world.get(id).applyOne());
        const { mail } = world;
        world.mail = [];
        for (const message of mail) world.deliver(message);
        if (round % 5 === 4) world.tick('a');
      }
      world.get('a').crash(0);
      world.run(60);
      world.get('a').restart();
      world.run(60);
      const leader = world.leader();
      must(leader !== null && leader.core.status().conf.votersOutgoing.length === 0, 'the joint configuration is left');
    },
  },
  {
    catches: 'joint-one-majority',
    name: 'while joint, the old voters decide too',
    play: (make) => {
      const world = make({ others: ['d', 'e'] });
      elect(world, 'a');
      const changes = [{ kind: 'add-voter', member: 'd' }, { kind: 'add-voter', member: 'e' }, { kind: 'remove', member: 'b' }, { kind: 'remove', member: 'c' }] as const;
      world.change('a', { transition: 'explicit', changes });
      world.run(3);
      for (const id of ['b', 'c']) world.isolate(id);
      world.propose('a');
      world.run(3);
    },
  },
  {
    catches: 'founders-forgotten',
    name: 'a member that joins with an empty log learns who founded the cluster',
    play: (make) => {
      const world = make({ voters: ['a'], others: ['b'] });
      elect(world, 'a');
      world.change('a', { transition: 'auto', changes: [{ kind: 'add-voter', member: 'b' }] });
      world.run(5);
      must(world.get('b').core.status().conf.voters.includes('a'), 'the founder is a voter for the newcomer too');
    },
  },
  {
    catches: 'commit-not-told',
    name: 'a voter that needs the vote of a demoted leader is told that the demotion is committed',
    play: demotedLeader,
  },
  {
    catches: 'match-from-last-index',
    name: 'a new member is not counted as holding anything',
    play: (make) => {
      const world = make({ voters: ['a'], others: ['b'] });
      elect(world, 'a');
      world.isolate('b');
      world.change('a', { transition: 'auto', changes: [{ kind: 'add-voter', member: 'b' }] });
      world.settle();
      const status = world.get('a').core.status().members.find((member) => member.member === 'b');
      must(status?.match === 0, 'its match index begins at 0');
    },
  },
  {
    catches: 'learner-counts',
    name: 'a learner\'s copy commits nothing',
    play: (make) => {
      const world = make({ voters: ['a', 'b'], others: ['d'] });
      elect(world, 'a');
      world.change('a', { transition: 'auto', changes: [{ kind: 'add-learner', member: 'd' }] });
      world.run(3);
      world.isolate('b');
      world.propose('a');
      world.run(3);
    },
  },
  {
    catches: 'removed-leader-stays',
    name: 'a leader that is removed stops leading',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.change('a', { transition: 'auto', changes: [{ kind: 'remove', member: 'a' }] });
      world.settle();
      must(roleOf(world, 'a') !== 'leader', 'the removed leader has stepped down');
    },
  },
  {
    catches: 'removed-member-heard',
    name: 'a removed member and another cluster are not listened to',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.change('a', { transition: 'auto', changes: [{ kind: 'remove', member: 'c' }] });
      world.run(3);
      const core = world.get('a').core;
      const ask = { kind: 'read-index', from: 'c', to: 'a', term: 1, clusterId: 'world', context: 1 } as const;
      must(core.step(ask)?.code === 'RAFT_REMOVED_MEMBER', 'the removed member is told so');
      must(core.step({ ...ask, from: 'b', clusterId: 'another' })?.code === 'RAFT_WRONG_CLUSTER', 'another cluster is told so');
    },
  },
  {
    catches: 'transfer-to-lagging',
    name: 'the leadership is handed over only to a member that has everything',
    play: (make) => {
      const world = make();
      electAndLeaveBehind(world);
      world.get('a').core.transferLeader('c');
      world.get('a').pump();
      must(!world.mail.some((message) => message.kind === 'timeout-now'), 'first it is brought up to date');
    },
  },
  {
    catches: 'transfer-never-aborted',
    name: 'a handover to a dead member is given up',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.get('c').crash(0);
      world.get('a').core.transferLeader('c');
      world.run(25);
      must(world.propose('a').kind === 'proposed', 'proposals are taken again');
    },
  },
];

/** a hands the only vote to c; c holds the end of the joint configuration but does not know that it is committed. */
function demotedLeader(make: (options?: Partial<Setup>) => World): void {
  const world = make({ voters: ['a'], others: ['c'] });
  elect(world, 'a');
  world.change('a', { transition: 'auto', changes: [{ kind: 'add-learner', member: 'c' }] });
  world.run(3);
  world.change('a', { transition: 'explicit', changes: [{ kind: 'add-voter', member: 'c' }, { kind: 'add-learner', member: 'a' }] });
  world.run(3);
  world.change('a', { transition: 'auto', changes: [] });
  while (world.get('a').persistOne());
  deliverWhere(world, (message) => message.to === 'c');
  while (world.get('c').persistOne());
  // c has written it. Before its answer arrives, a appends more, which nobody will get.
  world.isolate('c');
  world.propose('a');
  while (world.get('a').persistOne());
  world.heal();
  deliverWhere(world, (message) => message.to === 'a');
  world.mail = [];
  while (world.get('a').applyOne());
  world.mail = [];
  must(roleOf(world, 'a') !== 'leader', 'the story is set up: a has stepped down');
  world.run(100);
  must(world.leader()?.id === 'c', 'the remaining voter leads');
}
