/**
 * Binary messages of a WebSocket (RFC 6455 §5.2) from who dialled, big endian:
 *     0  1  0x82: final, binary    1  1  0x80 + length, or + 126 or + 127    (126: 2 2 length)  (127: 2 8 length)    4 mask    …  body
 * The library makes connections, beats and ends them; the messages, which are nearly all of the bytes, are made here in one piece, so that
 * each leaves with one write.
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
