import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { PeerFrames, PeerLane } from './peer-frames.ts';
import { joinFrames, laneLimits, peerLanes, splitFrames } from './peer-frames.ts';
import type { MessageTakers } from './peer-messages.ts';
import { messageReader } from './peer-messages.ts';
import { endWhenSilent, pulseMs } from './peer-pulse.ts';

/** TLS between members: both sides show a certificate, and `memberOf` reads from it who the other is. */
export type PeerSecurity = { readonly server: TlsOptions; readonly client: ConnectionOptions; readonly memberOf: (socket: TLSSocket) => string | null };

export type PeerTransportOptions = {
  readonly memberId: string;
  /** Cluster and incarnation: a connection of another one is refused at the door. */
  readonly clusterKey: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** null: plain, only for loopback and tests. */
  readonly security: PeerSecurity | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly onFrame: (from: string, frame: Uint8Array) => void;
  /** The time between two signs of life of a connection; for tests. */
  readonly pulseMs?: number;
  /** The connection to a member broke. */
  readonly onLost: (member: string) => void;
};

export type PeerTransportHandle = PeerFrames & { readonly port: number };

const path = '/flotilla/peer';
const backoffMs = { first: 50, most: 2000 };
/** Beats without an answer: on the other lanes it waits behind what was sent before it. */
const silentMax: Readonly<Record<PeerLane, number>> = { beat: 4, log: 10, bulk: 15 };

/** `raw` is the open connection under `socket`, or null. */
type Outgoing = { socket: WebSocket | null; raw: Socket | null; queued: Uint8Array[]; isFlushPlanned: boolean; retryMs: number; cancelRetry: () => void };

/**
 * Frames between the managers of a cluster, over WebSocket. Every member dials every other, one connection for each lane, and
 * sends on what it dialled; so a heartbeat never waits behind entries, nor entries behind a snapshot. Nothing is repeated and nothing kept: what
 * cannot be sent now is dropped, and so is what would make a slow peer's queue longer than its limit.
 */
export async function openPeerTransport(options: PeerTransportOptions): Promise<PeerTransportHandle> {
  const { security } = options;
  const server = security === null ? createServer() : createTlsServer({ ...security.server, requestCert: true, rejectUnauthorized: true });
  const incoming = new Set<WebSocket>();
  acceptOn(server, options, incoming);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen.port, options.listen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const dialler = new Dialler(options);
  // NOTE: a TCP server's address is an object; only pipes have a text.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    send: (member, lane, frame) => dialler.send(member, lane, frame),
    setPeers: (peers) => dialler.setPeers(peers),
    close: () => {
      dialler.close();
      for (const socket of incoming) socket.terminate();
      server.close();
    },
  };
}

function acceptOn(server: Server, options: PeerTransportOptions, incoming: Set<WebSocket>): void {
  const doors = new Map(peerLanes.map((lane) => [lane, new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: laneLimits[lane].messageBytesMax })]));
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // NOTE: from here on the socket is ours. Who resets it before it is a WebSocket would end the process with an error that nobody hears.
    socket.on('error', (error) => options.log.warn('peer.error', { error: error.message }));
    const lane = peerLanes.find((one) => one === request.headers['x-flotilla-lane']);
    const from = request.headers['x-flotilla-member'];
    const door = lane === undefined ? undefined : doors.get(lane);
    const isKnown = typeof from === 'string' && request.url === path && request.headers['x-flotilla-cluster'] === options.clusterKey;
    const isProven = options.security === null || (socket instanceof TLSSocket && options.security.memberOf(socket) === from);
    if (door === undefined || lane === undefined || !isKnown || !isProven) {
      options.log.warn('peer.refused', { from, lane, isProven, cluster: request.headers['x-flotilla-cluster'] });
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    door.handleUpgrade(request, socket, head, (connection) => {
      incoming.add(connection);
      // NOTE: twice as patient as who dialled, whose beats these are.
      const heard = endWhenSilent(connection, { clock: options.clock, everyMs: options.pulseMs ?? pulseMs, silentMax: silentMax[lane] * 2 }, false);
      readMessages(connection, socket, {
        messageBytesMax: laneLimits[lane].messageBytesMax,
        onMessage: (message) => {
          heard();
          return splitFrames(message, (frame) => options.onFrame(from, frame));
        },
        onProblem: (error) => options.log.warn('peer.error', { from, lane, error }),
      });
      connection.on('close', () => incoming.delete(connection));
      connection.on('error', (error) => options.log.warn('peer.error', { from, lane, error: error.message }));
    });
  });
}

/** Takes the messages out of what the library would read, and leaves it the control frames. */
function readMessages(connection: WebSocket, socket: Socket, takers: Pick<MessageTakers, 'messageBytesMax' | 'onMessage'> & { readonly onProblem: (problem: string) => void }): void {
  const [library, ...others] = socket.listeners('data');
  assert(library !== undefined && others.length === 0, 'the library alone reads a connection that it has just taken');
  const read = messageReader({ ...takers, onControl: (frame) => void Reflect.apply(library, socket, [frame]) });
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    const problem = read(chunk);
    if (problem === null) return;
    takers.onProblem(problem.message);
    connection.close(problem.code);
  });
}

class Dialler {
  readonly #options: PeerTransportOptions;
  readonly #peers: Map<string, { readonly address: string; readonly lanes: ReadonlyMap<PeerLane, Outgoing> }> = new Map();
  #isClosed = false;

  constructor(options: PeerTransportOptions) {
    this.#options = options;
  }

  setPeers(peers: ReadonlyMap<string, string>): void {
    for (const [member, peer] of this.#peers) {
      if (peers.get(member) === peer.address) continue;
      this.#peers.delete(member);
      for (const lane of peer.lanes.values()) hangUp(lane);
    }
    for (const [member, address] of peers) {
      if (this.#peers.has(member) || address === '') continue;
      const lanes = new Map(peerLanes.map((lane): [PeerLane, Outgoing] => [lane, { socket: null, raw: null, queued: [], isFlushPlanned: false, retryMs: backoffMs.first, cancelRetry: () => undefined }]));
      this.#peers.set(member, { address, lanes });
      for (const lane of ['beat', 'log'] as const) this.#dial(member, lane);
    }
  }

  send(member: string, lane: PeerLane, frame: Uint8Array): void {
    const outgoing = this.#peers.get(member)?.lanes.get(lane);
    if (outgoing === undefined) return;
    if (outgoing.socket === null) this.#dial(member, lane);
    const waitingBytes = outgoing.raw?.writableLength ?? outgoing.queued.reduce((sum, one) => sum + one.length, frame.length);
    if (waitingBytes > laneLimits[lane].queuedBytesMax) return;
    if (outgoing.raw === null) {
      // NOTE: this lane is dialled by what is sent on it first, which waits; on the others what counts is said again.
      if (lane === 'bulk') outgoing.queued.push(frame);
      return;
    }
    outgoing.queued.push(frame);
    if (outgoing.isFlushPlanned) return;
    outgoing.isFlushPlanned = true;
    // All frames of one round of work leave together.
    queueMicrotask(() => {
      outgoing.isFlushPlanned = false;
      flush(outgoing, lane);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const peer of this.#peers.values()) for (const lane of peer.lanes.values()) hangUp(lane);
    this.#peers.clear();
  }

  #dial(member: string, lane: PeerLane): void {
    const peer = this.#peers.get(member);
    const outgoing = peer?.lanes.get(lane);
    if (peer === undefined || outgoing === undefined || outgoing.socket !== null || this.#isClosed) return;
    const { security, clusterKey, memberId, clock, onLost } = this.#options;
    const socket = new WebSocket(`${security === null ? 'ws' : 'wss'}://${peer.address}${path}`, {
      perMessageDeflate: false, maxPayload: 1024, handshakeTimeout: 2000, generateMask: noMask,
      headers: { 'x-flotilla-cluster': clusterKey, 'x-flotilla-member': memberId, 'x-flotilla-lane': lane },
      ...(security === null ? {} : security.client),
    });
    outgoing.socket = socket;
    let raw: Socket | null = null;
    socket.on('upgrade', (response) => {
      raw = response.socket;
    });
    socket.on('open', () => {
      // NOTE: a certificate of this cluster is not enough: it must be the member's that was dialled.
      if (security !== null && !(raw instanceof TLSSocket && security.memberOf(raw) === member)) {
        this.#options.log.warn('peer.other-member', { dialled: member, address: peer.address });
        socket.terminate();
        return;
      }
      outgoing.raw = raw;
      endWhenSilent(socket, { clock, everyMs: this.#options.pulseMs ?? pulseMs, silentMax: silentMax[lane] }, true);
      outgoing.retryMs = backoffMs.first;
      flush(outgoing, lane);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (outgoing.socket !== socket) return;
      const wasOpen = outgoing.raw !== null;
      outgoing.socket = null;
      outgoing.raw = null;
      outgoing.queued = [];
      if (wasOpen) onLost(member);
      if (lane === 'bulk' || this.#isClosed) return;
      outgoing.cancelRetry = clock.after(outgoing.retryMs, () => this.#dial(member, lane), true);
      outgoing.retryMs = Math.min(backoffMs.most, outgoing.retryMs * 2);
    });
  }
}

function flush(outgoing: Outgoing, lane: PeerLane): void {
  const frames = outgoing.queued;
  outgoing.queued = [];
  // NOTE: behind a close nothing may follow.
  if (outgoing.socket?.readyState !== WebSocket.OPEN) return;
  for (const message of joinFrames(frames, laneLimits[lane].messageBytesMax)) outgoing.raw?.write(message);
}

/** The beats that the library sends are masked like the messages: with zeros. */
function noMask(mask: Buffer): void {
  mask.fill(0);
}

function hangUp(outgoing: Outgoing): void {
  outgoing.cancelRetry();
  const { socket } = outgoing;
  outgoing.socket = null;
  outgoing.raw = null;
  socket?.terminate();
}
