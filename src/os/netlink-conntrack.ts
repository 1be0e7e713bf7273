import { attribute, decodeAttributes, netlinkFlags } from './netlink-message.ts';
import type { NetlinkMessage } from './netlink-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** A tracked flow, as its first packet came and as its answers come. Addresses are 4 or 16 bytes. */
export type Flow = { readonly original: FlowTuple; readonly reply: FlowTuple; readonly raw: { readonly family: number; readonly original: Buffer; readonly id: Buffer | undefined } };
export type FlowTuple = { readonly source: Buffer; readonly target: Buffer; readonly protocol: number; readonly sourcePort: number; readonly targetPort: number };

const subsystem = 1 << 8;
const bothFamilies = 0;

/** Every flow that the kernel tracks in this namespace. It walks its whole table: some milliseconds, however few there are. */
export function listFlows(socket: NetlinkSocket): Flow[] {
  return socket.dump({ type: subsystem | 1, flags: 0, payload: header(bothFamilies) }).flatMap((one) => {
    const parts = decodeAttributes(one.payload.subarray(4));
    const original = parts.get(1);
    const reply = parts.get(2);
    return original === undefined || reply === undefined ? [] : [{ original: tupleOf(original), reply: tupleOf(reply), raw: { family: one.payload.readUInt8(0), original, id: parts.get(12) } }];
  });
}

/** Forgets flows; those that have gone meanwhile are no error. */
export function deleteFlows(socket: NetlinkSocket, flows: readonly Flow[]): void {
  const messages = flows.map(
    (flow): NetlinkMessage => ({
      type: subsystem | 2,
      flags: netlinkFlags.request | netlinkFlags.ack,
      payload: Buffer.concat([header(flow.raw.family), attribute(1 | 0x8000, flow.raw.original), ...(flow.raw.id === undefined ? [] : [attribute(12, flow.raw.id)])]),
    }),
  );
  for (let at = 0; at < messages.length; at += 256) socket.request(messages.slice(at, at + 256));
}

function tupleOf(bytes: Buffer): FlowTuple {
  const parts = decodeAttributes(bytes);
  const ip = decodeAttributes(parts.get(1) ?? Buffer.alloc(0));
  const protocol = decodeAttributes(parts.get(2) ?? Buffer.alloc(0));
  const none = Buffer.alloc(0);
  return {
    source: ip.get(1) ?? ip.get(3) ?? none,
    target: ip.get(2) ?? ip.get(4) ?? none,
    protocol: protocol.get(1)?.readUInt8(0) ?? 0,
    sourcePort: protocol.get(2)?.readUInt16BE(0) ?? 0,
    targetPort: protocol.get(3)?.readUInt16BE(0) ?? 0,
  };
}

function header(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0]);
}
