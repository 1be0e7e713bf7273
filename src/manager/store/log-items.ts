import { AppError } from '../../base/app-error.ts';
import { assert } from '../../base/assert.ts';
import { getWide, putWide, viewOf } from './wal-format.ts';

/** One entry of the log as the disk keeps it; `kind` is a number that only the consensus core's adapter gives a meaning. */
export type LogEntry = { readonly index: number; readonly term: number; readonly kind: number; readonly data: Uint8Array };
export type LogHardState = { readonly term: number; readonly vote: string; readonly commit: number };
/** A snapshot file that the log refers to. `isInstall`: it came from a leader and replaces the log up to its index. */
export type LogMarker = { readonly index: number; readonly term: number; readonly isInstall: boolean };

export type LogItem =
  | { readonly kind: 'hardState'; readonly hardState: LogHardState }
  | { readonly kind: 'entries'; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'marker'; readonly marker: LogMarker };

/**
 * A batch is a sequence of items, little endian:
 *     hard state  1 | term 8 | commit 8 | vote length 1 | vote
 *     entries     2 | count 4 | (index 8 | term 8 | kind 1 | length 4 | data) × count
 *     marker      3 | index 8 | term 8 | is install 1
 */
const tags = { hardState: 1, entries: 2, marker: 3 } as const;
const entryHeadBytes = 21;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeItems(items: readonly LogItem[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(items.reduce((sum, item) => sum + itemBytes(item), 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const item of items) at = putItem(bytes, view, at, item);
  assert(at === bytes.length, 'a batch is as long as its items');
  return bytes;
}

function itemBytes(item: LogItem): number {
  if (item.kind === 'hardState') return 18 + Buffer.byteLength(item.hardState.vote);
  if (item.kind === 'marker') return 18;
  return 5 + item.entries.reduce((sum, entry) => sum + entryHeadBytes + entry.data.length, 0);
}

function putItem(bytes: Uint8Array, view: DataView, start: number, item: LogItem): number {
  let at = start;
  view.setUint8(at, tags[item.kind]);
  at += 1;
  if (item.kind === 'hardState') {
    const vote = encoder.encode(item.hardState.vote);
    assert(vote.length < 256, 'a member id is short');
    putWide(view, at, item.hardState.term);
    putWide(view, at + 8, item.hardState.commit);
    view.setUint8(at + 16, vote.length);
    bytes.set(vote, at + 17);
    return at + 17 + vote.length;
  }
  if (item.kind === 'marker') {
    putWide(view, at, item.marker.index);
    putWide(view, at + 8, item.marker.term);
    view.setUint8(at + 16, item.marker.isInstall ? 1 : 0);
    return at + 17;
  }
  view.setUint32(at, item.entries.length, true);
  at += 4;
  for (const entry of item.entries) {
    putWide(view, at, entry.index);
    putWide(view, at + 8, entry.term);
    view.setUint8(at + 16, entry.kind);
    view.setUint32(at + 17, entry.data.length, true);
    bytes.set(entry.data, at + entryHeadBytes);
    at += entryHeadBytes + entry.data.length;
  }
  return at;
}

/** The inverse of `encodeItems`. The data of entries are copies, so that they do not keep a whole segment in memory; or parts of `bytes`, where these are theirs alone. */
export function decodeItems(bytes: Uint8Array, data: 'copied' | 'shared' = 'copied'): LogItem[] {
  const view = viewOf(bytes);
  const items: LogItem[] = [];
  let at = 0;
  try {
    while (at < bytes.length) {
      const tag = view.getUint8(at);
      at += 1;
      if (tag === tags.hardState) {
        items.push({ kind: 'hardState', hardState: hardStateAt(bytes, view, at) });
        at += 17 + view.getUint8(at + 16);
      } else if (tag === tags.marker) {
        items.push({ kind: 'marker', marker: markerAt(view, at) });
        at += 17;
      } else if (tag === tags.entries) {
        const count = view.getUint32(at, true);
        at += 4;
        const entries: LogEntry[] = [];
        for (let i = 0; i < count; i += 1) {
          const length = view.getUint32(at + 17, true);
          if (at + entryHeadBytes + length > bytes.length) throw new RangeError('entry past the end');
          entries.push({
            index: getWide(view, at),
            term: getWide(view, at + 8),
            kind: view.getUint8(at + 16),
            data: data === 'copied' ? new Uint8Array(bytes.subarray(at + entryHeadBytes, at + entryHeadBytes + length)) : bytes.subarray(at + entryHeadBytes, at + entryHeadBytes + length),
          });
          at += entryHeadBytes + length;
        }
        items.push({ kind: 'entries', entries });
      } else throw new RangeError(`tag ${tag}`);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AppError({ code: 'MANAGER_WAL_DAMAGED', message: `a record of the log verifies but cannot be read: ${error.message}`, hint: 'was the data directory written by a newer version?', cause: error });
  }
  return items;
}

/** What the log says when all its batches are read in order. */
export type ReplayedLog = {
  readonly hardState: LogHardState;
  /** Contiguous; the first may lie before the newest marker. */
  readonly entries: readonly LogEntry[];
  /** Snapshots the log refers to, oldest first. */
  readonly markers: readonly LogMarker[];
};

/** Reads the batches in order: a later entry replaces all from its index on; an installed snapshot replaces what is before it. */
export function replayLog(batches: readonly Uint8Array[]): ReplayedLog {
  let hardState: LogHardState = { term: 0, vote: '', commit: 0 };
  let entries: LogEntry[] = [];
  let markers: LogMarker[] = [];
  for (const batch of batches) {
    for (const item of decodeItems(batch)) {
      if (item.kind === 'hardState') hardState = item.hardState;
      else if (item.kind === 'entries') appendEntries(entries, item.entries);
      else if (item.marker.isInstall) {
        entries = [];
        markers = [item.marker];
      } else if (!markers.some((one) => one.index === item.marker.index)) {
        // NOTE: a segment restates those of before it, also older ones than what is left of the log names first.
        markers = [...markers, item.marker].toSorted((a, b) => a.index - b.index);
      }
    }
  }
  return { hardState, entries, markers };
}

function appendEntries(entries: LogEntry[], more: readonly LogEntry[]): void {
  for (const entry of more) {
    const first = entries[0];
    const last = entries.at(-1);
    if (first === undefined || last === undefined) entries.push(entry);
    else if (entry.index === last.index + 1) entries.push(entry);
    else if (entry.index <= last.index && entry.index >= first.index) {
      entries.length = entry.index - first.index;
      entries.push(entry);
    } else if (entry.index < first.index) {
      entries.length = 0;
      entries.push(entry);
    } else {
      throw new AppError({
        code: 'MANAGER_WAL_DAMAGED',
        message: `the log misses the entries between ${last.index} and ${entry.index}`,
        hint: 'let this member join again under a new id: flotilla store recover --rejoin',
      });
    }
  }
}

/** `hardState`: the last one of the batch, as a batch of its own: each batch has one, and what it says is asked for once in a segment. */
export type BatchFacts = { readonly maxIndex: number; readonly hardState: Uint8Array | undefined; readonly markers: readonly LogMarker[] };

/** The highest entry index in a batch, and its last hard state and markers, without copying entries. */
export function batchFacts(bytes: Uint8Array): BatchFacts {
  const view = viewOf(bytes);
  let maxIndex = 0;
  let hardState: Uint8Array | undefined;
  const markers: LogMarker[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = view.getUint8(at);
    at += 1;
    if (tag === tags.hardState) {
      const end = at + 17 + view.getUint8(at + 16);
      if (end > bytes.length) throw new RangeError('hard state past the end');
      // NOTE: the slice of a Buffer would keep all of the batch in memory.
      hardState = Uint8Array.prototype.slice.call(bytes, at - 1, end);
      at = end;
    } else if (tag === tags.marker) {
      markers.push(markerAt(view, at));
      at += 17;
    } else if (tag === tags.entries) {
      let left = view.getUint32(at, true);
      at += 4;
      for (; left > 0; left -= 1) {
        maxIndex = Math.max(maxIndex, getWide(view, at));
        at += entryHeadBytes + view.getUint32(at + 17, true);
      }
    } else throw new RangeError(`tag ${tag}`);
  }
  return { maxIndex, hardState, markers };
}

function hardStateAt(bytes: Uint8Array, view: DataView, at: number): LogHardState {
  const end = at + 17 + view.getUint8(at + 16);
  return { term: getWide(view, at), commit: getWide(view, at + 8), vote: end === at + 17 ? '' : decoder.decode(bytes.subarray(at + 17, end)) };
}

function markerAt(view: DataView, at: number): LogMarker {
  return { index: getWide(view, at), term: getWide(view, at + 8), isInstall: view.getUint8(at + 16) === 1 };
}
