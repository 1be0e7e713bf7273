/**
 * The bytes of netlink, without sockets. All counts are in bytes; integers are in the machine's order except where a
 * name says `be` (network order). Source: netlink(7), RFC 3549.
 *
 * A message: length u32, type u16, flags u16, sequence u32, port u32, payload, padded to 4.
 * An attribute: length u16 (with these 4 bytes), type u16, value, padded to 4.
 */
export const netlinkFlags = { request: 0x1, ack: 0x4, echo: 0x8, dump: 0x300, replace: 0x100, exclusive: 0x200, create: 0x400, append: 0x800 } as const;

/** What a message asks; the socket adds sequence and port. */
export type NetlinkMessage = { readonly type: number; readonly flags: number; readonly payload: Buffer };
export type NetlinkReply = { readonly type: number; readonly flags: number; readonly sequence: number; readonly payload: Buffer };

const nested = 0x8000;
const typeMask = 0x3fff;
export const attributeBytesMax = 0xffff - 4;

export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + align(value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

export function nestedAttribute(type: number, parts: readonly Uint8Array[]): Buffer {
  return attribute(type | nested, Buffer.concat(parts));
}

export function u8Attribute(type: number, value: number): Buffer {
  return attribute(type, Uint8Array.of(value));
}

export function u32Attribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return attribute(type, bytes);
}

export function u32beAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return attribute(type, bytes);
}

/** With the NUL at the end that the kernel's string attributes have. */
export function textAttribute(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`));
}

export function encodeMessage(message: NetlinkMessage, sequence: number): Buffer {
  const length = 16 + message.payload.length;
  const bytes = Buffer.alloc(align(length));
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(message.type, 4);
  bytes.writeUInt16LE(message.flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.set(message.payload, 16);
  return bytes;
}

/** The messages of one datagram; what is cut at its end is left out. */
export function decodeMessages(datagram: Buffer): NetlinkReply[] {
  const replies: NetlinkReply[] = [];
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < 16 || at + length > datagram.length) break;
    replies.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + 16, at + length),
    });
    at += align(length);
  }
  return replies;
}

/** Type → value; of a type that comes twice, the last. */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  return new Map(decodeAttributeList(bytes).map((one) => [one.type, one.value]));
}

/** The value of one attribute, undefined where it is missing. Makes nothing of the others: a link has sixty. */
export function findAttribute(bytes: Buffer, type: number, from: number): Buffer | undefined {
  for (let at = from; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) return undefined;
    if ((bytes.readUInt16LE(at + 2) & typeMask) === type) return bytes.subarray(at + 4, at + length);
    at += align(length);
  }
  return undefined;
}

export function decodeAttributeList(bytes: Buffer): { readonly type: number; readonly value: Buffer }[] {
  const found: { type: number; value: Buffer }[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.push({ type: bytes.readUInt16LE(at + 2) & typeMask, value: bytes.subarray(at + 4, at + length) });
    at += align(length);
  }
  return found;
}

/** A string attribute up to its NUL; '' where it is missing. */
export function textOf(value: Buffer | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
