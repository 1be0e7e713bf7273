import { AppError, isAppError } from '../../base/app-error.ts';
import { applyChange, decodeConfEntry } from '../../raft/conf-change.ts';
import { emptyConf } from '../../raft/log-storage.ts';
import type { ConfState, SnapshotMeta } from '../../raft/types.ts';
import { checkEntryLevel } from './entry-codec.ts';
import { replayLog } from './log-items.ts';
import type { LogMarker, ReplayedLog } from './log-items.ts';
import type { Recovered } from './node-types.ts';
import { fromLogEntry } from './persister.ts';
import { infosOf, StateDecoder } from './state-codec.ts';
import type { Storage } from './storage.ts';
import type { HostMutations } from './store-limits.ts';
import { appliedIndex, applyMembers, emptyState, snapshotMetaOf } from './store-state.ts';
import type { StoreState } from './store-state.ts';

/**
 * Puts together what a member knows from its log and snapshots. The newest snapshot that the log names is loaded; where its file is
 * damaged, the one before it, if the log still holds everything after that. Errors: MANAGER_SNAPSHOT_DAMAGED, MANAGER_WAL_DAMAGED, MANAGER_WAL_FOREIGN, MANAGER_FEATURE_LEVEL.
 */
export function recoverState(options: {
  readonly storage: Storage;
  readonly batches: readonly Uint8Array[];
  readonly batchBytesMax: number;
  readonly clusterId: string;
  /** The configuration before the first entry. */
  readonly firstConf: ConfState;
  readonly featureLevelMax: number;
  readonly mutations?: HostMutations;
}): { readonly recovered: Recovered; readonly notes: readonly string[] } {
  const replayed = replayLog(options.batches);
  const notes: string[] = [];
  const loaded = loadNewest(options, replayed, notes);
  const snapshot = loaded === null ? null : snapshotMetaOf(loaded.state);
  const first = replayed.entries[0];
  const isCovered = (index: number): boolean => first === undefined || first.index <= index + 1;
  if (snapshot === null && !isCovered(0)) throw damaged(`the log begins at entry ${first?.index ?? 0} and names no snapshot`);
  if (snapshot !== null && !isCovered(snapshot.index)) throw damaged(`the log begins at entry ${first?.index ?? 0}, the snapshot ends at ${snapshot.index}`);
  // NOTE: entries before the snapshot are kept for members that are a little behind; they begin after an older snapshot, whose term is known.
  // Where the log does not reach the snapshot it begins after it, whatever older ones are still named in it.
  const isReached = (replayed.entries.at(-1)?.index ?? 0) >= (snapshot?.index ?? 0) || options.mutations?.has('host-log-begun-early') === true;
  const older = isReached ? replayed.markers.find((marker) => isCovered(marker.index) && marker.index < (snapshot?.index ?? 0)) : undefined;
  const isFromStart = first?.index === 1 && isReached;
  const before: SnapshotMeta | null = isFromStart || snapshot === null ? null : older === undefined ? snapshot : { index: older.index, term: older.term, conf: emptyConf };
  const entries = replayed.entries.filter((entry) => entry.index > (before?.index ?? 0)).map(fromLogEntry);
  const { term, vote, commit } = replayed.hardState;
  const recovered: Recovered = {
    hardState: { term, vote: vote === '' ? null : vote, commit },
    entries, before, snapshot, snapshotBytes: loaded?.sizeBytes ?? 0, state: loaded?.state ?? emptyState(options.firstConf), batchBytesMax: options.batchBytesMax,
  };
  checkReadable(recovered, options.featureLevelMax);
  const last = entries.at(-1)?.index ?? snapshot?.index ?? 0;
  if (commit > last) throw damaged(`entry ${commit} was committed, and the log ends at ${last}`);
  return { recovered, notes };
}

/** NOTE: found out at the start, not when the entry comes to be applied: until then the member would vote and acknowledge what it cannot do. */
function checkReadable({ entries, state, hardState }: Recovered, featureLevelMax: number): void {
  let reached = state;
  for (const entry of entries) {
    if (entry.index <= appliedIndex(state) || entry.index > (hardState?.commit ?? 0)) continue;
    if (entry.kind === 'normal') checkEntryLevel(entry.data, featureLevelMax);
    if (entry.kind === 'conf') reached = changeMembers(reached, entry.data);
    checkLevel(reached, featureLevelMax);
  }
}

/** A member that is too old for the cluster stops, by code, before it does anything wrong. */
export function checkLevel(state: StoreState, featureLevelMax: number): void {
  if (state.featureLevel <= featureLevelMax) return;
  throw new AppError({
    code: 'MANAGER_FEATURE_LEVEL', message: `the cluster is at feature level ${state.featureLevel}, this version supports ${featureLevelMax}`,
    hint: 'start a version of Flotilla at least as new as the other managers; the level never falls',
  });
}

/** What a change of members does, without a core: to who is a member and to the level. */
export function changeMembers(state: StoreState, data: Uint8Array): StoreState {
  const { change, base } = decodeConfEntry(data);
  const changed = applyChange(state.conf.voters.length === 0 && base !== null ? base : state.conf, change);
  return changed.kind === 'changed' ? applyMembers(state, changed.conf, infosOf(change)) : state;
}

type Loaded = { readonly state: StoreState; readonly sizeBytes: number };
type Options = Parameters<typeof recoverState>[0];

function loadNewest(options: Options, replayed: ReplayedLog, notes: string[]): Loaded | null {
  const first = replayed.entries[0]?.index;
  for (const marker of replayed.markers.toReversed()) {
    const isNewest = marker === replayed.markers.at(-1);
    if (!isNewest && first !== undefined && first > marker.index + 1) break;
    // Without the newest, the log must reach from the older one to at least where the newest was.
    if (!isNewest && (replayed.entries.at(-1)?.index ?? 0) < (replayed.markers.at(-1)?.index ?? 0)) break;
    try {
      return loadOne(options, marker);
    } catch (error) {
      if (!isAppError(error, 'MANAGER_SNAPSHOT_DAMAGED') && !isAppError(error, 'OS_DISK_MISSING')) throw error;
      notes.push(`snapshot ${marker.index}: ${error.message}`);
    }
  }
  if (replayed.markers.length === 0) return null;
  throw new AppError({
    code: 'MANAGER_SNAPSHOT_DAMAGED',
    message: `no snapshot that the log builds on can be read: ${notes.join('; ')}`,
    hint: 'with other managers alive: flotilla store recover --rejoin; with none: restore a backup with flotilla store restore',
  });
}

function loadOne(options: Options, marker: LogMarker): Loaded {
  const head = options.storage.headOf(marker.index, marker.term);
  if (head.clusterId !== options.clusterId) {
    throw new AppError({ code: 'MANAGER_WAL_FOREIGN', message: `snapshot ${marker.index} belongs to cluster ${head.clusterId}, this is ${options.clusterId}`, hint: 'put the right data directory back' });
  }
  const decoder = new StateDecoder({ meta: head.meta, index: head.index, term: head.term, featureLevelMax: options.featureLevelMax });
  const { sizeBytes } = options.storage.loadSnapshot(marker.index, marker.term, (content) => decoder.take(content));
  return { state: decoder.finish(), sizeBytes };
}

function damaged(what: string): AppError {
  return new AppError({ code: 'MANAGER_WAL_DAMAGED', message: `the log cannot be used: ${what}`, hint: 'with other managers alive: flotilla store recover --rejoin; with none: restore a backup with flotilla store restore' });
}
