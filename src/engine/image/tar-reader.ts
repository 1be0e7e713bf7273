import { AppError } from '../../base/app-error.ts';
import type { FileTime } from '../../os/fd-ops.ts';

export type TarKind = 'file' | 'dir' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** One entry. Names, targets and attributes are raw bytes: an archive promises no encoding. */
export type TarEntry = {
  readonly kind: TarKind;
  readonly path: Uint8Array;
  readonly linkTarget: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow; 0 for all but files. */
  readonly sizeBytes: number;
  readonly modified: FileTime;
  readonly device: { readonly major: number; readonly minor: number };
  /** By name, in latin1. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
};

/** What the reader calls, in the order of the archive: entry, its data, its end. */
export type TarHandler = {
  readonly entry: (entry: TarEntry) => void;
  readonly data: (chunk: Uint8Array) => void;
  readonly entryEnd: () => void;
};

const blockBytes = 512;
/** A pax header or a long name: what a path and the largest attributes of Linux need, and no more. */
const metaBytesMax = 1024 * 1024;
const idMax = 0xffff_fffe;

type Pax = { path?: Uint8Array; linkpath?: Uint8Array; size?: number; uid?: number; gid?: number; mtime?: FileTime; xattrs: Map<string, Uint8Array> };
type State = 'header' | 'meta' | 'data' | 'padding' | 'one-zero-block' | 'end';

/**
 * Reads a tar archive as it arrives: ustar, GNU and pax forms. Holds at most one header and one set of pax records.
 * Errors: ENGINE_LAYER_INVALID for what no archiver writes, for sparse files and unknown kinds of entry.
 * Source: POSIX.1-2001 pax interchange format; GNU tar manual, "Basic Tar Format".
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #block: Buffer = Buffer.alloc(blockBytes);
  #filled = 0;
  #state: State = 'header';
  #left = 0;
  #padding = 0;
  #metaKind = '';
  #meta: Buffer = Buffer.alloc(0);
  #metaFilled = 0;
  #longName: Uint8Array | null = null;
  #longLink: Uint8Array | null = null;
  #pax: Pax = { xattrs: new Map() };

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case 'end':
          return;
        case 'header':
        case 'one-zero-block':
          at = this.#takeHeader(chunk, at);
          break;
        case 'meta':
          at = this.#takeMeta(chunk, at);
          break;
        case 'data': {
          const count = Math.min(this.#left, chunk.length - at);
          this.#handler.data(chunk.subarray(at, at + count));
          at += count;
          this.#left -= count;
          if (this.#left === 0) {
            this.#handler.entryEnd();
            this.#state = this.#padding > 0 ? 'padding' : 'header';
          }
          break;
        }
        case 'padding': {
          const count = Math.min(this.#padding, chunk.length - at);
          at += count;
          this.#padding -= count;
          if (this.#padding === 0) this.#state = 'header';
          break;
        }
      }
    }
  }

  /** The archive has ended; refused in the middle of an entry. An end without the two empty blocks passes, as everywhere. */
  end(): void {
    const isBetween = this.#state === 'end' || this.#state === 'one-zero-block' || (this.#state === 'header' && this.#filled === 0 && this.#longName === null && this.#longLink === null);
    if (!isBetween) throw invalid('the archive ends in the middle of an entry');
  }

  #takeHeader(chunk: Uint8Array, from: number): number {
    const count = Math.min(blockBytes - this.#filled, chunk.length - from);
    this.#block.set(chunk.subarray(from, from + count), this.#filled);
    this.#filled += count;
    if (this.#filled === blockBytes) {
      this.#filled = 0;
      this.#readHeader(this.#block);
    }
    return from + count;
  }

  #takeMeta(chunk: Uint8Array, from: number): number {
    const count = Math.min(this.#meta.length - this.#metaFilled, chunk.length - from);
    this.#meta.set(chunk.subarray(from, from + count), this.#metaFilled);
    this.#metaFilled += count;
    if (this.#metaFilled === this.#meta.length) this.#finishMeta();
    return from + count;
  }

  #readHeader(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      this.#state = this.#state === 'one-zero-block' ? 'end' : 'one-zero-block';
      return;
    }
    if (this.#state === 'one-zero-block') throw invalid('an empty block stands in the middle of the archive');
    checkSum(block);
    const type = String.fromCharCode(block[156] ?? 0);
    const size = this.#pax.size ?? numeric(block, 124, 12);
    if (size < 0) throw invalid('an entry has a negative size');
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') this.#beginMeta(type, numeric(block, 124, 12));
    else this.#beginEntry(block, type, size);
  }

  #beginMeta(kind: string, size: number): void {
    if (size < 0 || size > metaBytesMax) throw invalid(`an extended header of ${size} bytes; ${metaBytesMax} are allowed`);
    this.#metaKind = kind;
    this.#meta = Buffer.alloc(size);
    this.#metaFilled = 0;
    this.#padding = padding(size);
    this.#state = 'meta';
    if (size === 0) this.#finishMeta();
  }

  #finishMeta(): void {
    switch (this.#metaKind) {
      case 'x':
        this.#pax = parsePax(this.#meta);
        break;
      case 'L':
        this.#longName = untilNul(this.#meta);
        break;
      case 'K':
        this.#longLink = untilNul(this.#meta);
        break;
      default:
        // NOTE: a global header ('g') would rename entries far from it; nothing that makes layers needs one.
        break;
    }
    this.#meta = Buffer.alloc(0);
    this.#state = this.#padding > 0 ? 'padding' : 'header';
  }

  #beginEntry(block: Buffer, type: string, size: number): void {
    const entry = this.#entryOf(block, type, size);
    this.#longName = null;
    this.#longLink = null;
    this.#pax = { xattrs: new Map() };
    this.#handler.entry(entry);
    this.#left = entry.sizeBytes;
    this.#padding = padding(entry.sizeBytes);
    this.#state = this.#left > 0 ? 'data' : 'header';
    if (this.#left === 0) this.#handler.entryEnd();
  }

  #entryOf(block: Buffer, type: string, size: number): TarEntry {
    const pax = this.#pax;
    const path = pax.path ?? this.#longName ?? headerName(block);
    const linkTarget = pax.linkpath ?? this.#longLink ?? untilNul(block.subarray(157, 257));
    const kind = kindOf(type, path);
    const uid = pax.uid ?? numeric(block, 108, 8);
    const gid = pax.gid ?? numeric(block, 116, 8);
    if (uid < 0 || uid > idMax || gid < 0 || gid > idMax) throw invalid(`an owner ${uid}:${gid} is no user`);
    const hasDevice = kind === 'char' || kind === 'block';
    return {
      kind,
      path,
      linkTarget,
      mode: numeric(block, 100, 8) & 0o7777,
      uid,
      gid,
      sizeBytes: kind === 'file' ? size : 0,
      modified: pax.mtime ?? { seconds: numeric(block, 136, 12), nanoseconds: 0 },
      device: hasDevice ? { major: numeric(block, 329, 8), minor: numeric(block, 337, 8) } : { major: 0, minor: 0 },
      xattrs: pax.xattrs,
    };
  }
}

function kindOf(type: string, path: Uint8Array): TarKind {
  switch (type) {
    case '0':
    case '7':
      return 'file';
    case '\0':
      return path.at(-1) === 0x2f ? 'dir' : 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '3':
      return 'char';
    case '4':
      return 'block';
    case '5':
      return 'dir';
    case '6':
      return 'fifo';
    case 'S':
      throw invalid('a sparse file in GNU form, which layers do not have');
    default:
      throw invalid(`an entry of the unknown kind ${JSON.stringify(type)}`);
  }
}

/** ustar keeps the first part of a long name in a field of its own; GNU's form uses those bytes for other things. */
function headerName(block: Buffer): Uint8Array {
  const name = untilNul(block.subarray(0, 100));
  if (block.toString('latin1', 257, 263) !== 'ustar\0') return name;
  const isStar = block.toString('latin1', 508, 512) === 'tar\0';
  const prefix = untilNul(block.subarray(345, isStar ? 476 : 500));
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

function checkSum(block: Buffer): void {
  const stated = numeric(block, 148, 8);
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < blockBytes; index += 1) {
    const byte = index >= 148 && index < 156 ? 32 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (stated !== unsigned && stated !== signed) throw invalid('a header whose checksum is wrong');
}

/** Octal text, or base 256 where the first bit is set (GNU, star). */
function numeric(block: Buffer, at: number, width: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) {
    const isNegative = (first & 0x40) !== 0;
    let value = isNegative ? -1n : 0n;
    for (let index = 0; index < width; index += 1) {
      const byte = BigInt(block[at + index] ?? 0);
      value = (value << 8n) | (index === 0 ? (isNegative ? byte : byte & 0x7fn) : byte);
    }
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) throw invalid('a number in a header is too large');
    return Number(value);
  }
  const text = block.toString('latin1', at, at + width).replace(/[\0 ]+$/, '').replace(/^ +/, '');
  const digits = text.split(/[\0 ]/)[0] ?? '';
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw invalid('a number in a header is not octal');
  return Number.parseInt(digits, 8);
}

/** Records `LENGTH KEY=VALUE\n`, LENGTH counting itself. Values stay bytes: attributes are binary. */
function parsePax(body: Buffer): Pax {
  const pax: Pax = { xattrs: new Map() };
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 || space - at > 10 ? Number.NaN : Number(body.toString('latin1', at, space));
    if (!Number.isInteger(length) || length < space - at + 3 || at + length > body.length || body[at + length - 1] !== 0x0a) throw invalid('a pax header that cannot be read');
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= at + length) throw invalid('a pax record without a value');
    setPax(pax, body.toString('latin1', space + 1, equals), body.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return pax;
}

const xattrPrefix = 'SCHILY.xattr.';

function setPax(pax: Pax, key: string, value: Buffer): void {
  if (key.startsWith('GNU.sparse.')) throw invalid('a sparse file in pax form, which layers do not have');
  if (key.startsWith(xattrPrefix)) {
    pax.xattrs.set(key.slice(xattrPrefix.length), Buffer.from(value));
    return;
  }
  // NOTE: an empty value takes back what a global header said, and we take nothing from those.
  if (value.length === 0) return;
  if (key === 'path') pax.path = withoutNul(value);
  else if (key === 'linkpath') pax.linkpath = withoutNul(value);
  else if (key === 'size') pax.size = whole(value);
  else if (key === 'uid') pax.uid = whole(value);
  else if (key === 'gid') pax.gid = whole(value);
  else if (key === 'mtime') pax.mtime = time(value);
}

function withoutNul(value: Buffer): Buffer {
  if (value.includes(0)) throw invalid('a name with a NUL byte');
  return Buffer.from(value);
}

function whole(value: Buffer): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number)) throw invalid(`a pax number ${JSON.stringify(text.slice(0, 40))}`);
  return number;
}

function time(value: Buffer): FileTime {
  const match = /^(-?[0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (match === null) throw invalid('a pax time that cannot be read');
  const seconds = Number(match[1]);
  const nanoseconds = Number((match[2] ?? '').padEnd(9, '0').slice(0, 9));
  const isBelowZero = (match[1] ?? '').startsWith('-') && nanoseconds > 0;
  return isBelowZero ? { seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds } : { seconds, nanoseconds };
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function invalid(what: string): AppError {
  return new AppError({ code: 'ENGINE_LAYER_INVALID', message: `the layer's archive is damaged or hostile: ${what}`, hint: 'pull the image again; if it stays so, the image is broken' });
}
