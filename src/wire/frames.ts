/**
 * Frames on an upgraded connection (exec): a type byte, a length (u32, big endian), a payload.
 * Types: 0 stdin, 1 stdout, 2 stderr, 3 end of input, 4 resize (JSON {columns, rows}), 5 signal (text), 6 exit (JSON {exitCode} or an error).
 */
export type Frame = { readonly type: number; readonly payload: Uint8Array };

export const frameTypes = { stdin: 0, stdout: 1, stderr: 2, endInput: 3, resize: 4, signal: 5, exit: 6 } as const;

const headBytes = 5;
const nothing: Uint8Array = new Uint8Array(0);
/** One frame's payload: a chunk of a pipe is 64 KB at most, so this is generous. */
const payloadBytesMax = 1024 * 1024;

export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame[0] = type;
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, headBytes);
  return frame;
}

/** Collects chunks and hands out whole frames; their payloads lie in the chunks' own memory. Answers false once a length is over the limit: the connection is to be closed. */
export function frameReader(onFrame: (frame: Frame) => void): (chunk: Uint8Array) => boolean {
  let rest = nothing;
  return (chunk) => {
    const all = rest.length === 0 ? chunk : joined(rest, chunk);
    let offset = 0;
    while (all.length - offset >= headBytes) {
      const length = lengthAt(all, offset + 1);
      if (length > payloadBytesMax) return false;
      if (all.length - offset - headBytes < length) break;
      onFrame({ type: all[offset] ?? 0, payload: all.subarray(offset + headBytes, offset + headBytes + length) });
      offset += headBytes + length;
    }
    // NOTE: mostly nothing is left over; then the chunk is not kept until the next.
    rest = offset === all.length ? nothing : all.slice(offset);
    return true;
  };
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100_0000 + (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
