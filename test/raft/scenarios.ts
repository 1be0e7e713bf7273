import type { RaftMutation } from '../../src/raft/mutations.ts';
import type { Entry, MemberId, Message, RaftLimits } from '../../src/raft/types.ts';
import { Broken, World } from './world.ts';

/** The smallest story that shows each known mistake: it ends well with the core as it is, and throws `Broken` with the mistake in it. */
export type Scenario = { readonly catches: RaftMutation; readonly name: string; readonly play: (world: (options?: Partial<Setup>) => World) => void };

export type Setup = { readonly voters: readonly MemberId[]; readonly others: readonly MemberId[]; readonly limits: Partial<RaftLimits>; readonly seed: number };

function must(condition: boolean, promise: string): void {
  if (!condition) throw new Broken(promise);
}

/** The member campaigns and everybody helps. */
function elect(world: World, id: MemberId): void {
  world.get(id).core.campaign();
  world.settle();
  must(world.leader()?.id === id, `${id} wins the election that it asks for`);
}

function cutBoth(world: World, a: MemberId, b: MemberId): void {
  world.cut.add(`${a}>${b}`);
  world.cut.add(`${b}>${a}`);
}

function deliverWhere(world: World, isMeant: (message: Message) => boolean): void {
  for (const message of world.mail.filter(isMeant)) {
    world.mail.splice(world.mail.indexOf(message), 1);
    world.deliver(message);
  }
}

const roleOf = (world: World, id: MemberId): string => world.get(id).core.status().role;
const commitOf = (world: World, id: MemberId): number => world.get(id).core.status().hardState.commit;
const entry = (index: number, term: number): Entry => ({ index, term, kind: 'normal', data: new Uint8Array([term]) });

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

const election: readonly Scenario[] = [
  {
    catches: 'vote-before-persist',
    name: 'a vote that was not written when its giver crashed was never sent',
    play: (make) => twoCandidates(make(), false),
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
      elect(world, 'a');
      world.isolate('c');
      world.propose('a');
      world.settle();
      world.heal();
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

const logs: readonly Scenario[] = [
  {
    catches: 'self-ack-before-persist',
    name: 'a single voter commits only what it has written',
    play: (make) => {
      const world = make({ voters: ['a'] });
      elect(world, 'a');
      const { hardState } = world.get('a').core.status();
      world.propose('a');
      must(commitOf(world, 'a') === hardState.commit, 'what is not written is not committed');
    },
  },
  {
    catches: 'ack-before-persist',
    name: 'a follower acknowledges only what it has written',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.propose('a');
      deliverWhere(world, (message) => message.kind === 'append');
      must(!world.mail.some((message) => message.kind === 'append-response'), 'no acknowledgement before the write');
    },
  },
  {
    catches: 'apply-before-persist',
    name: 'an entry is applied only when it is durable here',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      world.isolate('c');
      world.propose('a');
      world.settle();
      world.heal();
      // c gets the entry and the news that it is committed at once.
      for (let tick = 0; tick < 3; tick += 1) {
        world.tick('a');
        for (let round = 0; round < 4; round += 1) {
          const c = world.get('c');
          deliverWhere(world, (message) => message.to === 'c' || message.from === 'c');
          while (c.jobs[0]?.entries.length === 0) c.persistOne();
          while (c.applyOne());
        }
        deliverWhere(world, (message) => message.to === 'a');
      }
      while (world.get('c').applyOne());
    },
  },
  {
    catches: 'commit-old-term',
    name: 'copies of an older term\'s entry do not commit it (figure 8)',
    play: figureEight,
  },
  {
    catches: 'commit-past-match',
    name: 'a follower commits only as far as it knows its log to be the leader\'s',
    play: (make) => {
      const world = make();
      const core = world.get('c').core;
      const head = { kind: 'append', to: 'c', clusterId: 'world' } as const;
      core.step({ ...head, from: 'a', term: 1, prevIndex: 0, prevTerm: 0, entries: [entry(1, 1), entry(2, 1), entry(3, 1)], commit: 1 });
      core.step({ ...head, from: 'b', term: 2, prevIndex: 1, prevTerm: 1, entries: [], commit: 3 });
      must(core.status().hardState.commit === 1, 'entries 2 and 3 may differ from the leader\'s');
    },
  },
  {
    catches: 'heartbeat-commit-unclamped',
    name: 'a heartbeat does not make a follower commit entries of its own',
    play: (make) => {
      const world = make();
      const core = world.get('a').core;
      elect(world, 'a');
      world.isolate('c');
      world.propose('a');
      world.settle();
      world.heal();
      core.tick();
      for (const message of core.ready().messages) {
        if (message.kind === 'heartbeat' && message.to === 'c') must(message.commit < core.status().hardState.commit, 'only what the follower is known to hold');
      }
    },
  },
  {
    catches: 'append-truncates-always',
    name: 'an old append that comes late cuts nothing',
    play: (make) => {
      const world = make();
      const core = world.get('c').core;
      const head = { kind: 'append', from: 'a', to: 'c', term: 1, clusterId: 'world', prevIndex: 0, prevTerm: 0, commit: 0 } as const;
      core.step({ ...head, entries: [entry(1, 1), entry(2, 1), entry(3, 1)] });
      core.step({ ...head, entries: [entry(1, 1)] });
      must(core.status().lastIndex === 3, 'acknowledged entries stay');
    },
  },
  {
    catches: 'append-ignores-previous',
    name: 'entries are taken only after the same entry',
    play: (make) => {
      const world = make();
      const core = world.get('c').core;
      const head = { kind: 'append', to: 'c', clusterId: 'world', commit: 0 } as const;
      core.step({ ...head, from: 'a', term: 1, prevIndex: 0, prevTerm: 0, entries: [entry(1, 1), entry(2, 1)] });
      core.step({ ...head, from: 'b', term: 3, prevIndex: 2, prevTerm: 2, entries: [entry(3, 3)] });
      must(core.status().lastIndex === 2, 'the follower refuses what does not follow on its log');
    },
  },
  {
    catches: 'stable-by-index-only',
    name: 'a finished write says nothing about entries that replaced it',
    play: (make) => {
      const world = make();
      const c = world.get('c');
      const head = { kind: 'append', to: 'c', clusterId: 'world', commit: 0, prevIndex: 0, prevTerm: 0 } as const;
      c.core.step({ ...head, from: 'a', term: 1, entries: [entry(1, 1)] });
      c.pump();
      c.core.step({ ...head, from: 'b', term: 2, entries: [entry(1, 2)] });
      c.pump();
      c.persistOne();
      must(c.core.termAt(1) === 2, 'the log goes on showing the newer entry');
    },
  },
  {
    catches: 'old-snapshot-installed',
    name: 'a snapshot from before what is committed changes nothing',
    play: (make) => {
      const world = make();
      elect(world, 'a');
      for (let count = 0; count < 4; count += 1) world.propose('a');
      world.settle();
      const c = world.get('c');
      const { lastIndex, conf } = c.core.status();
      c.core.step({ kind: 'snapshot', from: 'a', to: 'c', term: 1, clusterId: 'world', meta: { index: 2, term: 1, conf } });
      must(c.core.status().lastIndex === lastIndex && commitOf(world, 'c') === lastIndex, 'committed entries stay');
    },
  },
  {
    catches: 'uncommitted-unbounded',
    name: 'proposals are refused while too much waits to be committed',
    play: (make) => {
      const world = make({ limits: { uncommittedBytesMax: 500 } });
      elect(world, 'a');
      world.isolate('a');
      const results = Array.from({ length: 50 }, () => world.propose('a').kind);
      must(results.includes('refused'), 'the leader says that it is busy');
    },
  },
  {
    catches: 'window-unbounded',
    name: 'a follower that does not answer is sent a window and no more',
    play: (make) => {
      const world = make({ limits: { inflightMessagesMax: 4 } });
      elect(world, 'a');
      for (let count = 0; count < 30; count += 1) world.propose('a');
      const sent = world.mail.filter((message) => message.kind === 'append' && message.to === 'c' && message.entries.length > 0);
      must(sent.length <= 4, 'at most four appends are under way');
    },
  },
];

/** Raft paper, figure 8: an entry of term 1 reaches a majority in term 3, and is replaced in term 4 all the same. */
function figureEight(make: (options?: Partial<Setup>) => World): void {
  const world = make({ limits: { messageBytesMax: 1 } });
  elect(world, 'a');
  world.isolate('a');
  world.propose('a', 'old');
  while (world.get('a').persistOne());
  world.get('a').crash(0);
  world.mail = [];
  // b leads in term 2 with the vote of c; its first entry stays its own.
  for (let tick = 0; tick < 60 && roleOf(world, 'b') !== 'leader'; tick += 1) {
    for (const id of ['b', 'c']) world.get(id).core.tick();
    for (let round = 0; round < 20 && roleOf(world, 'b') !== 'leader'; round += 1) {
      for (const id of ['b', 'c']) {
        world.get(id).pump();
        while (world.get(id).persistOne());
      }
      deliverWhere(world, (message) => message.kind !== 'append' && !(message.kind === 'vote' && message.from === 'c') && !(message.kind === 'pre-vote' && message.from === 'c'));
    }
  }
  must(roleOf(world, 'b') === 'leader', 'the story is set up: b leads');
  while (world.get('b').persistOne());
  world.get('b').crash(0);
  world.mail = [];
  world.heal();
  // a leads again, with the vote of c.
  world.get('a').restart();
  for (let tick = 0; tick < 80 && roleOf(world, 'a') !== 'leader'; tick += 1) {
    for (const id of ['a', 'c']) world.get(id).core.tick();
    for (let round = 0; round < 20 && roleOf(world, 'a') !== 'leader'; round += 1) {
      for (const id of ['a', 'c']) {
        world.get(id).pump();
        while (world.get(id).persistOne());
      }
      deliverWhere(world, (message) => message.kind !== 'append' && !(message.from === 'c' && (message.kind === 'vote' || message.kind === 'pre-vote')));
    }
  }
  must(roleOf(world, 'a') === 'leader', 'the story is set up: a leads again');
  // c gets the old entry and nothing after it, and says so.
  for (let round = 0; round < 20; round += 1) {
    for (const id of ['a', 'c']) while (world.get(id).persistOne());
    const { lastIndex } = world.get('c').core.status();
    const isRefused = (message: Message): boolean => message.kind === 'append' && message.prevIndex > lastIndex;
    const isOld = (message: Message): boolean => message.kind === 'append' && message.prevIndex + message.entries.length <= 2;
    deliverWhere(world, (message) => message.to === 'a' || (message.to === 'c' && (isRefused(message) || isOld(message))));
  }
  must(world.get('c').storage.lastIndex() === 2, 'the story is set up: c holds the old entry');
  while (world.get('a').applyOne());
  world.get('a').crash(0);
  world.mail = [];
  world.get('b').restart();
  world.run(60);
  world.get('a').restart();
  world.run(60);
}

const reads: readonly Scenario[] = [
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

const members: readonly Scenario[] = [
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
      elect(world, 'a');
      world.isolate('c');
      world.propose('a');
      world.settle();
      world.heal();
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

export const scenarios: readonly Scenario[] = [...election, ...logs, ...reads, ...members];
