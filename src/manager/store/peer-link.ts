import { AppError } from '../../base/app-error.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/clock.ts';
import type { MemberId } from '../../raft/types.ts';
import type { PeerFrames } from '../../wire/peer-frames.ts';
import { openPeerTransport } from '../../wire/peer-transport.ts';
import type { PeerSecurity } from '../../wire/peer-transport.ts';
import type { Envelope, PeerTransport } from './host-messages.ts';
import { clusterKey } from './identity.ts';
import type { Identity } from './identity.ts';
import { decodeEnvelope, encodeEnvelope } from './message-codec.ts';

/** Makes the transport of one member; `lost` is told when a connection to another breaks. */
export type ConnectPeers = (self: { readonly identity: Identity; readonly receive: (envelope: Envelope) => void; readonly lost: (member: MemberId) => void }) => Promise<PeerTransport>;

/** Peers over WebSocket, with TLS where `security` is given. */
export function wsPeers(options: { readonly listen: { readonly host: string; readonly port: number }; readonly security: PeerSecurity | null; readonly clock: Clock; readonly log: Log }): ConnectPeers {
  return async ({ identity, receive, lost }) => {
    const frames = await openPeerTransport({
      ...options, memberId: identity.memberId, clusterKey: clusterKey(identity), onLost: lost,
      onFrame: (from, frame) => {
        const envelope = readFrame(from, frame, options.log);
        if (envelope !== null) receive(envelope);
      },
    });
    return peerLink(frames);
  };
}

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
