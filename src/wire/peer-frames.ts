import { messageHeadBytes, putMessageHead } from './peer-messages.ts';

/**
 * What members of the store send each other travels as frames: bytes that only the store reads. Three lanes, so that urgent is never behind bulk.
 * A message on a connection is one or more frames, each with its length before it (u32, little endian).
 */
export type PeerLane = 'beat' | 'log' | 'bulk';
export const peerLanes: readonly PeerLane[] = ['beat', 'log', 'bulk'];

export type PeerFrames = {
  readonly send: (member: string, lane: PeerLane, frame: Uint8Array) => void;
  /** Whom to be connected to: member → host:port. */
  readonly setPeers: (peers: ReadonlyMap<string, string>) => void;
  readonly close: () => void;
};

/** Checked before anything is parsed. An entry has at most 1.5 MB, an append 1 MB or one entry, a chunk of a snapshot 256 KB. */
export const laneLimits: Readonly<Record<PeerLane, { readonly messageBytesMax: number; readonly queuedBytesMax: number }>> = {
  beat: { messageBytesMax: 4 * 1024 * 1024, queuedBytesMax: 4 * 1024 * 1024 },
  log: { messageBytesMax: 8 * 1024 * 1024, queuedBytesMax: 32 * 1024 * 1024 },
  bulk: { messageBytesMax: 4 * 1024 * 1024, queuedBytesMax: 8 * 1024 * 1024 },
};

/** Packs frames into as few messages as the limit allows, ready to be written. A frame above the limit is left out: the other side would hang up. */
export function joinFrames(frames: readonly Uint8Array[], messageBytesMax: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let group: Uint8Array[] = [];
  let bytes = 0;
  const finish = (): void => {
    if (group.length > 0) messages.push(pack(group, bytes));
    group = [];
    bytes = 0;
  };
  for (const frame of frames) {
    if (frame.length + 4 > messageBytesMax) continue;
    if (bytes + frame.length + 4 > messageBytesMax) finish();
    group.push(frame);
    bytes += frame.length + 4;
  }
  finish();
  return messages;
}

/** Hands out each frame; false where the lengths do not add up. */
export function splitFrames(message: Buffer, take: (frame: Buffer) => void): boolean {
  let at = 0;
  while (at + 4 <= message.length) {
    const end = at + 4 + message.readUInt32LE(at);
    if (end > message.length) return false;
    take(message.subarray(at + 4, end));
    at = end;
  }
  return at === message.length;
}

function pack(frames: readonly Uint8Array[], bytes: number): Uint8Array {
  let at = messageHeadBytes(bytes);
  const message = Buffer.allocUnsafe(at + bytes);
  putMessageHead(message, bytes);
  for (const frame of frames) {
    message.writeUInt32LE(frame.length, at);
    message.set(frame, at + 4);
    at += 4 + frame.length;
  }
  return message;
}
