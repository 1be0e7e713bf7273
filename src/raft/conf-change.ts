import { AppError } from '../base/app-error.ts';
import type { ConfChange, ConfState, MemberChange, MemberId } from './types.ts';

/** What one member is in the configuration being built. `isNew`: its progress starts afresh. */
type Part = { incoming: boolean; outgoing: boolean; learner: boolean; learnerNext: boolean; isNew: boolean };

/** A configuration after a change. `fresh`: members that did not exist before it, or were removed and added again within it. */
export type ConfResult =
  | { readonly kind: 'changed'; readonly conf: ConfState; readonly fresh: ReadonlySet<MemberId> }
  | { readonly kind: 'invalid'; readonly reason: string };

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** Everyone that takes part in any way, sorted. */
export function membersOf(conf: ConfState): MemberId[] {
  return [...new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext])].sort();
}

/** Everyone whose vote counts, sorted. */
export function votersOf(conf: ConfState): MemberId[] {
  return [...new Set([...conf.voters, ...conf.votersOutgoing])].sort();
}

/** Which of the three kinds of step a change is, and its effect. The same change on the same configuration gives the same answer on every member. */
export function applyChange(conf: ConfState, change: ConfChange): ConfResult {
  if (isLeave(change)) return leaveJoint(conf);
  if (change.transition !== 'auto' || change.changes.length > 1) return enterJoint(conf, change.changes, change.transition !== 'explicit');
  return changeSimply(conf, change.changes);
}

/** A change without changes asks to leave the joint configuration. */
export function isLeave(change: ConfChange): boolean {
  return change.changes.length === 0 && change.transition === 'auto';
}

/** Changes at most one voter, so that old and new majorities always meet. */
export function changeSimply(conf: ConfState, changes: readonly MemberChange[]): ConfResult {
  if (isJoint(conf)) return invalid('a simple change cannot be made in a joint configuration');
  const parts = partsOf(conf);
  applyAll(parts, changes);
  const next = confOf(parts, false);
  if (next.voters.length === 0) return invalid('the change removes all voters');
  if (countDifferent(conf.voters, next.voters) > 1) return invalid('more than one voter changes, which needs a joint configuration');
  return { kind: 'changed', conf: next, fresh: freshOf(parts) };
}

/** From here on majorities of both the old and the new voters decide. */
export function enterJoint(conf: ConfState, changes: readonly MemberChange[], autoLeave: boolean): ConfResult {
  if (isJoint(conf)) return invalid('the configuration is joint already');
  if (conf.voters.length === 0) return invalid('a configuration without voters cannot become joint');
  const parts = partsOf(conf);
  for (const part of parts.values()) part.outgoing = part.incoming;
  applyAll(parts, changes);
  const next = confOf(parts, autoLeave);
  if (next.voters.length === 0) return invalid('the change removes all voters');
  return { kind: 'changed', conf: next, fresh: freshOf(parts) };
}

/** The old voters stop counting; voters that were demoted become learners now. */
export function leaveJoint(conf: ConfState): ConfResult {
  if (!isJoint(conf)) return invalid('the configuration is not joint, so there is nothing to leave');
  const parts = partsOf(conf);
  for (const [member, part] of parts) {
    part.outgoing = false;
    if (part.learnerNext) part.learner = true;
    part.learnerNext = false;
    if (!part.incoming && !part.learner) parts.delete(member);
  }
  return { kind: 'changed', conf: confOf(parts, false), fresh: new Set() };
}

function applyAll(parts: Map<MemberId, Part>, changes: readonly MemberChange[]): void {
  for (const change of changes) {
    // NOTE: a change of nobody is one that the host has blanked.
    if (change.member === '') continue;
    if (change.kind === 'add-voter') addVoter(parts, change.member);
    else if (change.kind === 'add-learner') addLearner(parts, change.member);
    else if (change.kind === 'remove') remove(parts, change.member);
  }
}

function addVoter(parts: Map<MemberId, Part>, member: MemberId): void {
  const part = parts.get(member);
  if (part === undefined) {
    parts.set(member, { incoming: true, outgoing: false, learner: false, learnerNext: false, isNew: true });
    return;
  }
  part.incoming = true;
  part.learner = false;
  part.learnerNext = false;
}

function addLearner(parts: Map<MemberId, Part>, member: MemberId): void {
  const part = parts.get(member);
  if (part === undefined) {
    parts.set(member, { incoming: false, outgoing: false, learner: true, learnerNext: false, isNew: true });
    return;
  }
  if (part.learner) return;
  // NOTE: an outgoing voter still votes, so it is a learner only when the joint configuration is left.
  part.incoming = false;
  part.learner = !part.outgoing;
  part.learnerNext = part.outgoing;
}

function remove(parts: Map<MemberId, Part>, member: MemberId): void {
  const part = parts.get(member);
  if (part === undefined) return;
  part.incoming = false;
  part.learner = false;
  part.learnerNext = false;
  if (!part.outgoing) parts.delete(member);
}

function partsOf(conf: ConfState): Map<MemberId, Part> {
  const incoming = new Set(conf.voters);
  const outgoing = new Set(conf.votersOutgoing);
  const learners = new Set(conf.learners);
  const next = new Set(conf.learnersNext);
  return new Map(
    membersOf(conf).map((member) => [
      member,
      { incoming: incoming.has(member), outgoing: outgoing.has(member), learner: learners.has(member), learnerNext: next.has(member), isNew: false },
    ]),
  );
}

function confOf(parts: ReadonlyMap<MemberId, Part>, autoLeave: boolean): ConfState {
  const pick = (key: 'incoming' | 'outgoing' | 'learner' | 'learnerNext'): MemberId[] =>
    [...parts].filter(([, part]) => part[key]).map(([member]) => member).sort();
  return { voters: pick('incoming'), votersOutgoing: pick('outgoing'), learners: pick('learner'), learnersNext: pick('learnerNext'), autoLeave };
}

function freshOf(parts: ReadonlyMap<MemberId, Part>): Set<MemberId> {
  return new Set([...parts].filter(([, part]) => part.isNew).map(([member]) => member));
}

function countDifferent(a: readonly MemberId[], b: readonly MemberId[]): number {
  return a.filter((member) => !b.includes(member)).length + b.filter((member) => !a.includes(member)).length;
}

function invalid(reason: string): ConfResult {
  return { kind: 'invalid', reason };
}

/**
 * A change as the data of a `conf` entry: UTF-8 JSON
 * `{"v":1,"transition":"auto|implicit|explicit","changes":[{"kind":…,"member":…,"context"?:…}],"context"?:…,"base"?:ConfState}`;
 * at most the entry limit. `base` is the configuration that is changed: a member that joins and reads the log from its beginning learns
 * from the first change who founded the cluster, which stands nowhere else.
 */
export function encodeConfChange(change: ConfChange, base?: ConfState): Uint8Array {
  const changes = change.changes.map((one) => ({ kind: one.kind, member: one.member, ...(one.context === undefined ? {} : { context: one.context }) }));
  const context = change.context === undefined ? {} : { context: change.context };
  return new TextEncoder().encode(JSON.stringify({ v: 1, transition: change.transition, changes, ...context, ...(base === undefined ? {} : { base }) }));
}

export function decodeConfChange(data: Uint8Array): ConfChange {
  return decodeConfEntry(data).change;
}

export function decodeConfEntry(data: Uint8Array): { readonly change: ConfChange; readonly base: ConfState | null } {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  if (!isRecord(value) || value['v'] !== 1 || !Array.isArray(value['changes'])) throw undecodable('no change of version 1');
  const transition = value['transition'];
  if (transition !== 'auto' && transition !== 'implicit' && transition !== 'explicit') throw undecodable(`transition ${JSON.stringify(transition)}`);
  const changes: MemberChange[] = value['changes'].map(decodeOne);
  return { change: { transition, changes, ...contextOf(value) }, base: value['base'] === undefined ? null : decodeConf(value['base']) };
}

function decodeConf(value: unknown): ConfState {
  if (!isRecord(value) || typeof value['autoLeave'] !== 'boolean') throw undecodable('a base that is no configuration');
  const ids = (key: string): MemberId[] => {
    const found = value[key];
    if (!Array.isArray(found)) throw undecodable(`a base without ${key}`);
    return found.map((id: unknown) => {
      if (typeof id !== 'string') throw undecodable(`the id ${JSON.stringify(id)}`);
      return id;
    });
  };
  return { voters: ids('voters'), votersOutgoing: ids('votersOutgoing'), learners: ids('learners'), learnersNext: ids('learnersNext'), autoLeave: value['autoLeave'] };
}

function decodeOne(value: unknown): MemberChange {
  if (!isRecord(value) || typeof value['member'] !== 'string') throw undecodable('a change without a member');
  const kind = value['kind'];
  if (kind !== 'add-voter' && kind !== 'add-learner' && kind !== 'remove' && kind !== 'update') throw undecodable(`kind ${JSON.stringify(kind)}`);
  return { kind, member: value['member'], ...contextOf(value) };
}

function contextOf(value: Readonly<Record<string, unknown>>): { context?: string } {
  return typeof value['context'] === 'string' ? { context: value['context'] } : {};
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function undecodable(what: string): AppError {
  return new AppError({ code: 'RAFT_CONF_INVALID', message: `a committed change of members cannot be read: ${what}` });
}
