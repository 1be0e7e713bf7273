import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAppError } from '../../src/base/app-error.ts';
import { randomBelow, seededRandom } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import { firstIdentity, writeIdentity } from '../../src/manager/store/identity.ts';
import { makeUnlockKey, openKeys, rewrapKeys } from '../../src/manager/store/key-file.ts';
import { beginFrom } from '../../src/manager/store/ops/begin-from.ts';
import { recoverFromLostQuorum } from '../../src/manager/store/ops/recover.ts';
import { storageOptionsOf } from '../../src/manager/store/ops/stopped-store.ts';
import { emptyState } from '../../src/manager/store/store-state.ts';
import { realDisk } from '../../src/os/disk.ts';
import { emptyConf } from '../../src/raft/log-storage.ts';
import { SimFailure } from './oracles.ts';
import type { RunOptions } from './run-seed.ts';
import { secondLevelMark } from './sim-member.ts';
import type { SimMember } from './sim-member.ts';
import { told } from './told.ts';
import type { Scenario } from './told.ts';
import { transferStories } from './transfer-stories.ts';
import { SimWorld } from './world.ts';

const three: readonly string[] = ['m1', 'm2', 'm3'];

export const scenarios: readonly Scenario[] = [
  told('a follower whose event loop stands still for 1.5 s starts no election', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    const follower = [...world.members.values()].find((member) => member !== leader);
    for (let round = 0; round < 10; round += 1) {
      world.run(500);
      follower?.stall(1500);
      world.run(2500);
    }
    world.run(3000);
    return world.terms === 1 && follower?.node?.core.status().hardState.term === 1 ? null : `${world.terms} elections were won, term ${follower?.node?.core.status().hardState.term ?? 0}`;
  }),
  told('a follower that stands still for 5 s asks for no votes when it wakes: the leader was heard from meanwhile', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    const { campaigns } = world.oracles;
    for (let round = 0; round < 4; round += 1) {
      [...world.members.values()].find((member) => member !== leader)?.stall(5000);
      world.run(7000);
    }
    return world.oracles.campaigns === campaigns ? null : `${world.oracles.campaigns - campaigns} campaigns were begun`;
  }),
  told('a leader whose event loop stands still for 1.5 s stays the leader', (options) => {
    const world = new SimWorld(three, options);
    for (let round = 0; round < 10; round += 1) {
      world.leader().stall(1500);
      world.run(4000);
    }
    return world.terms === 1 ? null : `${world.terms} elections were won`;
  }),
  told('nothing is acknowledged that only the leader has on its disk', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    world.write(leader.id, 'k', 'before');
    const [near = '', far = ''] = three.filter((id) => id !== leader.id);
    world.isolate(far);
    world.get(near).lanes.log.hold(Infinity);
    if (world.write(leader.id, 'k', 'after', 600) !== null) return 'a write was acknowledged, and one of three would have it after a power cut';
    world.get(near).lanes.log.release();
    world.heal();
    world.run(3000);
    return world.value(far, 'k') === 'after' ? null : 'the write did not go on when it could';
  }),
  told('a leader that ends is followed within 1.5 s', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    world.write(leader.id, 'k', '1');
    leader.crash('killed');
    world.run(1500);
    return [...world.members.values()].some((member) => member.node?.leadership.isLeader === true) ? null : 'nobody leads after 1.5 s';
  }),
  ...transferStories,
  told('a member that joins and does not answer takes no vote', (options) => {
    const world = new SimWorld(['m1'], options);
    world.leader();
    world.call('m1', { kind: 'join', memberId: 'm2', address: 'm2', featureLevel: 1 });
    world.run(3000);
    return world.write('m1', 'k', '1') === null ? 'nothing can be written any more' : null;
  }),
  told('a request that is asked for again is never told that nothing happened', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    world.write(leader.id, 'k', 'before');
    // What it sends arrives, and nothing comes back: the others will commit what it cannot know of.
    for (const other of three) world.network.cut.add(`${other}>${leader.id}`);
    const first = world.ask(leader.id, { requestId: 'r1', isFirstAsk: true, value: 'after' }, 15_000);
    if (first !== 'MANAGER_OUTCOME_UNKNOWN') return `the first ask was answered ${first}`;
    world.run(6000);
    if (world.leader() === leader || world.value(world.leader().id, 'k') !== 'after') return 'the others did not commit it';
    const again = world.ask(leader.id, { requestId: 'r1', isFirstAsk: false, value: 'after' }, 15_000);
    if (again !== 'MANAGER_OUTCOME_UNKNOWN') return `the second ask, of what was applied, was answered ${again}`;
    world.heal();
    world.run(3000);
    const last = world.ask(leader.id, { requestId: 'r1', isFirstAsk: false, value: 'after' }, 15_000);
    return last === 'applied' ? null : `the third ask was answered ${last}`;
  }),
  told('no change of members makes more voters than there may be, nor takes a vote over from who has none', (options) => {
    const world = new SimWorld(three, options, { votersMax: 3 });
    const leader = world.leader();
    for (const id of ['m4', 'm5']) {
      world.start(id);
      world.call(leader.id, { kind: 'join', memberId: id, address: id, featureLevel: 1 });
    }
    world.run(3000);
    const other = three.find((id) => id !== leader.id) ?? '';
    const refused = [
      world.call(leader.id, { kind: 'promote', memberId: 'm4' }), world.call(leader.id, { kind: 'replace', memberId: 'm4', byMemberId: 'm5' }), world.call(leader.id, { kind: 'replace', memberId: other, byMemberId: leader.id }),
    ];
    for (const answer of refused) if (answer?.kind !== 'refused' || answer.code !== 'MANAGER_MEMBER_REFUSED') return `answered ${JSON.stringify(answer)}`;
    if (world.call(leader.id, { kind: 'replace', memberId: other, byMemberId: 'm4' })?.kind !== 'done') return 'a replacement was refused';
    world.run(3000);
    return leader.node?.state.conf.voters.join() === [...three.filter((id) => id !== other), 'm4'].join() ? null : `the voters are ${leader.node?.state.conf.voters.join()}`;
  }),
  told('a member of an older version holds the feature level down: what needs a higher one is refused by code until all have it', (options) => {
    const world = new SimWorld(three, options);
    world.leader();
    let asks = 0;
    const ask = (id: string, value: string): string => world.ask(id, { requestId: `l${(asks += 1)}`, isFirstAsk: true, value }, 6000);
    for (const id of ['m1', 'm2']) upgrade(world, id, 2);
    for (const id of three) {
      const early = ask(id, `${secondLevelMark}${id}`);
      if (early !== 'MANAGER_FEATURE_LEVEL') return `with m3 of level 1, a change of level 2 through ${id} was answered ${early}`;
      if (ask(id, id) !== 'applied') return 'a change that needs nothing new was not taken';
    }
    upgrade(world, 'm3', 2);
    for (const id of three) {
      const late = ask(id, `${secondLevelMark}${id}`);
      if (late !== 'applied') return `with all of level 2, a change of level 2 through ${id} was answered ${late}`;
    }
    world.run(2000);
    return three.every((id) => world.value(id, 'k') === `${secondLevelMark}m3` && world.get(id).node?.state.featureLevel === 2) ? null : 'not all have it';
  }),
  told('a member too old for the level in force does not start and does not join, says so by code, and comes back with a newer version', (options) => {
    const world = new SimWorld(three, options);
    world.leader();
    for (const id of three) upgrade(world, id, 2);
    for (const [round, hasSnapshot] of [false, true].entries()) {
      // Found in the log, and with a snapshot in that.
      if (hasSnapshot) world.get('m3').act((node) => node.snapshots.request(() => undefined));
      world.run(1000);
      const old = upgrade(world, 'm3', 1);
      if (old.state !== 'refused' || !old.refusal.includes('feature level 2')) return `the old version ${old.state === 'refused' ? `says ${old.refusal}` : `is ${old.state}`}`;
      const leader = world.leader();
      if (world.ask(leader.id, { requestId: `r${round}`, isFirstAsk: true, value: `${secondLevelMark}${round}` }, 6000) !== 'applied') return 'the others do not go on';
      const joined = world.call(leader.id, { kind: 'join', memberId: 'm4', address: 'm4', featureLevel: 1 });
      if (joined?.kind !== 'refused' || joined.code !== 'MANAGER_FEATURE_LEVEL' || joined.hint === null) return `an old one that joins is answered ${JSON.stringify(joined)}`;
      upgrade(world, 'm3', 2);
      if (world.value('m3', 'k') !== `${secondLevelMark}${round}`) return 'the member did not come back';
    }
    world.start('m4').featureLevel = 2;
    upgrade(world, 'm4', 2);
    if (world.call(world.leader().id, { kind: 'join', memberId: 'm4', address: 'm4', featureLevel: 2 })?.kind !== 'done') return 'a new enough one may not join';
    world.run(5000);
    return world.value('m4', 'k') === `${secondLevelMark}1` ? null : 'the new member has nothing';
  }),
  ...[1, 2, 3, 4, 5, 6].map((seed) => told(`versions that come and go in any order never read what they cannot, and end up equal (order ${seed})`, (options) => mixVersions(new SimWorld(three, options), seededRandom(seed)))),
  told('a removal that would leave no quorum is refused', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    const [dead, other] = [...world.members.values()].filter((member) => member !== leader);
    dead?.crash('for good');
    world.run(200);
    world.call(leader.id, { kind: 'remove', memberId: other?.id ?? '' });
    world.run(3000);
    return world.write(world.leader().id, 'k', '1') === null ? 'nothing can be written any more' : null;
  }),
  told('a member that lost its disk does not return under its old name', (options) => {
    const world = new SimWorld(three, options);
    const leader = world.leader();
    const [stale, wiped] = [...world.members.values()].filter((member) => member !== leader);
    if (stale === undefined || wiped === undefined) return 'three members';
    world.isolate(stale.id);
    if (world.write(leader.id, 'k', 'acknowledged') === null) return 'a write failed';
    world.wipe(wiped.id);
    world.run(200);
    if (world.call(leader.id, { kind: 'join', memberId: wiped.id, address: wiped.id, featureLevel: 1 }, 500)?.kind !== 'done') return null;
    // It was let in: with the one that was cut off it makes a majority that knows nothing of the write.
    leader.crash('killed');
    world.heal();
    world.start(wiped.id);
    world.run(10_000);
    return world.value(stale.id, 'k') === 'acknowledged' ? null : 'an acknowledged write is lost';
  }),
  told('damage in the middle of the log is refused, not cut', (options) => {
    const world = new SimWorld(['m1'], options);
    world.leader();
    for (let at = 0; at < 20; at += 1) world.write('m1', 'k', `${at}`);
    const member = world.get('m1');
    member.crash('power');
    const { disk } = member.options;
    const path = disk.paths().find((one) => one.endsWith('.wal')) ?? '';
    const file = disk.open(path, 'edit');
    const at = Math.floor((file.sizeBytes() === 64 * 1024 ? 3000 : file.sizeBytes() * 0.5) / 32) * 32 + 40;
    file.write(at, [Uint8Array.from([(file.read(at, 1)[0] ?? 0) ^ 1])]);
    file.sync();
    if (options.hostMutations?.has('host-cut-corrupt-middle') === true) {
      // The mistake: everything from the damage on is taken for a torn write.
      file.truncate(Math.floor(at / 32) * 32 - 32);
      file.sync();
    }
    member.start();
    if (member.state === 'refused') return null;
    world.run(5000);
    return world.value('m1', 'k') === '19' ? null : `the last acknowledged write is lost: ${world.value('m1', 'k') ?? 'nothing'} is there`;
  }),
  told('a snapshot that is made while changes go on holds the state of its own index', (options) => {
    const world = new SimWorld(['m1'], options);
    world.leader();
    for (let round = 0; round < 8; round += 1) {
      const member = world.get('m1');
      for (let at = 0; at < 12; at += 1) {
        if (at === 4) member.act((node) => node.snapshots.request(() => undefined));
        member.act((node) => node.proposals.propose({
          changes: [{ kind: 'put', ifVersion: null, object: { kind: 'config', id: `k${at}`, version: 0, createdMs: 0, updatedMs: 0, name: '', projectName: null, key: '', labels: {}, dataBase64: `${round}`, digest: '' } }],
          requestId: null, isFirstAsk: true, fence: null, done: () => undefined,
        }));
        world.run(0.4);
      }
      world.run(20);
      member.crash('power');
      world.start('m1');
      if (member.state !== 'up') return `it does not start: ${member.refusal}`;
      world.leader();
      if (world.value('m1', 'k11') === null) return 'a change is lost';
    }
    return null;
  }),
  told('a segment that was made is there after the power went', (options) => {
    const world = new SimWorld(['m1'], options);
    for (let round = 0; round < 12; round += 1) {
      world.leader();
      if (world.write('m1', 'k', `${round}`) === null) return 'a write failed';
      world.get('m1').crash('power');
      world.start('m1');
      if (world.get('m1').state !== 'up') return `it does not start: ${world.get('m1').refusal}`;
      world.leader();
      if (world.value('m1', 'k') !== `${round}`) return `the acknowledged write ${round} is lost`;
    }
    return null;
  }),
  told('after a sync that failed nothing more is acknowledged', (options) => {
    for (let calls = 1; calls < 24; calls += 1) {
      const world = new SimWorld(['m1'], options);
      world.leader();
      world.run(300);
      const member = world.get('m1');
      member.options.disk.failAfter = calls;
      let last = -1;
      for (let at = 0; at < 20; at += 1) if (member.state === 'up' && world.write('m1', 'k', `${at}`, 200)?.kind === 'applied') last = at;
      member.crash('power');
      world.start('m1');
      if (member.state !== 'up') return `it does not start: ${member.refusal}`;
      world.leader();
      if (Number(world.value('m1', 'k') ?? '-1') < last) return `write ${last} was acknowledged and is lost`;
    }
    return null;
  }),
  told('a change of keys that failed, then a restart, then the power: the member starts', (options) => {
    // Each call of the disk within the change fails in turn; some of them leave a key file that has its name, but not durably.
    for (let round = 0; round < 40; round += 1) {
      const world = new SimWorld(['m1'], options, {}, true);
      world.leader();
      const member = world.get('m1');
      const { disk } = member.options;
      member.act(() => {
        disk.failAfter = round % 8;
        member.rotation?.rotate(() => undefined);
        disk.failAfter = null;
      });
      member.close(() => undefined);
      world.run(500);
      world.start('m1');
      if (member.state !== 'up') return `it does not start: ${member.refusal}`;
      world.leader();
      if (world.write('m1', 'k', '1') === null) return 'a write failed';
      member.crash('power');
      world.start('m1');
      if (member.state !== 'up') return `after the power it does not start: ${member.refusal}`;
      world.leader();
      if (world.value('m1', 'k') !== '1') return 'the write is lost';
    }
    return null;
  }),
  told('a second snapshot of the leader that comes while the first waits for the log is there when both are installed', (options) => {
    const world = new SimWorld(three, options, { trailingEntries: 0 });
    const { leader, behind } = laggard(world);
    behind.lanes.log.hold(Infinity);
    for (let round = 0; round < 2; round += 1) if (!deliver(world, leader, behind, round)) return 'no snapshot came';
    behind.lanes.log.release();
    return comesBack(world, behind, 'k1');
  }),
  told('a snapshot that the leader offers again while it waits for the log stays, though its second coming fails', (options) => {
    const world = new SimWorld(three, options, { trailingEntries: 0 });
    const { leader, behind } = laggard(world);
    const { disk } = behind.options;
    behind.lanes.log.hold(Infinity);
    if (!deliver(world, leader, behind, 0)) return 'no snapshot came';
    // The answer to the second is lost, so it is offered again; by then the disk has no room for what arrives.
    world.network.onChunk = () => {
      world.network.onChunk = () => void (disk.capacityBytes = disk.usedBytes);
      world.network.cut.add(`${behind.id}>${leader.id}`);
      world.scheduler.after(20, () => world.network.cut.delete(`${behind.id}>${leader.id}`));
    };
    if (!deliver(world, leader, behind, 1)) return 'no second snapshot came';
    world.run(1500);
    disk.capacityBytes = Infinity;
    behind.lanes.log.release();
    return comesBack(world, behind, 'k1');
  }),
  told('keys changed thrice while the log stands still are all there when it goes on', (options) => {
    for (let round = 0; round < 30; round += 1) {
      const world = new SimWorld(['m1'], options, {}, true);
      world.leader();
      const member = world.get('m1');
      const rotate = (ms: number): void => {
        member.act(() => member.rotation?.rotate(() => undefined));
        world.run(ms);
      };
      if (world.write('m1', 'k', '1') === null) return 'a write failed';
      rotate(round * 0.2);
      member.lanes.log.hold(Infinity);
      rotate(5);
      rotate(5);
      member.lanes.log.release();
      world.run(100);
      member.crash('power');
      world.start('m1');
      if (member.state !== 'up') return `it does not start: ${member.refusal}`;
    }
    return null;
  }),
  told('a member whose newest snapshot was made again, and whose log is empty since, starts', (options) => {
    const world = new SimWorld(three, options);
    const member = world.leader();
    const snapshot = (isAnew: boolean): void => {
      member.act((node) => node.snapshots.request(() => undefined, isAnew));
      world.run(100);
    };
    for (let at = 0; at < 3; at += 1) {
      if (world.write(member.id, 'k', `${at}`) === null) return 'a write failed';
      snapshot(false);
    }
    for (const id of three) world.get(id).crash('power everywhere');
    // Alone it writes nothing.
    world.start(member.id);
    snapshot(true);
    member.crash('power');
    for (const id of three) world.start(id);
    if (member.state !== 'up') return `it does not start: ${member.refusal}`;
    world.leader();
    world.run(3000);
    return three.every((id) => world.value(id, 'k') === '2') ? null : 'a change is lost';
  }),
  { name: 'a recovery from lost quorum keeps the lock of the keys', run: recoverLocked },
];

/** A leader, and one that was cut off so long that it will need a snapshot. */
function laggard(world: SimWorld): { readonly leader: SimMember; readonly behind: SimMember } {
  const leader = world.leader();
  const behind = [...world.members.values()].find((member) => member !== leader);
  if (behind === undefined) throw new SimFailure('three members');
  world.run(500);
  return { leader, behind };
}

/** The leader goes on without it and forgets its log; then it hears the leader again, until a snapshot came whole. */
function deliver(world: SimWorld, leader: SimMember, behind: SimMember, round: number): boolean {
  world.isolate(behind.id);
  for (let at = 0; at < 3; at += 1) {
    world.write(leader.id, `k${round}`, `${at}`);
    // Two are kept, and the log back to the older.
    leader.act((node) => node.snapshots.request(() => undefined));
    world.run(100);
  }
  const index = leader.node?.snapshots.newest?.index ?? Infinity;
  world.heal();
  for (let waited = 0; waited < 8000 && (behind.node?.core.status().hardState.commit ?? 0) < index; waited += 5) world.run(5);
  world.run(30);
  return (behind.node?.core.status().firstIndex ?? 0) === index + 1;
}

function comesBack(world: SimWorld, member: SimMember, key: string): string | null {
  world.run(30);
  member.crash('power');
  world.start(member.id);
  if (member.state !== 'up') return `it does not start: ${member.refusal}`;
  world.run(5000);
  return world.value(member.id, key) === '2' ? null : `it has ${world.value(member.id, key) ?? 'nothing'}`;
}

/** Members are started anew as either version while changes of either level are asked for; whatever the order, these hold. */
function mixVersions(world: SimWorld, random: Random): string | null {
  let reached = 1;
  for (let step = 0; step < 25; step += 1) {
    const id = three[randomBelow(random, 3)] ?? 'm1';
    if (random.float() < 0.5) {
      const member = upgrade(world, id, 1 + randomBelow(random, 2));
      if (member.state === 'refused' && (member.featureLevel === 2 || reached === 1)) return `a member of level ${member.featureLevel} does not start at level ${reached}: ${member.refusal}`;
    } else if (world.get(id).state === 'up') {
      const needs = 1 + randomBelow(random, 2);
      const answer = world.ask(id, { requestId: `s${step}`, isFirstAsk: true, value: `${needs === 2 ? secondLevelMark : ''}${step}` }, 8000);
      if (answer === 'applied' && needs > (world.get(id).node?.state.featureLevel ?? 2)) return 'a change of level 2 was taken before all have it';
      if (answer === 'MANAGER_FEATURE_LEVEL' && needs === 1) return 'a change that needs nothing new was refused';
    }
    for (const { node, featureLevel, id: name } of world.members.values()) {
      reached = Math.max(reached, node?.state.featureLevel ?? 1);
      if (node !== null && node.state.featureLevel > featureLevel) return `${name}, of level ${featureLevel}, goes on at level ${node.state.featureLevel}`;
    }
  }
  for (const id of three) upgrade(world, id, 2);
  if (world.ask(world.leader().id, { requestId: 'last', isFirstAsk: true, value: `${secondLevelMark}last` }, 8000) !== 'applied') return 'with all of level 2, a change of level 2 is not taken';
  world.run(2000);
  return three.every((id) => world.value(id, 'k') === `${secondLevelMark}last`) ? null : 'not all have it';
}

/** The member ends, and another version begins in its place; then there is time to announce it. */
function upgrade(world: SimWorld, id: string, featureLevel: number): SimMember {
  const member = world.get(id);
  if (member.state === 'refused') member.state = 'down';
  member.crash('another version is started');
  member.featureLevel = featureLevel;
  member.start();
  world.run(6000);
  return member;
}

function recoverLocked(options: RunOptions): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'store-locked-'));
  try {
    const identity = firstIdentity(seededRandom(3));
    const unlockKey = makeUnlockKey(randomBytes);
    const keys = openKeys({ disk: realDisk, dir, unlockKey, randomBytes });
    beginFrom(storageOptionsOf(dir, identity, keys), { ...emptyState({ ...emptyConf, voters: identity.firstVoters }), term: 1 });
    writeIdentity(realDisk, dir, identity);
    recoverFromLostQuorum(dir, unlockKey);
    // The mistake: the recovered manager gets a key file without a lock.
    if (options.hostMutations?.has('host-recover-forgets-key') === true) rewrapKeys({ disk: realDisk, dir, opened: openKeys({ disk: realDisk, dir, unlockKey, randomBytes }), nextUnlockKey: null, randomBytes });
    try {
      openKeys({ disk: realDisk, dir, unlockKey: null, randomBytes });
      return 'the store opens without its unlock key';
    } catch (error) {
      if (!isAppError(error, 'MANAGER_STORE_AUTOLOCKED')) throw error;
    }
    openKeys({ disk: realDisk, dir, unlockKey, randomBytes });
    return null;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
