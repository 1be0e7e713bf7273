import type { Message } from '../../../src/raft/types.ts';
import type { World } from '../world.ts';
import { commitOf, deliverWhere, elect, electAndLeaveBehind, entry, must, roleOf } from './scenario.ts';
import type { Scenario, Setup } from './scenario.ts';

export const logs: readonly Scenario[] = [
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
      electAndLeaveBehind(world);
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
      electAndLeaveBehind(world);
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
