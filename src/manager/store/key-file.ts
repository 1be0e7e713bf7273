import { hkdfSync } from 'node:crypto';
import { AppError } from '../../base/app-error.ts';
import { Secret } from '../../base/secret.ts';
import type { Disk } from '../../os/disk.ts';
import { readJson, writeJson } from './durable-json.ts';
import { unwrapKey, wrapKey } from './seal.ts';
import type { DataKeys } from './seal.ts';

/**
 * The keys of one member's files: `keys.json`. Data keys (AES-256) encrypt the log and snapshots; each is wrapped by one wrapping key.
 * With autolock the wrapping key comes from an unlock key that is given at every start and is never on this disk; without, it lies
 * in the file, which protects a copied log or snapshot, not a copied directory.
 */
export type KeyFile = {
  readonly format: 1;
  readonly isAutolocked: boolean;
  /** base64; null with autolock. */
  readonly wrappingKey: string | null;
  readonly currentId: number;
  readonly keys: readonly { readonly id: number; readonly wrapped: string }[];
};

const fileName = 'keys.json';
const unlockPrefix = 'FLKEY-1-';

export type OpenedKeys = { readonly file: KeyFile; readonly dataKeys: DataKeys };

/** Opens the key file, or makes one. Errors: MANAGER_STORE_AUTOLOCKED where an unlock key is needed, or is another one. */
export function openKeys(options: { readonly disk: Disk; readonly dir: string; readonly unlockKey: Secret | null; readonly randomBytes: (count: number) => Uint8Array }): OpenedKeys {
  const { disk, dir, unlockKey, randomBytes } = options;
  const found = readKeyFile(disk, dir);
  if (found !== null) {
    // NOTE: a life before may have ended between giving the file its name and making that durable; what is written from now on may need its newest key.
    disk.syncDir(dir);
    return { file: found, dataKeys: unwrapAll(found, wrappingKeyOf(found, dir, unlockKey), dir) };
  }
  const wrappingKey = unlockKey === null ? randomBytes(32) : deriveUnlock(unlockKey);
  const dataKey = randomBytes(32);
  const file: KeyFile = {
    format: 1, isAutolocked: unlockKey !== null, wrappingKey: unlockKey === null ? Buffer.from(wrappingKey).toString('base64') : null,
    currentId: 1, keys: [{ id: 1, wrapped: wrapKey(wrappingKey, 1, dataKey) }],
  };
  writeJson(disk, dir, fileName, file);
  return { file, dataKeys: { currentId: 1, keys: new Map([[1, dataKey]]) } };
}

/**
 * Adds a data key and makes it the current one. It is durable before anything is encrypted with it; the old ones stay until nothing
 * uses them (`dropKeys`), so a crash at any point leaves every file readable.
 */
export function addDataKey(options: { readonly disk: Disk; readonly dir: string; readonly opened: OpenedKeys; readonly unlockKey: Secret | null; readonly randomBytes: (count: number) => Uint8Array }): OpenedKeys {
  const { disk, dir, opened, unlockKey, randomBytes } = options;
  const wrappingKey = wrappingKeyOf(opened.file, dir, unlockKey);
  const id = Math.max(...opened.file.keys.map((key) => key.id)) + 1;
  const dataKey = randomBytes(32);
  const file: KeyFile = { ...opened.file, currentId: id, keys: [...opened.file.keys, { id, wrapped: wrapKey(wrappingKey, id, dataKey) }] };
  writeJson(disk, dir, fileName, file);
  return { file, dataKeys: { currentId: id, keys: new Map([...opened.dataKeys.keys, [id, dataKey]]) } };
}

/** Forgets the keys that no file uses any more. */
export function dropKeys(disk: Disk, dir: string, opened: OpenedKeys, idsInUse: readonly number[]): OpenedKeys {
  const isKept = (id: number): boolean => id === opened.file.currentId || idsInUse.includes(id);
  const file: KeyFile = { ...opened.file, keys: opened.file.keys.filter((key) => isKept(key.id)) };
  if (file.keys.length < opened.file.keys.length) writeJson(disk, dir, fileName, file);
  return { file, dataKeys: { currentId: file.currentId, keys: new Map([...opened.dataKeys.keys].filter(([id]) => isKept(id))) } };
}

/** Wraps all keys anew: turns autolock on (a new unlock key) or off (null), in one replacement of the file. After an error it is as before. */
export function rewrapKeys(options: { readonly disk: Disk; readonly dir: string; readonly opened: OpenedKeys; readonly nextUnlockKey: Secret | null; readonly randomBytes: (count: number) => Uint8Array }): OpenedKeys {
  const { disk, dir, opened, nextUnlockKey, randomBytes } = options;
  const wrappingKey = nextUnlockKey === null ? randomBytes(32) : deriveUnlock(nextUnlockKey);
  const file: KeyFile = {
    format: 1, isAutolocked: nextUnlockKey !== null, wrappingKey: nextUnlockKey === null ? Buffer.from(wrappingKey).toString('base64') : null,
    currentId: opened.file.currentId, keys: [...opened.dataKeys.keys].map(([id, dataKey]) => ({ id, wrapped: wrapKey(wrappingKey, id, dataKey) })),
  };
  try {
    writeJson(disk, dir, fileName, file);
  } catch (error) {
    // NOTE: it may have its name already, and then nobody would ever be told the key that opens it.
    if (error instanceof AppError) writeJson(disk, dir, fileName, opened.file);
    throw error;
  }
  return { file, dataKeys: opened.dataKeys };
}

/** A fresh key to unlock a manager with, to be kept somewhere else. */
export function makeUnlockKey(randomBytes: (count: number) => Uint8Array): Secret {
  return new Secret(`${unlockPrefix}${Buffer.from(randomBytes(32)).toString('base64url')}`);
}

export function readKeyFile(disk: Disk, dir: string): KeyFile | null {
  const value = readJson(disk, dir, fileName);
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null || !('format' in value) || !('isAutolocked' in value) || !('wrappingKey' in value) || !('currentId' in value) || !('keys' in value)) throw unreadable(dir);
  const { format, isAutolocked, wrappingKey, currentId, keys } = value;
  if (format !== 1 || typeof isAutolocked !== 'boolean' || (wrappingKey !== null && typeof wrappingKey !== 'string') || typeof currentId !== 'number' || !Array.isArray(keys)) throw unreadable(dir);
  return { format, isAutolocked, wrappingKey, currentId, keys: keys.map((key: unknown) => parseKey(dir, key)) };
}

function parseKey(dir: string, value: unknown): { readonly id: number; readonly wrapped: string } {
  if (typeof value === 'object' && value !== null && 'id' in value && 'wrapped' in value && typeof value.id === 'number' && typeof value.wrapped === 'string') return { id: value.id, wrapped: value.wrapped };
  throw unreadable(dir);
}

function wrappingKeyOf(file: KeyFile, dir: string, unlockKey: Secret | null): Uint8Array {
  if (file.wrappingKey !== null) return Buffer.from(file.wrappingKey, 'base64');
  if (unlockKey === null) {
    throw new AppError({ code: 'MANAGER_STORE_AUTOLOCKED', message: `the store in ${dir} is locked`, hint: 'give the unlock key that was shown when autolock was turned on, in the environment: FLOTILLA_UNLOCK_KEY' });
  }
  return deriveUnlock(unlockKey);
}

function unwrapAll(file: KeyFile, wrappingKey: Uint8Array, dir: string): DataKeys {
  const keys = new Map<number, Uint8Array>();
  for (const { id, wrapped } of file.keys) {
    const dataKey = unwrapKey(wrappingKey, id, wrapped);
    if (dataKey === undefined) throw new AppError({ code: 'MANAGER_STORE_AUTOLOCKED', message: `the unlock key is not the one that locked the store in ${dir}`, hint: 'give the key that was shown when autolock was last changed' });
    keys.set(id, dataKey);
  }
  return { currentId: file.currentId, keys };
}

function deriveUnlock(unlockKey: Secret): Uint8Array {
  const text = unlockKey.reveal().trim();
  if (!text.startsWith(unlockPrefix)) throw new AppError({ code: 'MANAGER_STORE_AUTOLOCKED', message: `an unlock key begins with ${unlockPrefix}` });
  return new Uint8Array(hkdfSync('sha256', Buffer.from(text.slice(unlockPrefix.length), 'base64url'), new Uint8Array(0), 'flotilla store unlock', 32));
}

function unreadable(dir: string): AppError {
  return new AppError({ code: 'MANAGER_STORE_DAMAGED', message: `${dir}/${fileName} is not readable`, hint: 'put the file back from a copy, or let this member join again: flotilla store recover --rejoin' });
}
