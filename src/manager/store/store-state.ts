import { applyEntry } from '../../cluster/state/apply.ts';
import type { View } from '../../cluster/state/view.ts';
import { emptyView } from '../../cluster/state/view.ts';
import type { Entry, Outcome, StoreEvent } from '../../model/entry.ts';
import type { ConfState, MemberId, SnapshotMeta } from '../../raft/types.ts';

/** What the members know of one of them besides its vote; it travels through the log as the context of a change of members. */
export type MemberInfo = { readonly address: string; readonly featureLevel: number };

/** Everything an entry can change, at one index. Applied index and state are one value, so they can't come apart. */
export type StoreState = {
  readonly view: View;
  readonly term: number;
  readonly conf: ConfState;
  readonly members: ReadonlyMap<MemberId, MemberInfo>;
  /** Members that were removed; their ids never return. Oldest first. Never shortened: `removedMax` bounds what may join. */
  readonly removed: readonly MemberId[];
  /**
   * The level in force: what entries may need and every member can read. It rises when all members announce a higher one, and never falls, as
   * the state may hold what the higher one means.
   */
  readonly featureLevel: number;
};

/** The level of log entries and state that this version reads and writes. */
export const featureLevelOwn = 1;
/** What a member has that announced nothing, and what an entry needs that says nothing. */
export const featureLevelFirst = 1;

/**
 * So many removed members are remembered. None is ever forgotten, as its id could return then; instead nobody joins any more when those who are
 * members now would not all find room here one day. A recovery begins a new incarnation, of which nobody has been removed.
 */
export const removedMax = 10_000;
/** An id stands in every message, in the head of every segment (where it has 96 bytes) and, once removed, in every snapshot. */
export const memberIdCharsMax = 64;
export const memberIdShape: RegExp = /^[A-Za-z0-9._-]{1,64}$/;
export const addressCharsMax = 255;

export function emptyState(conf: ConfState): StoreState {
  return { view: emptyView(), term: 0, conf, members: new Map(), removed: [], featureLevel: featureLevelFirst };
}

export function appliedIndex(state: StoreState): number {
  return state.view.revision;
}

export function applyNormal(state: StoreState, position: { readonly index: number; readonly term: number }, entry: Entry): { readonly state: StoreState; readonly events: readonly StoreEvent[]; readonly outcome: Outcome } {
  const applied = applyEntry(state.view, position.index, entry);
  return { state: { ...state, term: position.term, view: applied.view }, events: applied.events, outcome: applied.outcome };
}

/** For entries that do not touch the view. */
export function advance(state: StoreState, position: { readonly index: number; readonly term: number }): StoreState {
  return { ...state, term: position.term, view: { ...state.view, revision: position.index } };
}

/** The configuration after a change of members. `infos`: what the change said of members. */
export function applyMembers(state: StoreState, conf: ConfState, infos: ReadonlyMap<MemberId, MemberInfo>): StoreState {
  const now = memberIds(conf);
  const gone = memberIds(state.conf).filter((id) => !now.includes(id));
  const members = new Map([...state.members, ...infos].filter(([id]) => now.includes(id)));
  const removed = [...state.removed.filter((id) => !now.includes(id)), ...gone];
  return { ...state, conf, members, removed, featureLevel: Math.max(state.featureLevel, levelOfAll(now, members)) };
}

export function memberIds(conf: ConfState): MemberId[] {
  return [...new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext])].sort();
}

export function snapshotMetaOf(state: StoreState): SnapshotMeta {
  return { index: state.view.revision, term: state.term, conf: state.conf };
}

/** The level that all announced: voters, and learners, which have to read the same log. */
function levelOfAll(ids: readonly MemberId[], members: ReadonlyMap<MemberId, MemberInfo>): number {
  return ids.length === 0 ? featureLevelFirst : Math.min(...ids.map((id) => levelOf(members, id)));
}

function levelOf(members: ReadonlyMap<MemberId, MemberInfo>, id: MemberId): number {
  return members.get(id)?.featureLevel ?? featureLevelFirst;
}

/** Who holds the cluster below a level, sorted. */
export function membersBelow(state: StoreState, level: number): MemberId[] {
  return memberIds(state.conf).filter((id) => levelOf(state.members, id) < level);
}
