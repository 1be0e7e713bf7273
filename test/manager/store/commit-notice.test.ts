import { expect, it } from 'vitest';
import { CommitNotice } from '../../../src/manager/store/commit-notice.ts';

/** A leader whose followers wait to hear what is committed, and timers that ring by hand. */
function setUp(isAwaited = false) {
  const core = { isCommitDue: false, commitIndex: 0, tellCommit: () => void told.push(core.commitIndex) };
  const told: number[] = [];
  const timers: (() => void)[] = [];
  const after = (_ms: number, fn: () => void): (() => void) => {
    timers.push(fn);
    return () => undefined;
  };
  const notice = new CommitNotice({ core, env: { clock: { after } }, pump: () => undefined }, () => isAwaited);
  const commit = (index: number): void => {
    core.isCommitDue = true;
    core.commitIndex = index;
    notice.check();
  };
  const ring = (): void => {
    const due = timers.splice(0);
    for (const timer of due) timer();
  };
  return { core, told, timers, commit, ring };
}

it('what is committed is told when no write came for a moment', () => {
  const { told, timers, commit, ring } = setUp();
  commit(5);
  expect(told).toEqual([]);
  ring();
  expect(told).toEqual([5]);
  expect(timers).toEqual([]);
});

it('while one write follows the other nothing is told for itself, and the last one is', () => {
  const { core, told, commit, ring } = setUp();
  commit(5);
  // The next write told it, and is committed itself before the moment is over.
  core.isCommitDue = false;
  commit(6);
  ring();
  expect(told).toEqual([]);
  commit(7);
  ring();
  expect(told).toEqual([]);
  ring();
  expect(told).toEqual([7]);
});

it('where a follower waits for it, it is told at once', () => {
  const { told, timers, commit } = setUp(true);
  commit(5);
  expect(told).toEqual([5]);
  expect(timers).toEqual([]);
});
