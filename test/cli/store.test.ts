import { expect, test } from 'vitest';
import { runStore } from '../../src/cli/commands/store.ts';
import type { CliContext, Output } from '../../src/cli/context.ts';
import type { ApiClient } from '../../src/wire/http-client.ts';

function contextOf(answer: unknown, isRunning = true): { readonly context: CliContext; readonly asked: string[]; readonly written: string[] } {
  const [asked, written]: [string[], string[]] = [[], []];
  const out: Output = { write: (text) => void written.push(String(text)), isTty: false, columns: () => 80, rows: () => 24 };
  const refuse = (): never => {
    throw new Error('not used here');
  };
  const client: ApiClient = {
    call: async (method, path) => {
      asked.push(`${method} ${path}`);
      return answer;
    },
    lines: refuse, upgrade: refuse,
  };
  const context: CliContext = { env: {}, cwd: '/', out, err: out, daemon: refuse, daemonIfRunning: async () => (isRunning ? client : null), onInterrupt: () => () => undefined, stdin: process.stdin, nowMs: () => 0, messages: { isJson: false, isColoured: false } };
  return { context, asked, written };
}

test.for(['rotate', 'lock', 'unlock'])('store keys %s asks the daemon for it', async (kind) => {
  const { context, asked, written } = contextOf(kind === 'lock' ? { unlockKey: 'FLKEY-1-x' } : null);
  await runStore(['keys', kind], context);
  expect(asked).toEqual([`POST /v1/store/keys/${kind}`]);
  expect(written.join('')).toBe(kind === 'lock' ? 'unlockKey: FLKEY-1-x\n' : 'done\n');
});

test('another word, or none, is refused before anything is asked', async () => {
  const { context, asked } = contextOf(null);
  for (const words of [['keys'], ['keys', 'forget']]) await expect(runStore(words, context)).rejects.toMatchObject({ code: 'CLI_USAGE' });
  expect(asked).toEqual([]);
});

test.for([['status'], ['members'], ['members', 'remove', 'm1'], ['backup', 'file'], ['keys', 'rotate']])('store %s starts no daemon: it would make a store to be asked', async (words) => {
  const { context, asked } = contextOf(null, false);
  await expect(runStore(words, context)).rejects.toMatchObject({ code: 'WIRE_NO_DAEMON' });
  expect(asked).toEqual([]);
});

test('store status says how it is: alarms first, times as shares with their units, and what waits; json is what the daemon said', async () => {
  const answer = {
    memberId: 'm1', clusterId: 'c1', leadership: { isLeader: false, leaderId: 'm2', term: 3 }, commitIndex: 1234, appliedIndex: 1230, snapshotIndex: 1000, featureLevel: 1, isAutolocked: true,
    members: [{ id: 'm1', address: null, role: 'voter', isReachable: true, matchIndex: 1234 }, { id: 'm2', address: '10.0.0.2:7000', role: 'learner', isReachable: false, matchIndex: 7 }],
    alarms: ['proposals-near-limit: 17000 of 20000 changes wait; above it they are refused'],
    metrics: {
      syncUs: { count: 200, sum: 1, max: 70_000, buckets: [{ below: 64, count: 50 }, { below: 128, count: 150 }, { below: 131_072, count: 200 }] },
      commitUs: { count: 1, sum: 1, max: 3_000_000, buckets: [{ below: 4_194_304, count: 1 }] }, applyUs: { count: 0, sum: 0, max: 0, buckets: [] },
      stallMs: { count: 10, sum: 4, max: 1.5, buckets: [{ below: 1, count: 9 }, { below: 2, count: 10 }] }, batchEntries: { count: 4, sum: 9, max: 7, buckets: [{ below: 2, count: 1 }, { below: 8, count: 4 }] },
      leaderChanges: 2, proposals: 17_000, proposalsUnknown: 1, snapshotsMade: 3, snapshotsSent: 0, snapshotsInstalled: 0,
      proposalsPending: 17_000, proposalsQueued: 3, readsPending: 0, writesQueued: 1, applyQueued: 4, appendsUnderWay: 2, appendBytesUnderWay: 3072, uncommittedBytes: 0, snapshotsSending: 0,
      logEntries: 234, logBytes: 1_048_576, snapshotAgeMs: 125_000, snapshotBytes: 4096, objects: 12, removedMembers: 1,
    },
  };
  const { context, written, asked } = contextOf(answer);
  await runStore(['status'], context);
  expect(asked).toEqual(['GET /v1/store/status']);
  expect(`\n${written.join('').replaceAll(/ +$/gm, '')}`).toBe(`
! proposals-near-limit: 17000 of 20000 changes wait; above it they are refused

member       m1
cluster      c1
leader       m2 leads, term 3
log          committed to 1,234, applied to 1,230
snapshot     to entry 1,000, 4KiB, 2 minutes old
state        12 objects, feature level 1, 1 members removed so far
keys         locked: an unlock key is asked for at each start

MEMBER    ADDRESS         ROLE      REACHABLE   LOG TO
m1        -               voter     yes         1,234
m2        10.0.0.2:7000   learner   no          7

TIME OF                         P50        P99        MAX       COUNT
write and fsync of the log      ≤ 128 µs   ≤ 70 ms    70 ms     200
a change, until it is applied   ≤ 3.0 s    ≤ 3.0 s    3.0 s     1
applying one entry              -          -          -         0
a late event loop               ≤ 1.0 ms   ≤ 1.5 ms   1.5 ms    10
entries in one fsync            ≤ 7        ≤ 7        7         4

WAITING NOW
changes, outcome open         17,000
changes, not in the log yet   3
reads                         0
writes of the log             1
entries to apply              4
appends under way to others   2 (3KiB)
snapshots being sent          0
log since the snapshot        234 (1MiB)

SINCE THE START
changes                 17,000
outcomes left unknown   1
changes of the leader   2
snapshots made          3
snapshots sent          0
snapshots installed     0
`);
  const raw = contextOf(answer);
  await runStore(['status', '--format', 'json'], raw.context);
  expect(JSON.parse(raw.written.join(''))).toEqual(answer);
  await expect(runStore(['status', '--format', 'yaml'], raw.context)).rejects.toMatchObject({ code: 'CLI_USAGE' });
});

test('store members lists them as status does; json is what the daemon said; a change of them says what came of it', async () => {
  const members = [{ id: 'm1', address: null, role: 'voter', isReachable: true, matchIndex: 1234 }];
  const listed = contextOf({ members });
  await runStore(['members'], listed.context);
  expect(listed.written.join('').replaceAll(/ +$/gm, '')).toBe('MEMBER    ADDRESS   ROLE      REACHABLE   LOG TO\nm1        -         voter     yes         1,234\n');
  const asJson = contextOf({ members });
  await runStore(['members', '--format', 'json'], asJson.context);
  expect(JSON.parse(asJson.written.join(''))).toEqual(members);
  const changed = contextOf(null);
  await runStore(['members', 'remove', 'm1'], changed.context);
  expect([changed.asked, changed.written.join('')]).toEqual([['POST /v1/store/members'], 'done\n']);
});
