import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { seededRandom } from '../../src/base/random.ts';
import { get } from '../../src/cluster/state/view.ts';
import type { ClusterStore, Commit } from '../../src/manager/store/store.ts';
import type { Change, Outcome } from '../../src/model/entry.ts';
import type { ConfigObject } from '../../src/model/objects.ts';

export type ContractStore = {
  /** It leads. Commits older than `watchCommitsMax` may be forgotten. */
  readonly store: ClusterStore;
  readonly watchCommitsMax: number;
  /** Ends the test's part of it: directories, other members. `store` may be closed already. */
  readonly end: () => Promise<void>;
};

/** What every store of the cluster does, whatever it is made of: the laws that planner, dispatch and progress lean on. */
export function storeContract(name: string, make: () => Promise<ContractStore>): void {
  const given = (title: string, body: (store: ClusterStore, facts: ContractStore) => Promise<void>): void => {
    test(title, async () => {
      const facts = await make();
      try {
        await body(facts.store, facts);
      } finally {
        await facts.end();
      }
    });
  };

  describe(`${name}: changes`, () => {
    given('what was proposed is in the view when the call returns, stamped with its revision', async (store) => {
      const before = store.view();
      const outcome = await store.propose([put('a', 'one'), put('b', 'two')]);
      expect(outcome).toEqual({ kind: 'applied', revision: store.view().revision });
      expect(outcome.revision).toBeGreaterThan(before.revision);
      const first = get(store.view(), 'config', 'a');
      expect(first).toMatchObject({ dataBase64: 'one', version: outcome.revision });
      const second = await store.propose([put('a', 'again')]);
      expect(get(store.view(), 'config', 'a')).toMatchObject({ version: second.revision, createdMs: first?.createdMs });
      expect(get(before, 'config', 'a')).toBeUndefined();
    });

    given('an expected version that does not hold changes nothing, and the outcome names the object', async (store) => {
      const { revision } = await store.propose([put('a', 'one')]);
      const outcome = await store.propose([put('b', 'x'), put('a', 'two', 0), remove('a', 9)]);
      expect(outcome).toMatchObject({ kind: 'conflict', objectKind: 'config', id: 'a', expected: 0, found: revision });
      expect(get(store.view(), 'config', 'b')).toBeUndefined();
      expect(await store.propose([remove('a', revision + 1)])).toMatchObject({ kind: 'conflict', found: revision });
      expect((await store.propose([put('a', 'two', revision)])).kind).toBe('applied');
      expect((await store.propose([put('new', 'x', 0)])).kind).toBe('applied');
    });

    given('one request is applied once, however often it is asked, and answers as the first time', async (store) => {
      const all = await Promise.all([store.propose([put('a', 'one')], { requestId: 'r1' }), store.propose([put('a', 'two')], { requestId: 'r1' })]);
      const later = await store.propose([put('a', 'three')], { requestId: 'r1' });
      expect(new Set([...all, later].map((one) => JSON.stringify(one))).size).toBe(1);
      expect(get(store.view(), 'config', 'a')?.dataBase64).toBe('one');
      const conflict = await store.propose([put('a', 'x', 0)], { requestId: 'r2' });
      await store.propose([remove('a', null)]);
      expect(await store.propose([put('a', 'x', 0)], { requestId: 'r2' })).toEqual(conflict);
    });

    given('a request id that may have been asked for before is never told that nothing happened; a first ask is', async (store) => {
      const { term } = store.leadership();
      const first = await store.propose([put('a', 'one')], { requestId: 'r1', isFirstAsk: true });
      expect(await store.propose([put('a', 'one')], { requestId: 'r1', fence: term + 1 })).toEqual(first);
      const stale = { requestId: 'r2', fence: term + 1 };
      await expect(store.propose([put('a', 'two')], { ...stale, isFirstAsk: true })).rejects.toMatchObject({ code: 'MANAGER_NOT_LEADER' });
      await expect(store.propose([put('a', 'two')], stale)).rejects.toMatchObject({ code: 'MANAGER_OUTCOME_UNKNOWN' });
      await store.close();
      await expect(store.propose([put('a', 'three')], { requestId: 'r3', isFirstAsk: true })).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
      await expect(store.propose([put('a', 'three')], { requestId: 'r3' })).rejects.toMatchObject({ code: 'MANAGER_OUTCOME_UNKNOWN' });
    });

    given('a fence lets the present term through and no other', async (store) => {
      const { term } = store.leadership();
      expect((await store.propose([put('a', 'one')], { fence: term })).kind).toBe('applied');
      for (const other of [term - 1, term + 1]) await expect(store.propose([put('a', 'two')], { fence: other })).rejects.toMatchObject({ code: 'MANAGER_NOT_LEADER' });
      expect(get(store.view(), 'config', 'a')?.dataBase64).toBe('one');
    });

    given('an entry over the limit is refused, one below it taken', async (store) => {
      await expect(store.propose([put('a', 'x'.repeat(limits.objectBytesMax))])).rejects.toMatchObject({ code: 'MANAGER_OBJECT_TOO_LARGE' });
      expect((await store.propose([put('a', 'x'.repeat(limits.objectBytesMax - 2000))])).kind).toBe('applied');
    });

    given('who gives up waiting is told that the outcome is unknown, before the call or during it', async (store) => {
      await expect(store.propose([put('a', 'x')], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'MANAGER_OUTCOME_UNKNOWN' });
      const end = new AbortController();
      const call = store.propose([put('b', 'x')], { signal: end.signal, requestId: 'given-up' });
      end.abort();
      await expect(call).rejects.toMatchObject({ code: 'MANAGER_OUTCOME_UNKNOWN' });
      // Asked again with its id the fate is learnt, and it happened once.
      const outcome = await store.propose([put('b', 'y')], { requestId: 'given-up' });
      expect(get(store.view(), 'config', 'b')?.version).toBe(outcome.revision);
      expect(get(await store.read(), 'config', 'a')).toBeUndefined();
    });

    given('many that count one object up by compare-and-set lose no step', async (store) => {
      await store.propose([put('n', '0')]);
      const countUp = async (): Promise<void> => {
        for (;;) {
          const now = get(store.view(), 'config', 'n');
          const outcome = await store.propose([put('n', String(Number(now?.dataBase64) + 1), now?.version ?? 0)]);
          if (outcome.kind === 'applied') return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, countUp));
      expect(get(await store.read(), 'config', 'n')?.dataBase64).toBe('20');
    });
  });

  describe(`${name}: reading`, () => {
    given('a read holds every change that was acknowledged before it', async (store) => {
      for (let at = 0; at < 20; at += 1) {
        const { revision } = await store.propose([put('a', String(at))]);
        const view = await store.read();
        expect(view.revision).toBeGreaterThanOrEqual(revision);
        expect(get(view, 'config', 'a')?.dataBase64).toBe(String(at));
      }
    });

    given('a read that is given up ends with the reason', async (store) => {
      await expect(store.read({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    });

    given('the status agrees with the leadership', async (store) => {
      const { revision } = await store.propose([put('a', 'x')]);
      const status = store.status();
      expect(store.leadership()).toMatchObject({ isLeader: true, leaderId: status.memberId });
      expect(status.leadership).toEqual(store.leadership());
      expect(status.appliedIndex).toBeGreaterThanOrEqual(revision);
      expect(status.commitIndex).toBeGreaterThanOrEqual(status.appliedIndex);
      expect(status.members.find((one) => one.id === status.memberId)).toMatchObject({ role: 'voter', isReachable: true });
    });
  });

  describe(`${name}: commits`, () => {
    given('are told in order, each with its own view, before the proposer knows', async (store) => {
      const seen: Commit[] = [];
      const unsubscribe = store.onCommit((commit) => seen.push(commit));
      const revisions = (await Promise.all(Array.from({ length: 10 }, (_, at) => store.propose([put('a', String(at))]).then((outcome) => {
        expect(seen.at(-1)?.revision).toBeGreaterThanOrEqual(outcome.revision);
        return outcome.revision;
      })))).sort((a, b) => a - b);
      expect(seen.map((commit) => commit.revision)).toEqual(revisions);
      seen.forEach((commit, at) => {
        expect(commit.view.revision).toBe(commit.revision);
        const [event] = commit.events;
        expect(event).toMatchObject({ kind: 'put', object: { id: 'a', version: commit.revision } });
        if (event?.kind === 'put') expect(event.previous?.version).toBe(at === 0 ? undefined : revisions[at - 1]);
        expect(get(commit.view, 'config', 'a')).toEqual(event?.object);
      });
      unsubscribe();
      await store.propose([remove('a', null)]);
      expect(seen).toHaveLength(10);
    });

    given('that changed nothing are not told', async (store) => {
      await store.propose([put('a', 'one')], { requestId: 'r' });
      const seen: Commit[] = [];
      store.onCommit((commit) => seen.push(commit));
      await store.propose([put('a', 'two', 0)]);
      await store.propose([put('a', 'three')], { requestId: 'r' });
      await store.propose([remove('nobody', null)]);
      expect(seen).toEqual([]);
    });

    given('reach every listener, also where one unsubscribes itself', async (store) => {
      const told: string[] = [];
      const once = store.onCommit(() => {
        told.push('once');
        once();
      });
      store.onCommit(() => told.push('always'));
      await store.propose([put('a', 'one')]);
      await store.propose([put('a', 'two')]);
      expect(told).toEqual(['once', 'always', 'always']);
    });
  });

  describe(`${name}: watching`, () => {
    given('gives what came after a revision, then goes on, to each watcher', async (store) => {
      const { revision } = await store.propose([put('a', '0')]);
      const wanted = ['1', '2', '3', '4'];
      for (const text of ['1', '2']) await store.propose([put('a', text)]);
      const watchers = [1, 2].map(() => textsOf(store, revision, wanted.length));
      for (const text of ['3', '4']) await store.propose([put('a', text)]);
      expect(await Promise.all(watchers)).toEqual([wanted, wanted]);
    });

    given('gives the same views as those who listened got', async (store) => {
      const told: Commit[] = [];
      store.onCommit((commit) => told.push(commit));
      const from = store.view().revision;
      await store.propose([put('a', '1'), put('b', '1')]);
      await store.propose([put('a', '2', 0)]);
      await store.propose([put('a', '2'), remove('b', null), put('c', '1')]);
      await store.propose([put('b', '2'), put('b', '3'), remove('c', null)]);
      const seen: Commit[] = [];
      for await (const commit of store.watch({ fromRevision: from, signal: AbortSignal.timeout(5_000) })) if (seen.push(commit) === told.length) break;
      expect(seen.map(factsOf)).toEqual(told.map(factsOf));
    });

    given('ends when it is aborted, and when the store is closed', async (store) => {
      const end = new AbortController();
      const from = store.view().revision;
      const aborted = drain(store.watch({ fromRevision: from, signal: end.signal }), () => end.abort());
      const got = Promise.withResolvers<void>();
      const closed = drain(store.watch({ fromRevision: from, signal: new AbortController().signal }), got.resolve);
      await store.propose([put('a', 'x')]);
      await got.promise;
      expect(await aborted).toBe(1);
      await store.close();
      expect(await closed).toBe(1);
    });

    given('from before what is kept is refused', async (store, { watchCommitsMax }) => {
      const from = store.view().revision;
      for (let at = 0; at < watchCommitsMax * 3; at += 1) await store.propose([put('a', String(at))]);
      await expect(drain(store.watch({ fromRevision: from, signal: AbortSignal.timeout(5_000) }))).rejects.toMatchObject({ code: 'MANAGER_REVISION_COMPACTED' });
      const end = new AbortController();
      const present = drain(store.watch({ fromRevision: store.view().revision, signal: end.signal }), () => end.abort());
      await store.propose([put('a', 'last')]);
      expect(await present).toBe(1);
    });
  });

  describe(`${name}: the end`, () => {
    given('after close nothing is taken or read, and closing twice is fine', async (store) => {
      await store.propose([put('a', 'x')]);
      await Promise.all([store.close(), store.close()]);
      await expect(store.propose([put('a', 'y')])).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
      await expect(store.read()).rejects.toMatchObject({ code: 'MANAGER_CLOSED' });
      await store.close();
      expect(get(store.view(), 'config', 'a')?.dataBase64).toBe('x');
    });
  });

  test.for([1, 2, 3])(`${name}: any run of changes gives the outcomes and the objects of a plain table (seed %i)`, async (seed) => {
    const facts = await make();
    const random = seededRandom(seed);
    const pick = (count: number): number => Math.floor(random.float() * count);
    const table = new Map<string, { readonly text: string; readonly version: number }>();
    try {
      for (let step = 0; step < 60; step += 1) {
        const changes = Array.from({ length: 1 + pick(3) }, (_, at): Change => {
          const id = `k${pick(4)}-${at}`;
          const version = [null, 0, table.get(id)?.version ?? 0, pick(20)][pick(4)] ?? null;
          return pick(4) === 0 ? remove(id, version) : put(id, `${step}`, version);
        });
        const expected = changes.find((one) => one.ifVersion !== null && one.ifVersion !== (table.get(idOf(one))?.version ?? 0));
        const outcome: Outcome = await facts.store.propose(changes);
        expect(outcome).toMatchObject(expected === undefined ? { kind: 'applied' } : { kind: 'conflict', id: idOf(expected), expected: expected.ifVersion });
        if (outcome.kind === 'applied') {
          for (const one of changes) {
            if (one.kind === 'remove') table.delete(one.id);
            else table.set(idOf(one), { text: `${step}`, version: outcome.revision });
          }
        }
        const found = [...facts.store.view().tables.config.values()].map((one) => [one.id, { text: one.dataBase64, version: one.version }] as const);
        expect(new Map(found)).toEqual(table);
      }
    } finally {
      await facts.end();
    }
  });
}

function idOf(change: Change): string {
  return change.kind === 'put' ? change.object.id : change.id;
}

function put(id: string, text: string, ifVersion: number | null = null): Change {
  const object: ConfigObject = { kind: 'config', id, version: 0, createdMs: 0, updatedMs: 0, name: id, projectName: null, key: id, labels: {}, dataBase64: text, digest: '' };
  return { kind: 'put', object, ifVersion };
}

function remove(id: string, ifVersion: number | null): Change {
  return { kind: 'remove', objectKind: 'config', id, ifVersion };
}

function factsOf({ revision, view, events }: Commit): unknown {
  return [revision, view.revision, view.timeMs, [...view.tables.config], [...view.requests.newer], events];
}

async function textsOf(store: ClusterStore, fromRevision: number, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const commit of store.watch({ fromRevision, signal: AbortSignal.timeout(10_000) })) {
    texts.push(...commit.events.flatMap((event) => (event.object.kind === 'config' ? [event.object.dataBase64] : [])));
    if (texts.length >= count) break;
  }
  return texts;
}

async function drain(commits: AsyncIterable<Commit>, onEach: () => void = () => undefined): Promise<number> {
  let count = 0;
  for await (const _ of commits) {
    count += 1;
    onEach();
  }
  return count;
}
