import { AppError } from '../../../base/app-error.ts';
import type { Secret } from '../../../base/secret.ts';
import { realDisk } from '../../../os/disk.ts';
import { emptyConf } from '../../../raft/log-storage.ts';
import type { MemberId } from '../../../raft/types.ts';
import { readJson, writeJson } from '../durable-json.ts';
import { readIdentity, writeIdentity } from '../identity.ts';
import type { Identity } from '../identity.ts';
import { memberIds, appliedIndex } from '../store-state.ts';
import type { StoreState } from '../store-state.ts';
import { beginFrom } from './begin-from.ts';
import { lockStore, readStoppedStore, storageOptionsOf, storeNames } from './stopped-store.ts';

export type RecoverReport = {
  readonly identity: Identity;
  readonly revision: number;
  /** Entries that were in the log without proof that they were committed: they are kept, as they may have been acknowledged. */
  readonly keptEntries: number;
  readonly droppedMembers: readonly MemberId[];
  readonly savedAs: string;
};

const intentName = 'recover.json';
const formerMax = 1000;

/**
 * Makes a cluster of one out of a manager whose quorum is lost for good. Everything in its log is kept: an entry without proof may have
 * been committed by those who are lost. The cluster gets a new incarnation, so none of the others can ever come back with old votes; they
 * join again under new ids, as learners first. The old log stays beside, under another name. Safe to repeat after a crash.
 */
export function recoverFromLostQuorum(dir: string, unlockKey: Secret | null): RecoverReport {
  const unlock = lockStore(dir);
  try {
    finishSwap(dir);
    const stopped = readStoppedStore(dir, unlockKey);
    const { identity } = stopped;
    const { state, keptEntries } = stopped;
    const others = memberIds(state.conf).filter((id) => id !== identity.memberId);
    const term = Math.max(stopped.recovered.hardState?.term ?? 0, state.term) + 1;
    const next: Identity = { ...identity, incarnation: identity.incarnation + 1, firstVoters: [identity.memberId], knownPeers: [] };
    const own = state.members.get(identity.memberId);
    const alone: StoreState = {
      ...state, term, conf: { ...emptyConf, voters: [identity.memberId] }, members: new Map(own === undefined ? [] : [[identity.memberId, own]]),
      // NOTE: those of before speak for an incarnation that nobody listens to; the last of them are kept for whoever tries an old name.
      removed: [...state.removed.filter((id) => id !== identity.memberId && !others.includes(id)), ...others].slice(-formerMax),
    };
    const building = `${dir}/next`;
    clear(building);
    realDisk.makeDir(building);
    // NOTE: the same keys: an autolocked store stays autolocked (moby#36852).
    beginFrom({ ...storageOptionsOf(dir, next, stopped.keys), dir: building }, alone);
    const savedAs = `lost-quorum-${identity.incarnation}`;
    writeJson(realDisk, dir, intentName, { identity: next, savedAs });
    finishSwap(dir);
    return { identity: next, revision: appliedIndex(alone), keptEntries, droppedMembers: others, savedAs: `${dir}/${savedAs}` };
  } finally {
    unlock();
  }
}

/** Puts the data of a member aside, and what an interrupted recovery left, so that it can join its cluster again under a new id. Answers where they are. */
export function setAsideForRejoin(dir: string): string {
  const unlock = lockStore(dir);
  try {
    const names = realDisk.list(dir).filter((name) => storeNames.includes(name));
    let number = 1;
    while (realDisk.exists(`${dir}/set-aside-${number}`)) number += 1;
    const target = `${dir}/set-aside-${number}`;
    realDisk.makeDir(target);
    for (const name of names) realDisk.rename(`${dir}/${name}`, `${target}/${name}`);
    realDisk.syncDir(target);
    realDisk.syncDir(dir);
    return target;
  } finally {
    unlock();
  }
}

/** A swap that a crash interrupted is finished: the new log is whole, and only names are left to change. */
export function finishSwap(dir: string): void {
  const intent = readJson(realDisk, dir, intentName);
  if (intent === undefined) return;
  if (typeof intent !== 'object' || intent === null || !('savedAs' in intent) || !('identity' in intent) || typeof intent.savedAs !== 'string') {
    throw new AppError({ code: 'MANAGER_STORE_DAMAGED', message: `${dir}/${intentName} is not readable`, hint: 'restore a backup' });
  }
  const saved = `${dir}/${intent.savedAs}`;
  realDisk.makeDir(saved);
  for (const name of ['log', 'snapshots']) {
    if (!realDisk.exists(`${dir}/next/${name}`)) continue;
    if (realDisk.exists(`${dir}/${name}`)) realDisk.rename(`${dir}/${name}`, `${saved}/${name}`);
    realDisk.syncDir(saved);
    realDisk.rename(`${dir}/next/${name}`, `${dir}/${name}`);
    realDisk.syncDir(dir);
  }
  writeJson(realDisk, dir, 'identity.json', intent.identity);
  const identity = readIdentity(realDisk, dir);
  if (identity !== null) writeIdentity(realDisk, dir, identity);
  realDisk.unlink(`${dir}/${intentName}`);
  realDisk.syncDir(dir);
}

function clear(dir: string): void {
  for (const sub of ['log', 'snapshots']) {
    if (!realDisk.exists(`${dir}/${sub}`)) continue;
    for (const name of realDisk.list(`${dir}/${sub}`)) realDisk.unlink(`${dir}/${sub}/${name}`);
  }
}
