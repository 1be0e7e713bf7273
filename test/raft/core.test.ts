import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { MemoryLogStorage, emptyConf } from '../../src/raft/log-storage.ts';
import { hostMutations, raftMutations } from '../../src/raft/mutations.ts';
import { RaftCore } from '../../src/raft/raft-core.ts';
import type { Message, RaftOptions } from '../../src/raft/types.ts';
import { playTranscript } from '../conformance/raft/transcript.ts';
import { World } from './world.ts';

function make(options: Partial<RaftOptions> = {}): RaftCore {
  return new RaftCore({
    id: 'a', clusterId: 'world', storage: new MemoryLogStorage(), random: seededRandom(1), hardState: null, conf: { ...emptyConf, voters: ['a', 'b', 'c'] }, applied: 0,
    ...options,
  });
}

const max = Number.MAX_SAFE_INTEGER;

describe('the border of the core', () => {
  const append = { kind: 'append', from: 'b', to: 'a', term: 1, clusterId: 'world', prevIndex: 0, prevTerm: 0, entries: [], commit: 0 } as const;

  test.for<[string, Message, string]>([
    ['another cluster', { ...append, clusterId: 'other' }, 'RAFT_WRONG_CLUSTER'],
    ['another member\'s mail', { ...append, to: 'c' }, 'RAFT_WRONG_ADDRESS'],
    ['a message that calls itself its own', { ...append, from: 'a' }, 'RAFT_WRONG_ADDRESS'],
    ['a term of 2^53', { ...append, term: max + 1 }, 'RAFT_BAD_MESSAGE'],
    ['a term after which none fits', { ...append, term: max }, 'RAFT_BAD_MESSAGE'],
    ['a negative index', { ...append, prevIndex: -1 }, 'RAFT_BAD_MESSAGE'],
    ['half a term', { ...append, term: 1.5 }, 'RAFT_BAD_MESSAGE'],
    ['a gap between entries', { ...append, entries: [{ index: 2, term: 1, kind: 'normal', data: new Uint8Array(0) }] }, 'RAFT_BAD_MESSAGE'],
    ['an answer of a stranger', { kind: 'vote-response', from: 'x', to: 'a', term: 1, clusterId: 'world', isReject: false, commit: 0, commitTerm: 0 }, 'RAFT_UNKNOWN_MEMBER'],
    ['a commit index that is no number', { kind: 'heartbeat', from: 'b', to: 'a', term: 1, clusterId: 'world', commit: Number.NaN, round: 0 }, 'RAFT_BAD_MESSAGE'],
  ])('refuses %s, and nothing is changed', ([, message, code]) => {
    const core = make();
    const before = core.inspect();
    expect(core.step(message)).toMatchObject({ kind: 'refused', code });
    expect(core.inspect()).toEqual(before);
  });

  test('takes the largest term that leaves room for one more', () => {
    const core = make();
    expect(core.step({ ...append, term: max - 1 })).toBe(null);
    expect(core.status().hardState.term).toBe(max - 1);
  });

  test('does not start with a state that the log does not reach', () => {
    expect(() => make({ applied: 5 })).toThrow(expect.objectContaining({ code: 'RAFT_LOG_UNAVAILABLE' }));
    expect(() => make({ hardState: { term: 3, vote: null, commit: 7 } })).toThrow(expect.objectContaining({ code: 'RAFT_LOG_UNAVAILABLE' }));
  });

  test('does not start with an election timeout as short as a heartbeat', () => {
    expect(() => make({ limits: { electionTicks: 1 } })).toThrow(expect.objectContaining({ code: 'BASE_INTERNAL' }));
  });
});

describe('what the host asks for', () => {
  test('a follower refuses proposals and names the leader', () => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'] });
    expect(world.propose('b')).toMatchObject({ kind: 'refused', code: 'RAFT_NO_LEADER', leader: null });
    world.get('a').core.campaign();
    world.settle();
    expect(world.propose('b')).toMatchObject({ kind: 'refused', code: 'RAFT_NOT_LEADER', leader: 'a' });
    expect(world.propose('a')).toMatchObject({ kind: 'proposed', firstIndex: 2, lastIndex: 2, term: 1 });
  });

  test('one entry at the limit is taken, one byte more is not', () => {
    const world = new World({ seed: 1, voters: ['a'], limits: { entryBytesMax: 100 } });
    world.get('a').core.campaign();
    world.settle();
    const { core } = world.get('a');
    expect(core.propose([new Uint8Array(100)])).toMatchObject({ kind: 'proposed' });
    expect(core.propose([new Uint8Array(1), new Uint8Array(101)])).toMatchObject({ kind: 'refused', code: 'RAFT_ENTRY_TOO_LARGE' });
    expect(core.propose([])).toMatchObject({ kind: 'refused', code: 'RAFT_BAD_MESSAGE' });
  });

  test('proposals wait while the leadership is handed over', () => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'] });
    world.get('a').core.campaign();
    world.settle();
    expect(world.get('a').core.transferLeader('x')).toMatchObject({ code: 'RAFT_UNKNOWN_MEMBER' });
    expect(world.get('a').core.transferLeader('b')).toEqual({ kind: 'accepted' });
    expect(world.propose('a')).toMatchObject({ code: 'RAFT_TRANSFERRING' });
    world.settle();
    expect(world.leader()?.id).toBe('b');
  });

  test('a handover asked of a follower reaches the leader', () => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'] });
    world.get('a').core.campaign();
    world.settle();
    world.get('c').core.transferLeader('c');
    world.settle();
    expect(world.leader()?.id).toBe('c');
  });

  test.for([
    [[{ kind: 'remove', member: 'a' }, { kind: 'remove', member: 'b' }, { kind: 'remove', member: 'c' }], 'RAFT_CONF_INVALID'],
    [[], 'RAFT_CONF_INVALID'],
  ] as const)('a change that can have no effect is refused before it is in the log', ([changes, code]) => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'] });
    world.get('a').core.campaign();
    world.settle();
    const { lastIndex } = world.get('a').core.status();
    expect(world.change('a', { transition: 'auto', changes })).toMatchObject({ kind: 'refused', code });
    expect(world.get('a').core.status().lastIndex).toBe(lastIndex);
  });

  test('reads beyond the limit are refused, not queued', () => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'], limits: { pendingReadsMax: 3 } });
    world.get('a').core.campaign();
    world.settle();
    const results = [1, 2, 3, 4].map((context) => world.get('a').core.readIndex(context).kind);
    expect(results).toEqual(['accepted', 'accepted', 'accepted', 'refused']);
    expect(world.get('b').core.readIndex(0.5)).toMatchObject({ code: 'RAFT_BAD_MESSAGE' });
  });

  test('a snapshot is sent to a member that is too far behind, and its end is reported', () => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'] });
    world.get('a').core.campaign();
    world.settle();
    world.isolate('c');
    for (let count = 0; count < 5; count += 1) world.propose('a');
    world.settle();
    world.get('a').compact(0);
    world.heal();
    world.tick('a');
    for (let round = 0; round < 6 && !world.mail.some((message) => message.kind === 'snapshot'); round += 1) {
      for (const member of world.up()) while (member.persistOne());
      const { mail } = world;
      world.mail = [];
      for (const message of mail) if (message.kind !== 'snapshot') world.deliver(message);
        else world.mail.push(message);
    }
    const of = (): unknown => world.get('a').core.status().members.find((member) => member.member === 'c');
    expect(of()).toMatchObject({ state: 'snapshot', isPaused: true, pendingSnapshot: 6 });
    world.get('a').core.reportSnapshot('c', 'failed');
    expect(of()).toMatchObject({ state: 'probe', pendingSnapshot: null });
    world.mail = [];
    world.run(4);
    expect(of()).toMatchObject({ state: 'replicate', match: 6 });
    expect(world.get('c').applied).toBe(6);
  });
});

describe('the election timeout', () => {
  test('is drawn anew with every term, each value from n to 2n-1 and no other (Raft §5.2)', () => {
    const core = make({ limits: { electionTicks: 10 } });
    const drawn = new Set<number>();
    for (let term = 1; term <= 400; term += 1) {
      core.step({ kind: 'heartbeat', from: 'b', to: 'a', term, clusterId: 'world', commit: 0, round: 0 });
      drawn.add(core.status().randomizedElectionTicks);
    }
    expect([...drawn].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  test('seldom ends for two of five members in the same tick', () => {
    let conflicts = 0;
    for (let seed = 1; seed <= 500; seed += 1) {
      const world = new World({ seed, voters: ['a', 'b', 'c', 'd', 'e'] });
      const drawn = [...world.members.values()].map((member) => member.core.status().randomizedElectionTicks).sort((a, b) => a - b);
      if (drawn[0] === drawn[1]) conflicts += 1;
    }
    expect(conflicts / 500).toBeLessThan(0.35);
  });

  test('elects a leader from nothing but ticks, in every cluster size', () => {
    for (const voters of [['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd', 'e'], ['a', 'b', 'c', 'd', 'e', 'f', 'g']]) {
      const world = new World({ seed: 5, voters });
      world.run(60);
      expect(world.leader()?.core.status().isLeading).toBe(true);
    }
  });
});

describe('jobs', () => {
  test('may be under way together, and one report finishes all before it', () => {
    const world = new World({ seed: 1, voters: ['a'] });
    world.get('a').core.campaign();
    world.settle();
    const { core } = world.get('a');
    const jobs = [1, 2, 3].map(() => {
      core.propose([new Uint8Array(1)]);
      return core.ready().persist;
    });
    expect(jobs.map((job) => job?.entries.length)).toEqual([1, 1, 1]);
    for (const job of jobs) world.get('a').storage.append(job?.entries ?? []);
    core.persisted(jobs[1]?.id ?? 0);
    expect(core.status().hardState.commit).toBe(3);
    core.persisted(jobs[2]?.id ?? 0);
    expect(core.status().hardState.commit).toBe(4);
    expect(core.ready().committed.map((entry) => entry.index)).toEqual([2, 3, 4]);
  });

  test('need a sync for entries, votes and terms, but not for a commit index', () => {
    const world = new World({ seed: 1, voters: ['a', 'b', 'c'] });
    const { core } = world.get('b');
    const head = { from: 'a', to: 'b', term: 1, clusterId: 'world' } as const;
    core.step({ kind: 'append', ...head, prevIndex: 0, prevTerm: 0, entries: [{ index: 1, term: 1, kind: 'empty', data: new Uint8Array(0) }], commit: 0 });
    expect(core.ready().persist).toMatchObject({ mustSync: true, hardState: { term: 1 } });
    core.step({ kind: 'heartbeat', ...head, commit: 1, round: 0 });
    expect(core.ready().persist).toMatchObject({ mustSync: false, entries: [], hardState: { term: 1, vote: null, commit: 1 } });
    expect(core.hasReady()).toBe(false);
  });
});

test('a commit that is held back is told with the next entries, or when asked to, and otherwise by nobody', () => {
  const storage = new MemoryLogStorage();
  const core = make({ storage, isCommitHeld: true });
  const head = { to: 'a', term: 1, clusterId: 'world' } as const;
  // Does what a host does, and answers what was sent.
  const work = (): readonly Message[] => {
    const sent: Message[] = [];
    while (core.hasReady()) {
      const ready = core.ready();
      sent.push(...ready.messages);
      if (ready.persist !== null) {
        storage.append(ready.persist.entries);
        core.persisted(ready.persist.id);
      }
      const last = ready.committed.at(-1);
      if (last !== undefined) core.applied(last.index);
    }
    return sent;
  };
  const commits = (messages: readonly Message[]): readonly number[] => messages.flatMap((one) => (one.kind === 'append' ? [one.commit] : []));
  const acknowledge = (index: number): void => void core.step({ kind: 'append-response', from: 'b', ...head, index, isReject: false, hintIndex: 0, hintTerm: 0 });
  core.campaign();
  work();
  core.step({ kind: 'pre-vote-response', from: 'b', ...head, isReject: false, commit: 0, commitTerm: 0 });
  work();
  core.step({ kind: 'vote-response', from: 'b', ...head, isReject: false, commit: 0, commitTerm: 0 });
  work();
  acknowledge(1);
  work();
  expect(core.status().isLeading).toBe(true);

  core.propose([new Uint8Array(1)]);
  work();
  acknowledge(2);
  expect(commits(work())).toEqual([]);
  expect([core.commitIndex, core.isCommitDue]).toEqual([2, true]);
  core.tellCommit();
  expect(commits(work())).toContain(2);
  expect(core.isCommitDue).toBe(false);

  core.propose([new Uint8Array(1)]);
  work();
  acknowledge(3);
  expect(commits(work())).toEqual([]);
  core.propose([new Uint8Array(1)]);
  expect(commits(work())).toContain(3);
  expect(core.isCommitDue).toBe(false);
});

test('the list of known mistakes names those of the host too, and no name stands in both', () => {
  expect(Object.keys(raftMutations).filter((name) => Object.hasOwn(hostMutations, name))).toEqual([]);
  expect(Object.keys(hostMutations).every((name) => name.startsWith('host-'))).toBe(true);
});

test('the player of outside transcripts sees a difference: one changed number in one line', () => {
  const text = 'add-nodes 1 voters=(1) index=3\n----\nok\n\ncampaign 1\n----\nok\n\nstabilize\n----\n> 1 handling Ready\n  Ready MustSync=true:\n  Lead:0 State:StateCandidate\n  HardState Term:1 Vote:1 Commit:3\n> 1 handling Ready\n  Ready MustSync=true:\n  Lead:1 State:StateLeader\n  Entries:\n  1/4 EntryNormal ""\n> 1 handling Ready\n  Ready MustSync=false:\n  HardState Term:1 Vote:1 Commit:4\n  CommittedEntries:\n  1/4 EntryNormal ""\n';
  expect(playTranscript(text).disagreements).toEqual([]);
  expect(playTranscript(text.replace('Commit:4', 'Commit:5')).disagreements).toHaveLength(1);
});

test('the README names every public method of the core', () => {
  const room = join(import.meta.dirname, '..', '..', 'src', 'raft');
  const readme = readFileSync(join(room, 'README.md'), 'utf8');
  const methods = Array.from(readFileSync(join(room, 'raft-core.ts'), 'utf8').matchAll(/^ {2}([a-z]\w+)\(/gm), (match) => match[1] ?? '');
  expect(methods.filter((name) => name !== 'constructor' && !readme.includes(name))).toEqual([]);
});
