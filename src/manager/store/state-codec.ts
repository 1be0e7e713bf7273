import { AppError } from '../../base/app-error.ts';
import { restoreObjects } from '../../cluster/state/apply.ts';
import { Outcomes } from '../../cluster/state/outcomes.ts';
import { generationOf, generationRequests } from '../../cluster/state/view.ts';
import type { View } from '../../cluster/state/view.ts';
import { objectKinds } from '../../model/objects.ts';
import type { StoredObject } from '../../model/objects.ts';
import type { Outcome } from '../../model/entry.ts';
import { PersistentMap } from '../../base/persistent-map.ts';
import type { ConfChange, ConfState, MemberId } from '../../raft/types.ts';
import { parseObject, parseOutcome } from './entry-codec.ts';
import type { MemberInfo, StoreState } from './store-state.ts';

/**
 * A snapshot's meta is JSON: { format, timeMs, requestSequence, conf, members: [[id, info]…], removed, featureLevel }.
 * Its content is one JSON value a line: `["o", object]` for each object, `["r", sequence, requestId, outcome]` for each remembered request;
 * the sequence is any number of the request's generation.
 */
const snapshotFormat = 1;

export function encodeMeta(state: StoreState): string {
  return JSON.stringify({
    format: snapshotFormat, timeMs: state.view.timeMs, requestSequence: state.view.requests.nextSequence, conf: state.conf,
    members: [...state.members].sort((a, b) => (a[0] < b[0] ? -1 : 1)), removed: state.removed, featureLevel: state.featureLevel,
  });
}

/** The content in slices of about `sliceBytes`, each made when it is asked for, so that the caller can breathe between them. */
export function* encodeContent(view: View, sliceBytes: number): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  let lines: string[] = [];
  let length = 0;
  for (const line of contentLines(view)) {
    lines.push(line);
    length += line.length;
    if (length >= sliceBytes) {
      yield encoder.encode(lines.join(''));
      lines = [];
      length = 0;
    }
  }
  if (lines.length > 0) yield encoder.encode(lines.join(''));
}

function* contentLines(view: View): Generator<string> {
  for (const kind of objectKinds) {
    for (const object of view.tables[kind].values()) yield `["o",${JSON.stringify(object)}]\n`;
  }
  const { newer, older, nextSequence } = view.requests;
  const generation = generationOf(Math.max(0, nextSequence - 1));
  for (const [requests, back] of [[older, 1], [newer, 0]] as const) {
    // NOTE: in an order that depends on nothing but the ids.
    for (const [requestId, outcome] of PersistentMap.from(requests)) yield `["r",${Math.max(0, generation - back) * generationRequests},${JSON.stringify(requestId)},${JSON.stringify(outcome)}]\n`;
  }
}

/** Takes the content of a snapshot in pieces of any length and answers the state it holds. */
export class StateDecoder {
  readonly #meta: ReturnType<typeof parseMeta>;
  readonly #index: number;
  readonly #term: number;
  readonly #decoder: InstanceType<typeof TextDecoder> = new TextDecoder('utf-8', { fatal: true });
  readonly #objects: StoredObject[] = [];
  readonly #requests: { readonly sequence: number; readonly requestId: string; readonly outcome: Outcome }[] = [];
  #rest = '';

  /** Errors: MANAGER_FEATURE_LEVEL where the snapshot needs a newer version, MANAGER_WAL_FOREIGN for a format of its own. */
  constructor(options: { readonly meta: string; readonly index: number; readonly term: number; readonly featureLevelMax: number }) {
    this.#meta = parseMeta(options.meta);
    this.#index = options.index;
    this.#term = options.term;
    if (this.#meta.featureLevel > options.featureLevelMax) {
      throw new AppError({
        code: 'MANAGER_FEATURE_LEVEL',
        message: `the state is of feature level ${this.#meta.featureLevel}, this version supports ${options.featureLevelMax}`,
        hint: 'start a version of Flotilla at least as new as the one that wrote it',
      });
    }
  }

  take(content: Uint8Array): void {
    const text = this.#rest + this.#decoder.decode(content, { stream: true });
    let at = 0;
    for (;;) {
      const end = text.indexOf('\n', at);
      if (end < 0) break;
      this.#line(text.slice(at, end));
      at = end + 1;
    }
    this.#rest = text.slice(at);
  }

  finish(): StoreState {
    if (this.#rest !== '') throw unreadable('the last line has no end');
    const { timeMs, requestSequence, conf, members, removed, featureLevel } = this.#meta;
    const generation = generationOf(Math.max(0, requestSequence - 1));
    const requestsOf = (isNewer: boolean): Outcomes =>
      Outcomes.from(this.#requests.filter((one) => (generationOf(one.sequence) === generation) === isNewer).map((one) => [one.requestId, one.outcome] as const));
    const requests = { newer: requestsOf(true), older: requestsOf(false), nextSequence: requestSequence };
    const view: View = { ...restoreObjects(this.#objects), revision: this.#index, timeMs, requests };
    return { view, term: this.#term, conf, members: new Map(members), removed, featureLevel };
  }

  #line(line: string): void {
    const value: unknown = JSON.parse(line);
    if (!Array.isArray(value)) throw unreadable('a line is not a list');
    const fields: readonly unknown[] = value;
    const [tag, first, second, third] = fields;
    if (tag === 'o') this.#objects.push(parseObject(first));
    else if (tag === 'r' && typeof first === 'number' && typeof second === 'string') {
      this.#requests.push({ sequence: first, requestId: second, outcome: parseOutcome(third) });
    } else throw unreadable(`a line of kind ${String(tag)}`);
  }
}

type Meta = {
  readonly timeMs: number;
  readonly requestSequence: number;
  readonly conf: ConfState;
  readonly members: readonly (readonly [MemberId, MemberInfo])[];
  readonly removed: readonly MemberId[];
  readonly featureLevel: number;
};

export function parseMeta(text: string): Meta {
  const value: unknown = JSON.parse(text);
  if (
    typeof value !== 'object' || value === null || !('format' in value) || !('timeMs' in value) || !('requestSequence' in value) || !('conf' in value) ||
    !('members' in value) || !('removed' in value) || !('featureLevel' in value)
  ) throw unreadable('its meta misses a field');
  const { format, timeMs, requestSequence, conf, members, removed, featureLevel } = value;
  if (format !== snapshotFormat) throw new AppError({ code: 'MANAGER_WAL_FOREIGN', message: `a snapshot has state format ${String(format)}, this version reads ${snapshotFormat}`, hint: 'start the version of Flotilla that wrote it' });
  if (typeof timeMs !== 'number' || typeof requestSequence !== 'number' || typeof featureLevel !== 'number' || !isTextList(removed) || !Array.isArray(members)) throw unreadable('its meta has a field of another type');
  return { timeMs, requestSequence, conf: parseConf(conf), members: members.map(parseMember), removed, featureLevel };
}

export function parseConf(value: unknown): ConfState {
  if (
    typeof value !== 'object' || value === null || !('voters' in value) || !('votersOutgoing' in value) || !('learners' in value) || !('learnersNext' in value) || !('autoLeave' in value) ||
    !isTextList(value.voters) || !isTextList(value.votersOutgoing) || !isTextList(value.learners) || !isTextList(value.learnersNext) || typeof value.autoLeave !== 'boolean'
  ) throw unreadable('a configuration of members misses a field');
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = value;
  return { voters, votersOutgoing, learners, learnersNext, autoLeave };
}

function parseMember(value: unknown): readonly [MemberId, MemberInfo] {
  if (Array.isArray(value) && typeof value[0] === 'string') return [value[0], parseMemberInfo(value[1])];
  throw unreadable('a member has no id');
}

export function parseMemberInfo(value: unknown): MemberInfo {
  if (typeof value === 'object' && value !== null && 'address' in value && 'featureLevel' in value && typeof value.address === 'string' && typeof value.featureLevel === 'number') {
    return { address: value.address, featureLevel: value.featureLevel };
  }
  throw unreadable('a member misses its address');
}

/** What a change of members says of them besides their votes. */
export function infosOf(change: ConfChange): Map<MemberId, MemberInfo> {
  return new Map(change.changes.flatMap((one) => (one.context === undefined ? [] : [[one.member, parseMemberInfo(JSON.parse(one.context))] as const])));
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function unreadable(what: string): AppError {
  return new AppError({ code: 'MANAGER_SNAPSHOT_DAMAGED', message: `a snapshot verifies but cannot be read: ${what}`, hint: 'was it written by a newer version?' });
}
