/**
 * Binary messages of a WebSocket (RFC 6455 §5.2) from who dialled, big endian:
 *     0  1  0x82: final, binary    1  1  0x80 + length, or + 126 or + 127    (126: 2 2 length)  (127: 2 8 length)    4 mask    …  body
 * The library makes connections, beats and ends them. The messages, which are nearly all of the bytes, are made here in one piece, so that
 * each leaves with one write, and read here in one step.
 */
const binaryByte = 0x82;
const maskedBit = 0x80;

export function messageHeadBytes(bodyBytes: number): number {
  if (bodyBytes < 126) return 6;
  return bodyBytes < 0x1_0000 ? 8 : 14;
}

/**
 * Writes the head of a message. Its mask is of zeros, which changes nothing: masks keep scripts of a browser from feeding a proxy with
 * bytes of their choice (§10.3); between members there is neither.
 */
export function putMessageHead(message: Buffer, bodyBytes: number): void {
  const maskAt = messageHeadBytes(bodyBytes) - 4;
  message[0] = binaryByte;
  if (maskAt === 2) message[1] = maskedBit + bodyBytes;
  else if (maskAt === 4) {
    message[1] = maskedBit + 126;
    message.writeUInt16BE(bodyBytes, 2);
  } else {
    message[1] = maskedBit + 127;
    message.writeUInt32BE(Math.floor(bodyBytes / 0x1_0000_0000), 2);
    message.writeUInt32BE(bodyBytes % 0x1_0000_0000, 6);
  }
  message.fill(0, maskAt, maskAt + 4);
}

/** Each is told what is whole, as a part of the chunk that it came in. `onMessage` answers false where it cannot read one. */
export type MessageTakers = { readonly messageBytesMax: number; readonly onMessage: (body: Buffer) => boolean; readonly onControl: (frame: Buffer) => void };

/** What is wrong, and the code (§7.4.1) to close the connection with. */
export type MessageProblem = { readonly code: 1002 | 1009; readonly message: string };

const closeByte = 0x88;
const pingByte = 0x89;
const pongByte = 0x8a;
const nothing = Buffer.alloc(0);

/**
 * Cuts what is received into messages and control frames (pings and the close: the library's). Members send no text and no fragments.
 * Answers null, or what is wrong; behind that, or behind a close, nothing is read. Bound: one message, given its memory when its head is there.
 */
export function messageReader(takers: MessageTakers): (chunk: Buffer) => MessageProblem | null {
  /** A head that is not whole yet; or a frame whose head is, and how much of it is there. */
  let headPart = nothing;
  let frame: Buffer | null = null;
  let filledBytes = 0;
  let isOver = false;

  const end = (problem: MessageProblem): MessageProblem => {
    isOver = true;
    return problem;
  };
  const cut = (bytes: Buffer, start: number): MessageProblem | null => {
    for (let at = start; at < bytes.length && !isOver; ) {
      const headBytes = at + 2 > bytes.length ? Infinity : headBytesOf(bytes[at + 1] ?? 0);
      if (at + headBytes > bytes.length) {
        headPart = Buffer.from(bytes.subarray(at));
        return null;
      }
      const kind = bytes[at] ?? 0;
      const bodyBytes = bodyBytesAt(bytes, at);
      const problem = problemOf(kind, bytes[at + 1] ?? 0, bodyBytes > takers.messageBytesMax);
      if (problem !== null) return end(problem);
      const next = at + headBytes + bodyBytes;
      if (next > bytes.length) {
        frame = Buffer.allocUnsafeSlow(next - at);
        filledBytes = bytes.copy(frame, 0, at);
        return null;
      }
      if (kind === binaryByte) {
        unmask(bytes, at + headBytes, next);
        if (!takers.onMessage(bytes.subarray(at + headBytes, next))) return end({ code: 1002, message: 'a message that cannot be read' });
      } else {
        isOver = kind === closeByte;
        takers.onControl(bytes.subarray(at, next));
      }
      at = next;
    }
    return null;
  };

  return (chunk) => {
    if (frame !== null) {
      const taken = chunk.copy(frame, filledBytes);
      filledBytes += taken;
      if (filledBytes < frame.length) return null;
      const whole = frame;
      frame = null;
      return cut(whole, 0) ?? cut(chunk, taken);
    }
    if (headPart.length === 0) return cut(chunk, 0);
    const joined = Buffer.concat([headPart, chunk]);
    headPart = nothing;
    return cut(joined, 0);
  };
}

function headBytesOf(secondByte: number): number {
  const length = secondByte & 0x7f;
  if (length < 126) return 6;
  return length === 126 ? 8 : 14;
}

function bodyBytesAt(bytes: Buffer, at: number): number {
  const length = (bytes[at + 1] ?? 0) & 0x7f;
  if (length < 126) return length;
  return length === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 2) * 0x1_0000_0000 + bytes.readUInt32BE(at + 6);
}

function problemOf(kind: number, secondByte: number, isTooLong: boolean): MessageProblem | null {
  if ((secondByte & maskedBit) === 0) return { code: 1002, message: 'a frame without a mask' };
  if (isTooLong) return { code: 1009, message: 'a message above the limit of its lane' };
  if (kind === binaryByte) return null;
  const isControl = kind === closeByte || kind === pingByte || kind === pongByte;
  return isControl && (secondByte & 0x7f) < 126 ? null : { code: 1002, message: `a frame that begins with ${kind}` };
}

/** Members of before masks of zeros send others. */
function unmask(bytes: Buffer, bodyAt: number, end: number): void {
  const maskAt = bodyAt - 4;
  if (bytes.readUInt32LE(maskAt) === 0) return;
  for (let at = bodyAt; at < end; at += 1) bytes[at] = (bytes[at] ?? 0) ^ (bytes[maskAt + ((at - bodyAt) & 3)] ?? 0);
}
