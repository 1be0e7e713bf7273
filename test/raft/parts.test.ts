import { describe, expect, test } from 'vitest';
import { applyChange, decodeConfChange, decodeConfEntry, encodeConfChange, enterJoint, leaveJoint, membersOf } from '../../src/raft/conf-change.ts';
import { MemoryLogStorage, emptyConf, entryBytes, takeEntries } from '../../src/raft/log-storage.ts';
import { Progress, Window } from '../../src/raft/progress.ts';
import { jointIndex, jointVote, majorityIndex, majorityVote } from '../../src/raft/quorum.ts';
import { RaftLog } from '../../src/raft/raft-log.ts';
import type { ConfChange, ConfState, Entry, MemberId } from '../../src/raft/types.ts';
import { fc } from '../property.ts';

const entry = (index: number, term: number, size = 0): Entry => ({ index, term, kind: 'normal', data: new Uint8Array(size) });
const ids: readonly MemberId[] = ['a', 'b', 'c', 'd', 'e'];
const someIds = fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 5 });

describe('the quorum', () => {
  test('commits what a majority holds and not one entry more', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 7 }), (matches) => {
        const index = majorityIndex([...matches]);
        const holding = (at: number): number => matches.filter((match) => match >= at).length;
        expect(holding(index) * 2 > matches.length).toBe(true);
        expect(holding(index + 1) * 2 > matches.length).toBe(false);
      }),
    );
  });

  test('needs both halves while joint, and an empty half does not hold the other back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 5 }), fc.array(fc.nat(20), { maxLength: 5 }), (a, b) => {
        expect(jointIndex([...a], [...b])).toBe(Math.min(majorityIndex([...a]), majorityIndex([...b])));
        expect(jointIndex([...a], [])).toBe(majorityIndex([...a]));
      }),
    );
  });

  test('never calls the same votes won and lost, and more votes never turn won into lost', () => {
    fc.assert(
      fc.property(someIds, someIds, fc.dictionary(fc.constantFrom(...ids), fc.boolean()), (incoming, outgoing, given) => {
        const votes = new Map(Object.entries(given));
        const result = jointVote(incoming, outgoing, votes);
        const turned = new Map([...votes].map(([id, vote]) => [id, !vote] as const));
        if (result === 'won' && incoming.length > 0) expect(majorityVote(incoming, turned)).not.toBe('won');
        for (const id of ids) if (!votes.has(id)) votes.set(id, true);
        if (result === 'won') expect(jointVote(incoming, outgoing, votes)).toBe('won');
        if (result === 'lost') expect(jointVote(incoming, outgoing, votes)).toBe('lost');
      }),
    );
  });
});

describe('the configuration', () => {
  const change: fc.Arbitrary<ConfChange> = fc.record({
    transition: fc.constantFrom('auto', 'implicit', 'explicit'),
    changes: fc.array(fc.record({ kind: fc.constantFrom('add-voter', 'add-learner', 'remove', 'update'), member: fc.constantFrom(...ids) }), { maxLength: 4 }),
  });

  function checkRules(conf: ConfState): void {
    expect(conf.voters.length).toBeGreaterThan(0);
    for (const learner of conf.learners) expect([...conf.voters, ...conf.votersOutgoing]).not.toContain(learner);
    for (const next of conf.learnersNext) expect(conf.votersOutgoing).toContain(next);
    for (const next of conf.learnersNext) expect(conf.voters).not.toContain(next);
    if (conf.votersOutgoing.length === 0) expect([conf.learnersNext, conf.autoLeave]).toEqual([[], false]);
  }

  test('keeps its rules through any sequence of changes, and simple steps move at most one voter', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let conf: ConfState = { ...emptyConf, voters: ['a'] };
        for (const one of changes) {
          const result = applyChange(conf, one);
          if (result.kind === 'invalid') continue;
          const isJointStep = conf.votersOutgoing.length > 0 || result.conf.votersOutgoing.length > 0;
          const moved = membersOf({ ...emptyConf, voters: [...conf.voters, ...result.conf.voters] }).filter((id) => conf.voters.includes(id) !== result.conf.voters.includes(id));
          if (!isJointStep) expect(moved.length).toBeLessThanOrEqual(1);
          conf = result.conf;
          checkRules(conf);
        }
      }),
    );
  });

  test('entered jointly and left is what the same changes one by one would give', () => {
    const start: ConfState = { ...emptyConf, voters: ['a', 'b', 'c'] };
    const joint = enterJoint(start, [{ kind: 'remove', member: 'a' }, { kind: 'add-voter', member: 'd' }, { kind: 'add-learner', member: 'b' }], true);
    expect(joint).toMatchObject({ conf: { voters: ['c', 'd'], votersOutgoing: ['a', 'b', 'c'], learners: [], learnersNext: ['b'], autoLeave: true } });
    const left = joint.kind === 'changed' ? leaveJoint(joint.conf) : joint;
    expect(left).toMatchObject({ conf: { voters: ['c', 'd'], votersOutgoing: [], learners: ['b'], learnersNext: [], autoLeave: false } });
  });

  test('survives its encoding, with the configuration it is made to', () => {
    fc.assert(
      fc.property(change, fc.option(fc.string(), { nil: undefined }), (one, context) => {
        const full = context === undefined ? one : { ...one, context };
        expect(decodeConfChange(encodeConfChange(full))).toEqual(full);
        const base: ConfState = { ...emptyConf, voters: ['a', 'b'] };
        expect(decodeConfEntry(encodeConfChange(full, base))).toEqual({ change: full, base });
      }),
    );
  });

  test.for(['{}', '{"v":2,"transition":"auto","changes":[]}', '{"v":1,"transition":"later","changes":[]}', '{"v":1,"transition":"auto","changes":[{"kind":"grow","member":"a"}]}', '{"v":1,"transition":"auto","changes":[],"base":{}}'])(
    'refuses to read %s',
    (text) => {
      expect(() => decodeConfChange(new TextEncoder().encode(text))).toThrow(expect.objectContaining({ code: 'RAFT_CONF_INVALID' }));
    },
  );
});

describe('the window of appends under way', () => {
  test('counts as a plain list would', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.record({ add: fc.nat(50) }), fc.record({ free: fc.nat(400) })), { maxLength: 60 }), (steps) => {
        const window = new Window(5, 120);
        let plain: { last: number; bytes: number }[] = [];
        let last = 0;
        for (const step of steps) {
          if ('add' in step) {
            last += 10;
            window.add(last, step.add);
            plain.push({ last, bytes: step.add });
          } else {
            window.free(step.free);
            plain = plain.filter((one) => one.last > step.free);
          }
          const bytes = plain.reduce((sum, one) => sum + one.bytes, 0);
          expect([window.count, window.bytes, window.isFull]).toEqual([plain.length, bytes, plain.length >= 5 || bytes >= 120]);
        }
      }),
    );
  });

  test('stays small in memory when it is never quite empty', () => {
    const window = new Window(Infinity, Infinity);
    for (let index = 1; index < 10_000; index += 1) {
      window.add(index, 1);
      window.free(index - 1);
    }
    expect([window.count, window.bytes]).toEqual([1, 1]);
  });
});

describe('the progress of a member', () => {
  const make = (): Progress => new Progress({ member: 'b', isLearner: false, match: 0, next: 5, window: new Window(2, 1000) });

  test('probes with one append, then sends ahead until the window is full', () => {
    const progress = make();
    progress.sent(1, 10);
    expect(progress.isPaused).toBe(true);
    progress.acknowledged(5);
    progress.becomeReplicate();
    expect([progress.state, progress.next, progress.isPaused]).toEqual(['replicate', 6, false]);
    progress.sent(2, 10);
    progress.sent(3, 10);
    expect([progress.next, progress.isPaused]).toEqual([11, true]);
  });

  test('goes back to where the logs may agree, never behind what is known', () => {
    const progress = make();
    expect(progress.rejected(4, 2)).toBe(true);
    expect(progress.next).toBe(3);
    expect(progress.rejected(4, 1)).toBe(false);
    progress.acknowledged(2);
    expect(progress.rejected(2, 0)).toBe(true);
    expect(progress.next).toBe(3);
  });

  test('after a snapshot goes on behind it, or where it was if the snapshot failed', () => {
    const finished = make();
    finished.becomeSnapshot(20);
    expect([finished.isPaused, finished.next]).toEqual([true, 21]);
    finished.becomeProbe();
    expect(finished.next).toBe(21);
    const failed = make();
    failed.becomeSnapshot(20);
    failed.pendingSnapshot = 0;
    failed.becomeProbe();
    expect(failed.next).toBe(1);
  });
});

describe('the log', () => {
  test('shows the same entries wherever they are: in storage, on their way or new', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ back: fc.nat(3), count: fc.integer({ min: 1, max: 4 }), isWritten: fc.boolean() }), { maxLength: 20 }), (steps) => {
        const storage = new MemoryLogStorage();
        const log = new RaftLog(storage, 0, 0);
        const model: Entry[] = [];
        const writes: { entries: readonly Entry[]; last: Entry }[] = [];
        let term = 1;
        for (const step of steps) {
          term += 1;
          model.length = Math.max(0, model.length - step.back);
          const added = Array.from({ length: step.count }, (_, at) => entry(model.length + 1 + at, term));
          model.push(...added);
          log.append(added);
          const last = model.at(-1);
          if (last !== undefined) writes.push({ entries: log.takeUnwritten(), last });
          const write = step.isWritten ? writes.shift() : undefined;
          if (write !== undefined) {
            storage.append(write.entries);
            // Only a report about the log as it is now counts, as the core does by its term.
            log.stableTo(write.last.index, write.last.term, true);
          }
          expect(log.lastIndex()).toBe(model.length);
          if (writes.length === 0) expect(log.slice(1, model.length + 1, Infinity)).toEqual(model);
          expect(model.every((one) => one.index <= log.stableIndex || log.term(one.index) === one.term)).toBe(true);
        }
      }),
    );
  });

  test('refuses to replace what is committed, and to commit what it does not hold', () => {
    const log = new RaftLog(new MemoryLogStorage(), 0, 0);
    log.append([entry(1, 1), entry(2, 1)]);
    log.commitTo(1);
    expect(() => log.append([entry(1, 2)])).toThrow(expect.objectContaining({ code: 'RAFT_LOG_DIVERGED' }));
    expect(() => log.commitTo(3)).toThrow(expect.objectContaining({ code: 'RAFT_LOG_DIVERGED' }));
    log.append([entry(2, 2)]);
    expect(log.lastTerm()).toBe(2);
  });

  test('hands out committed entries in portions that fit', () => {
    const storage = new MemoryLogStorage();
    storage.append([entry(1, 1, 100), entry(2, 1, 100), entry(3, 1, 100)]);
    const log = new RaftLog(storage, 3, 0);
    expect(log.takeCommitted(false, 2 * entryBytes(entry(1, 1, 100))).map((one) => one.index)).toEqual([1, 2]);
    expect(log.takeCommitted(false, 2 * entryBytes(entry(1, 1, 100)))).toEqual([]);
    log.appliedTo(2);
    expect(log.takeCommitted(false, 2 * entryBytes(entry(1, 1, 100))).map((one) => one.index)).toEqual([3]);
  });

  test('limits messages by bytes but always gives one entry', () => {
    const entries = [entry(1, 1, 500), entry(2, 1, 500), entry(3, 1, 500)];
    const two = 2 * entryBytes(entry(1, 1, 500));
    const taken = (maxBytes: number): number[] => takeEntries(entries, 0, 3, maxBytes).map((one) => one.index);
    expect([taken(10), taken(two - 1), taken(two), taken(Infinity)]).toEqual([[1], [1], [1, 2], [1, 2, 3]]);
    expect(takeEntries(entries, 1, 2, Infinity)).toEqual([entries[1]]);
    expect(takeEntries([], 0, 0, 10)).toEqual([]);
    const storage = new MemoryLogStorage();
    storage.append(entries.slice(0, 1));
    const log = new RaftLog(storage, 0, 0);
    log.append(entries.slice(1));
    const across = (maxBytes: number): number[] => log.slice(1, 4, maxBytes).map((one) => one.index);
    expect([across(10), across(two - 1), across(two), across(Infinity)]).toEqual([[1], [1], [1, 2], [1, 2, 3]]);
  });

  test('in memory refuses gaps and keeps the term before its first entry', () => {
    const storage = new MemoryLogStorage();
    storage.append([entry(1, 1), entry(2, 2), entry(3, 2)]);
    expect(() => storage.append([entry(5, 2)])).toThrow(expect.objectContaining({ code: 'RAFT_LOG_UNAVAILABLE' }));
    storage.compact(2);
    expect([storage.firstIndex(), storage.term(2), storage.term(1), storage.term(4)]).toEqual([3, 2, null, null]);
    expect(() => storage.entries(2, 4, 100)).toThrow(expect.objectContaining({ code: 'RAFT_LOG_UNAVAILABLE' }));
  });
});
