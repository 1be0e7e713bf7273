import { attribute, attributeBytesMax, decodeAttributeList, decodeAttributes, nestedAttribute, netlinkFlags, textAttribute, textOf, u32beAttribute } from './netlink-message.ts';
import type { NetlinkMessage } from './netlink-message.ts';
import { refusal } from './netlink-socket.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/**
 * Elements of nftables sets and maps of one `inet` table, changed in one transaction without a process (about 0.1 ms; the nft
 * command takes 4–10 ms). Tables and rules are the nft command's. Source: linux/netfilter/nf_tables.h, nfnetlink.h.
 *
 * Keys and data are bytes as the kernel compares them: each part of a concatenation padded to 4 bytes.
 */
export type NftElement = {
  readonly set: string;
  readonly key: Buffer;
  /** The end of a range, of a concatenation with ranges; else null. */
  readonly keyEnd: Buffer | null;
  /** What a map answers; null in a set. */
  readonly data: Buffer | null;
};

const subsystem = 10 << 8;
const message = { getTable: 1, delTable: 2, getRule: 7, newElement: 12, getElement: 13, delElement: 14, getGeneration: 16 } as const;
const batchBegin = 16;
const batchEnd = 17;
const inet = 1;

/** Removes and adds, all or nothing. Errors: OS_NETLINK. */
export function changeElements(socket: NetlinkSocket, options: { readonly table: string; readonly remove: readonly NftElement[]; readonly add: readonly NftElement[] }): void {
  if (options.remove.length === 0 && options.add.length === 0) return;
  const messages: NetlinkMessage[] = [
    { type: batchBegin, flags: netlinkFlags.request, payload: header(0, 10) },
    ...elementMessages(message.delElement, options.table, options.remove.map((one) => ({ ...one, data: null }))),
    ...elementMessages(message.newElement, options.table, options.add),
    { type: batchEnd, flags: netlinkFlags.request, payload: header(0, 10) },
  ];
  const answers = socket.request(messages);
  for (const [i, answer] of answers.entries()) {
    const sent = messages[i];
    if (answer.errno !== 0 && sent !== undefined) throw refusal(sent, answer);
  }
}

/** All elements of a set. Errors: OS_NETLINK where there is no such set. */
export function listElements(socket: NetlinkSocket, options: { readonly table: string; readonly set: string }): NftElement[] {
  const payload = Buffer.concat([header(inet, 0), textAttribute(1, options.table), textAttribute(2, options.set)]);
  return socket.dump({ type: subsystem | message.getElement, flags: 0, payload }).flatMap((reply) => {
    const list = decodeAttributes(reply.payload.subarray(4)).get(3);
    return list === undefined ? [] : decodeAttributeList(list).flatMap((one) => {
      const parts = decodeAttributes(one.value);
      const key = valueOf(parts.get(1));
      return key === null ? [] : [{ set: options.set, key, keyEnd: valueOf(parts.get(10)), data: valueOf(parts.get(2)) }];
    });
  });
}

/** Grows with every change that anybody makes to any table of this network namespace. */
export function generation(socket: NetlinkSocket): number {
  const reply = socket.get({ type: subsystem | message.getGeneration, flags: 0, payload: header(0, 0) });
  const id = reply === null ? undefined : decodeAttributes(reply.payload.subarray(4)).get(1);
  return id === undefined ? 0 : id.readUInt32BE(0);
}

export function hasTable(socket: NetlinkSocket, table: string): boolean {
  return socket.get({ type: subsystem | message.getTable, flags: 0, payload: Buffer.concat([header(inet, 0), textAttribute(1, table)]) }) !== null;
}

/** The names of the `inet` tables. */
export function listTables(socket: NetlinkSocket): string[] {
  return socket.dump({ type: subsystem | message.getTable, flags: 0, payload: header(inet, 0) }).map((reply) => textOf(decodeAttributes(reply.payload.subarray(4)).get(1)));
}

/** The rules of a table as bytes, without their handles and counters' values: what two equal rule sets have in common. */
export function listRules(socket: NetlinkSocket, table: string): Buffer[] {
  const replies = socket.dump({ type: subsystem | message.getRule, flags: 0, payload: Buffer.concat([header(inet, 0), textAttribute(1, table)]) });
  return replies.flatMap((reply) => {
    const parts = decodeAttributes(reply.payload.subarray(4));
    return textOf(parts.get(1)) === table ? [Buffer.concat([parts.get(2) ?? Buffer.alloc(0), parts.get(4) ?? Buffer.alloc(0)])] : [];
  });
}

/** Removes a table with all that is in it. Answers false where there was none. */
export function deleteTable(socket: NetlinkSocket, table: string): boolean {
  if (!hasTable(socket, table)) return false;
  const messages: NetlinkMessage[] = [
    { type: batchBegin, flags: netlinkFlags.request, payload: header(0, 10) },
    { type: subsystem | message.delTable, flags: netlinkFlags.request | netlinkFlags.ack, payload: Buffer.concat([header(inet, 0), textAttribute(1, table)]) },
    { type: batchEnd, flags: netlinkFlags.request, payload: header(0, 10) },
  ];
  for (const [i, answer] of socket.request(messages).entries()) {
    const sent = messages[i];
    if (answer.errno !== 0 && sent !== undefined) throw refusal(sent, answer);
  }
  return true;
}

/** Elements grouped by set, in lists that fit into an attribute. */
function elementMessages(kind: number, table: string, elements: readonly NftElement[]): NetlinkMessage[] {
  const bySet = new Map<string, NftElement[]>();
  for (const one of elements) {
    const members = bySet.get(one.set);
    if (members === undefined) bySet.set(one.set, [one]);
    else members.push(one);
  }
  const messages: NetlinkMessage[] = [];
  for (const [set, members] of bySet) {
    let part: Buffer[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (part.length === 0) return;
      const payload = Buffer.concat([header(inet, 0), textAttribute(1, table), textAttribute(2, set), nestedAttribute(3, part)]);
      messages.push({ type: subsystem | kind, flags: netlinkFlags.request | netlinkFlags.ack | (kind === message.newElement ? netlinkFlags.create : 0), payload });
      part = [];
      bytes = 0;
    };
    for (const member of members) {
      const encoded = encodeElement(member);
      if (bytes + encoded.length > attributeBytesMax - 64) flush();
      part.push(encoded);
      bytes += encoded.length;
    }
    flush();
  }
  return messages;
}

function encodeElement(element: NftElement): Buffer {
  return nestedAttribute(1, [
    nestedAttribute(1, [attribute(1, element.key)]),
    ...(element.keyEnd === null ? [] : [nestedAttribute(10, [attribute(1, element.keyEnd)])]),
    ...(element.data === null ? [] : [nestedAttribute(2, [attribute(1, element.data)])]),
    u32beAttribute(3, 0),
  ]);
}

function valueOf(nested: Buffer | undefined): Buffer | null {
  return nested === undefined ? null : (decodeAttributes(nested).get(1) ?? null);
}

/** nfgenmsg: family u8, version u8, resource u16 in network order. */
function header(family: number, resource: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt16BE(resource, 2);
  return bytes;
}
