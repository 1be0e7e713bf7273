import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { emptyView } from '../../../src/cluster/state/view.ts';
import type { Envelope, HostMessage } from '../../../src/manager/store/host-messages.ts';
import { clusterKey } from '../../../src/manager/store/identity.ts';
import type { Identity } from '../../../src/manager/store/identity.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import { WatchLog } from '../../../src/manager/store/watch.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import type { Message, ReadIndex } from '../../../src/raft/types.ts';

const random: Random = { float: Math.random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
const identity: Identity = { format: 1, clusterId: 'c', incarnation: 1, memberId: 'me', firstVoters: ['leader', 'me', 'other'], knownPeers: [{ id: 'leader', address: '127.0.0.1:1' }] };
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

type Life = { readonly store: OpenedStore; readonly sent: HostMessage[]; readonly hear: (message: HostMessage) => void };

/** One life of a follower whose leader is played by the test. */
async function live(): Promise<Life> {
  const sent: HostMessage[] = [];
  let hear: (envelope: Envelope) => void = () => undefined;
  const store = await openStore({
    dir, clock: realClock, random, log: silentLog, limits: laptopLimits, address: '', begin: { kind: 'join', identity }, unlockKey: null, isSmall: true, onFatal: () => undefined,
    connect: async ({ receive }) => {
      hear = receive;
      return { send: (envelope) => void sent.push(envelope.message), setPeers: () => undefined, close: () => undefined };
    },
  });
  return { store, sent, hear: (message) => hear({ from: 'leader', to: 'me', clusterId: clusterKey(identity), message }) };
}

function ofLeader(message: Message): HostMessage {
  return { kind: 'raft', message };
}

const head = { from: 'leader', to: 'me', term: 1, clusterId: clusterKey(identity) } as const;

/** Asks for a read, and answers the question as it reached the leader. */
async function ask(life: Life): Promise<{ readonly question: ReadIndex; readonly isAnswered: () => boolean }> {
  life.hear(ofLeader({ ...head, kind: 'heartbeat', commit: 0, round: 0 }));
  let isAnswered = false;
  life.store.read().then(() => (isAnswered = true), () => undefined);
  const question = await vi.waitFor(() => {
    const found = life.sent.flatMap((message) => (message.kind === 'raft' && message.message.kind === 'read-index' ? [message.message] : [])).at(-1);
    if (found === undefined) throw new Error('nothing was asked yet');
    return found;
  });
  return { question, isAnswered: () => isAnswered };
}

test('an answer to what was asked before a restart does not answer what is asked after it', async () => {
  const before = await live();
  const first = await ask(before);
  await before.store.close();
  const after = await live();
  const second = await ask(after);
  after.hear(ofLeader({ ...head, kind: 'read-index-response', context: first.question.context, index: 0 }));
  await new Promise((resolve) => void setImmediate(resolve));
  expect(second.isAnswered()).toBe(false);
  after.hear(ofLeader({ ...head, kind: 'read-index-response', context: second.question.context, index: 0 }));
  await vi.waitFor(() => expect(second.isAnswered()).toBe(true));
  await after.store.close();
});

test('a watch from a revision that this member has not reached yet begins after that revision', async () => {
  const log = new WatchLog({ commitsMax: 10, revision: 5 });
  const end = new AbortController();
  const seen: number[] = [];
  const watching = (async () => {
    for await (const commit of log.watch(8, end.signal)) {
      seen.push(commit.revision);
      if (commit.revision === 10) end.abort();
    }
  })();
  for (let revision = 6; revision <= 10; revision += 1) log.add({ revision, view: { ...emptyView(), revision }, events: [] });
  await watching;
  expect(seen).toEqual([9, 10]);
});
