import { AppError } from '../../base/app-error.ts';
import { limits } from '../../base/limits.ts';
import type { Change, Entry, Outcome } from '../../model/entry.ts';
import type { ObjectKind, StoredObject } from '../../model/objects.ts';
import { objectKinds } from '../../model/objects.ts';
import { SharedValues } from './shared-values.ts';

/**
 * The data of a normal log entry:
 *     0  1  the feature level that it takes to read it; 1 so far
 *     1  8  the leader's time, float64, little endian, milliseconds since 1970
 *     9  1  length of the request id (≤ 200)    10  …  request id    …  changes, JSON, to the end
 * A follower that passes a proposal on leaves the time 0; the leader stamps it in place.
 */
const requestIdBytesMax = 200;


/**
 * Entries of a time live and die together in the log, so small ones share a buffer: one allocation outside the heap for many. It is
 * not Buffer's own pool, which would be kept whole by whatever else lies in it.
 */
const slabBytes = 32 * 1024;
let slab = Buffer.alloc(0);
let slabUsed = 0;

function room(bytes: number): Buffer {
  if (bytes > slabBytes / 8) return Buffer.allocUnsafeSlow(bytes);
  if (slabUsed + bytes > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    slabUsed = 0;
  }
  slabUsed += bytes;
  return slab.subarray(slabUsed - bytes, slabUsed);
}

/** Errors: BASE_LIMIT for a request id that is too long. */
export function encodeEntry(entry: Entry, level: number): Uint8Array {
  const idBytes = Buffer.byteLength(entry.requestId);
  if (idBytes > requestIdBytesMax) throw new AppError({ code: 'BASE_LIMIT', message: `a request id has at most ${requestIdBytesMax} bytes, not ${idBytes}` });
  const changes = JSON.stringify(entry.changes);
  const bytes = room(10 + idBytes + Buffer.byteLength(changes));
  bytes[0] = level;
  bytes.writeDoubleLE(entry.timeMs, 1);
  bytes[9] = idBytes;
  bytes.write(entry.requestId, 10);
  bytes.write(changes, 10 + idBytes);
  return bytes;
}

export function stampTime(bytes: Uint8Array, timeMs: number): void {
  bufferOf(bytes).writeDoubleLE(timeMs, 1);
}

/**
 * Reads what a leader wrote. An entry above the own level must stop this version: skipping it would let members differ.
 * Errors: MANAGER_FEATURE_LEVEL, MANAGER_ENTRY_UNKNOWN.
 */
export function decodeEntry(bytes: Uint8Array, levelMax: number): Entry {
  checkEntryLevel(bytes, levelMax);
  const idBytes = bytes[9] ?? 0;
  const buffer = bufferOf(bytes);
  const value: unknown = JSON.parse(buffer.toString('utf8', 10 + idBytes));
  if (!Array.isArray(value)) throw unreadable('changes are not a list');
  return {
    requestId: buffer.toString('utf8', 10, 10 + idBytes),
    timeMs: buffer.readDoubleLE(1),
    changes: value.map(parseChange),
  };
}

export function checkEntryLevel(bytes: Uint8Array, levelMax: number): void {
  const level = bytes[0] ?? 0;
  if (level === 0) throw unreadable('it has no level');
  if (level > levelMax) {
    throw new AppError({ code: 'MANAGER_FEATURE_LEVEL', message: `the log holds an entry of feature level ${level}; this version reads up to ${levelMax}`, hint: 'start a version of Flotilla at least as new as the other managers' });
  }
}

/** Whether what another member passed on is framed as an entry is; its changes are read when it is applied. */
export function isFramed(bytes: Uint8Array): boolean {
  return bytes.length <= limits.objectBytesMax && (bytes[0] ?? 0) > 0 && bytes.length > 10 + (bytes[9] ?? 0);
}

/** The feature level that an entry needs. */
export function entryLevelOf(bytes: Uint8Array): number {
  return bytes[0] ?? 0;
}

export function requestIdOf(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('utf8', 10, 10 + (bytes[9] ?? 0));
}

function bufferOf(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** For all stores of the process: what is shared is never changed. */
const sharedValues = new SharedValues();

/** Checks the shape that apply relies on; what is inside an object was checked by its maker, in this program, before it was proposed. */
function parseChange(value: unknown): Change {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('ifVersion' in value)) throw unreadable('a change misses a field');
  const { kind, ifVersion } = value;
  if (ifVersion !== null && typeof ifVersion !== 'number') throw unreadable('a version is not a number');
  if (kind === 'put' && 'object' in value) return { kind, object: parseObject(value.object), ifVersion };
  if (kind === 'remove' && 'objectKind' in value && 'id' in value && isObjectKind(value.objectKind) && typeof value.id === 'string') {
    return { kind, objectKind: value.objectKind, id: value.id, ifVersion };
  }
  throw unreadable(`a change of kind ${String(kind)}`);
}

export function parseObject(value: unknown): StoredObject {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('id' in value) || !isObjectKind(value.kind) || typeof value.id !== 'string') {
    throw unreadable('an object misses its kind or id');
  }
  return sharedValues.share(value as StoredObject);
}

export function parseOutcome(value: unknown): Outcome {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('revision' in value) || typeof value.revision !== 'number') throw unreadable('an outcome misses a field');
  if (value.kind === 'applied') return { kind: 'applied', revision: value.revision };
  if (
    value.kind === 'conflict' && 'objectKind' in value && 'id' in value && 'expected' in value && 'found' in value &&
    isObjectKind(value.objectKind) && typeof value.id === 'string' && typeof value.expected === 'number' && typeof value.found === 'number'
  ) return { kind: 'conflict', revision: value.revision, objectKind: value.objectKind, id: value.id, expected: value.expected, found: value.found };
  throw unreadable('an outcome of another kind');
}

function isObjectKind(value: unknown): value is ObjectKind {
  return objectKinds.some((kind) => kind === value);
}

function unreadable(what: string): AppError {
  return new AppError({ code: 'MANAGER_ENTRY_UNKNOWN', message: `the log holds an entry that cannot be read: ${what}`, hint: 'start a version of Flotilla at least as new as the other managers' });
}
