import type { Ip } from '../../base/cidr.ts';
import { ipToBytes } from '../../base/cidr.ts';

/**
 * The messages of DNS, as far as a server of names needs them. Source: RFC 1035 §4, RFC 6891 (EDNS), RFC 4343 (case).
 *
 * Header, 12 bytes: id u16, flags u16, counts of questions, answers, authorities, additionals u16 each; then those sections.
 */
export type DnsQuery = {
  readonly id: number;
  readonly opcode: number;
  readonly isRecursionDesired: boolean;
  /** As it was sent: the answer repeats its letters' case (0x20). Without the final dot; '' is the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question's bytes, to repeat. */
  readonly question: Buffer;
  /** What the asker can take by UDP: null without EDNS. */
  readonly edns: { readonly payloadBytes: number; readonly version: number } | null;
};

/** Why a datagram is no query: `drop` it (no answer is safe), or answer that its format is wrong. */
export type DnsRefusal = { readonly kind: 'drop' } | { readonly kind: 'format'; readonly id: number };

export const dnsType = { a: 1, ns: 2, soa: 6, ptr: 12, aaaa: 28, opt: 41, any: 255 } as const;
export const dnsCode = { ok: 0, format: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const;
export const dnsClassIn = 1;

export type DnsRecord = { readonly kind: 'address'; readonly ip: Ip } | { readonly kind: 'name'; readonly name: string };

const headerBytes = 12;
const nameBytesMax = 255;
const labelBytesMax = 63;
const recordsMax = 64;
const udpBytesDefault = 512;
const ednsBytesOurs = 1232;

/** Bound: O(length); pointers are followed backwards only. */
export function decodeQuery(bytes: Buffer): DnsQuery | DnsRefusal {
  if (bytes.length < headerBytes) return { kind: 'drop' };
  const id = bytes.readUInt16BE(0);
  const flags = bytes.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return { kind: 'drop' };
  const wrong: DnsRefusal = { kind: 'format', id };
  const counts = [6, 8, 10].map((at) => bytes.readUInt16BE(at)).reduce((sum, count) => sum + count, 0);
  if (bytes.readUInt16BE(4) !== 1 || counts > recordsMax) return wrong;
  const name = readName(bytes, headerBytes);
  if (name === null || name.end + 4 > bytes.length) return wrong;
  let at = name.end + 4;
  let edns: DnsQuery['edns'] = null;
  for (let i = 0; i < counts; i += 1) {
    const owner = readName(bytes, at);
    if (owner === null || owner.end + 10 > bytes.length) return wrong;
    const dataBytes = bytes.readUInt16BE(owner.end + 8);
    if (owner.end + 10 + dataBytes > bytes.length) return wrong;
    if (bytes.readUInt16BE(owner.end) === dnsType.opt) {
      if (edns !== null || owner.name !== '') return wrong;
      edns = { payloadBytes: bytes.readUInt16BE(owner.end + 2), version: bytes.readUInt8(owner.end + 5) };
    }
    at = owner.end + 10 + dataBytes;
  }
  return {
    id,
    opcode: (flags >> 11) & 0xf,
    isRecursionDesired: (flags & 0x100) !== 0,
    name: name.name,
    type: bytes.readUInt16BE(name.end),
    class: bytes.readUInt16BE(name.end + 2),
    question: Buffer.from(bytes.subarray(headerBytes, name.end + 4)),
    edns,
  };
}

/**
 * The answer to a query. Records that do not fit into what the asker takes by UDP are left out and it is told so (TC):
 * it then asks by TCP.
 */
export function encodeAnswer(options: {
  readonly query: DnsQuery;
  readonly code: number;
  readonly isAuthoritative: boolean;
  readonly records: readonly DnsRecord[];
  readonly ttlSeconds: number;
  readonly transport: 'udp' | 'tcp';
}): Buffer {
  const { query } = options;
  const opt = query.edns === null ? Buffer.alloc(0) : optRecord(options.code);
  const room = (options.transport === 'tcp' ? 65535 : Math.min(Math.max(query.edns?.payloadBytes ?? udpBytesDefault, udpBytesDefault), ednsBytesOurs)) - opt.length;
  const parts: Buffer[] = [];
  let size = headerBytes + query.question.length;
  let isCut = false;
  for (const record of options.records) {
    const bytes = encodeRecord(record, query.question, options.ttlSeconds);
    if (size + bytes.length > room) {
      isCut = true;
      break;
    }
    parts.push(bytes);
    size += bytes.length;
  }
  const flags = 0x8000 | (query.opcode << 11) | (options.isAuthoritative ? 0x400 : 0) | (isCut ? 0x200 : 0) | (query.isRecursionDesired ? 0x100 : 0) | 0x80 | (options.code & 0xf);
  return Buffer.concat([header(query.id, flags, 1, parts.length, opt.length === 0 ? 0 : 1), query.question, ...parts, opt]);
}

/** The answer to what could not be read. */
export function encodeFormatError(id: number): Buffer {
  return header(id, 0x8000 | dnsCode.format, 0, 0, 0);
}

/** The question as the asker's own words, for comparing an upstream's answer with what was asked; null where there is none. */
export function questionOf(bytes: Buffer): { readonly id: number; readonly isAnswer: boolean; readonly isCut: boolean; readonly text: string } | null {
  if (bytes.length < headerBytes || bytes.readUInt16BE(4) !== 1) return null;
  const name = readName(bytes, headerBytes);
  if (name === null || name.end + 4 > bytes.length) return null;
  const flags = bytes.readUInt16BE(2);
  return { id: bytes.readUInt16BE(0), isAnswer: (flags & 0x8000) !== 0, isCut: (flags & 0x200) !== 0, text: `${name.name.toLowerCase()} ${bytes.readUInt32BE(name.end)}` };
}

/** A name's bytes without pointers; null when a label or the whole is too long. */
export function encodeName(name: string): Buffer | null {
  const labels = name === '' ? [] : name.split('.').map((label) => Buffer.from(label, 'latin1'));
  if (labels.some((label) => label.length === 0 || label.length > labelBytesMax)) return null;
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
  return bytes.length > nameBytesMax ? null : bytes;
}

/** A name from `start`, its end behind it. A dot inside a label is written `\.`, so that it can't pass for a border. */
function readName(bytes: Buffer, start: number): { readonly name: string; readonly end: number } | null {
  const labels: string[] = [];
  let end = -1;
  let length = 0;
  let lowest = start;
  for (let at = start; ; ) {
    const size = bytes[at];
    if (size === undefined) return null;
    if (size === 0) return { name: labels.join('.'), end: end < 0 ? at + 1 : end };
    if ((size & 0xc0) === 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) return null;
      const target = ((size & 0x3f) << 8) | low;
      if (end < 0) end = at + 2;
      // NOTE: each pointer must lead before all that was read, so a circle is impossible.
      if (target >= lowest || target < headerBytes) return null;
      lowest = target;
      at = target;
      continue;
    }
    if ((size & 0xc0) !== 0 || at + 1 + size > bytes.length) return null;
    length += size + 1;
    if (length > nameBytesMax - 1) return null;
    labels.push(bytes.toString('latin1', at + 1, at + 1 + size).replace(/[\\.]/g, '\\$&'));
    at += size + 1;
  }
}

/** Owner: a pointer to the question's name at offset 12. */
function encodeRecord(record: DnsRecord, question: Buffer, ttlSeconds: number): Buffer {
  const data = record.kind === 'address' ? Buffer.from(ipToBytes(record.ip)) : (encodeName(record.name) ?? Buffer.of(0));
  const type = record.kind === 'name' ? dnsType.ptr : record.ip.family === 4 ? dnsType.a : dnsType.aaaa;
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(0xc000 | headerBytes, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(question.readUInt16BE(question.length - 2), 4);
  bytes.writeUInt32BE(ttlSeconds, 6);
  bytes.writeUInt16BE(data.length, 10);
  return Buffer.concat([bytes, data]);
}

/** Root owner, type OPT, our payload size, the high bits of the code, version 0. */
function optRecord(code: number): Buffer {
  const bytes = Buffer.alloc(11);
  bytes.writeUInt16BE(dnsType.opt, 1);
  bytes.writeUInt16BE(ednsBytesOurs, 3);
  bytes.writeUInt8(code >> 4, 5);
  return bytes;
}

function header(id: number, flags: number, questions: number, answers: number, additionals: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  for (const [i, value] of [id, flags, questions, answers, 0, additionals].entries()) bytes.writeUInt16BE(value, i * 2);
  return bytes;
}
