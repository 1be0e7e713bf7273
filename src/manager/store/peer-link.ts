import { AppError } from '../../base/app-error.ts';
import type { Log } from '../../base/log.ts';
import type { PeerFrames } from '../../wire/peer-frames.ts';
import type { Envelope, PeerTransport } from './host-messages.ts';
import { decodeEnvelope, encodeEnvelope } from './message-codec.ts';

/** Messages over frames. */
export function peerLink(frames: PeerFrames): PeerTransport {
  return {
    send: (envelope, lane) => frames.send(envelope.to, lane, encodeEnvelope(envelope)),
    setPeers: frames.setPeers,
    close: frames.close,
  };
}

/** What a frame says, or nothing where it is damaged or lies about its sender: the connection proved who sent it. */
export function readFrame(from: string, frame: Uint8Array, log: Log): Envelope | null {
  try {
    const envelope = decodeEnvelope(frame);
    if (envelope.from === from) return envelope;
    log.warn('peer.forged', { from, claims: envelope.from });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    log.warn('peer.unreadable', { from, code: error.code, message: error.message });
  }
  return null;
}
