import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { AppError } from '../../base/app-error.ts';

/** Data keys by id. Key 0 means "not encrypted". New records are sealed with `currentId`. */
export type DataKeys = { readonly currentId: number; readonly keys: ReadonlyMap<number, Uint8Array> };

export const plainKeys: DataKeys = { currentId: 0, keys: new Map() };

/** Encrypts and opens the records of one file. The file's own key comes from the data key and the file's random salt. */
export type Sealer = {
  /** Nothing is encrypted: what is sealed is what was given. */
  readonly isPlain: boolean;
  readonly overheadBytes: number;
  /** What can be done before the bytes are known. */
  readonly begin: (sequence: number, aad: Uint8Array) => Seal;
  /** `undefined` where the bytes were not made by this key, sequence and aad. */
  readonly open: (sequence: number, aad: Uint8Array, sealed: Uint8Array) => Uint8Array | undefined;
};

/** Seals `plain` into `target`, which is longer by the sealer's overhead. It can be called once. */
export type Seal = (plain: Uint8Array, target: Uint8Array) => void;

const tagBytes = 16;
const openSealer: Sealer = { isPlain: true, overheadBytes: 0, begin: () => (plain, target) => target.set(plain), open: (_sequence, _aad, sealed) => sealed };

/**
 * AES-256-GCM; the nonce is the file's number and the record's sequence, so it never repeats under a file's key,
 * and the key never repeats because the salt is new for every file, also for one that is made again after a crash.
 */
export function fileSealer(options: { readonly keys: DataKeys; readonly keyId: number; readonly salt: Uint8Array; readonly fileId: number; readonly what: string }): Sealer {
  if (options.keyId === 0) return openSealer;
  const dataKey = options.keys.keys.get(options.keyId);
  if (dataKey === undefined) {
    throw new AppError({
      code: 'MANAGER_STORE_KEY_UNKNOWN',
      message: `${options.what} is encrypted with data key ${options.keyId}, which the key file does not hold`,
      hint: 'put back the key file that belongs to this data directory, or let the member join again: flotilla store recover --rejoin',
    });
  }
  // NOTE: from bytes, Node makes a key object for every record; made once it costs nothing. Its check of what is none is slow, too.
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', createSecretKey(dataKey), options.salt, 'flotilla store file', 32)));
  // NOTE: kept from record to record; a cipher takes a copy.
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(0, options.fileId >>> 0);
  const nonceOf = (sequence: number): Uint8Array => {
    view.setUint32(4, Math.floor(sequence / 0x1_0000_0000));
    view.setUint32(8, sequence >>> 0);
    return nonce;
  };
  return {
    isPlain: false,
    overheadBytes: tagBytes,
    begin: (sequence, aad) => {
      const cipher = createCipheriv('aes-256-gcm', key, nonceOf(sequence));
      cipher.setAAD(aad);
      return (plain, target) => {
        target.set(cipher.update(plain));
        // In this mode nothing comes at the end but the tag.
        cipher.final();
        target.set(cipher.getAuthTag(), plain.length);
      };
    },
    open: (sequence, aad, sealed) => {
      if (sealed.length < tagBytes) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(sequence));
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
      const plain = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return plain;
    },
  };
}

/** Wraps a data key for the key file: nonce, sealed key, tag. The nonce is random: a key-encryption key wraps few keys. */
export function wrapKey(wrappingKey: Uint8Array, keyId: number, dataKey: Uint8Array): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce);
  cipher.setAAD(Buffer.from(`data key ${keyId}`));
  return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** `undefined` where the wrapping key is another one. */
export function unwrapKey(wrappingKey: Uint8Array, keyId: number, wrapped: string): Uint8Array | undefined {
  const bytes = Buffer.from(wrapped, 'base64');
  if (bytes.length !== 12 + 32 + tagBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', wrappingKey, bytes.subarray(0, 12));
  decipher.setAAD(Buffer.from(`data key ${keyId}`));
  decipher.setAuthTag(bytes.subarray(44));
  const plain = decipher.update(bytes.subarray(12, 44));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}
