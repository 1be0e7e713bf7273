import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Ip } from '../../base/cidr.ts';
import { formatIp } from '../../base/cidr.ts';
import type { Clock } from '../../base/clock.ts';
import { questionOf } from './message.ts';

/**
 * Asks outer resolvers, one after the other, with the asker's own bytes (so EDNS and all else pass through). An answer
 * counts only when it comes from the address that was asked, to a port of its own, with the random number and the question sent.
 * Out: the answer with the asker's number, null when nobody answered in time.
 */
export type Upstream = {
  readonly ask: (query: Buffer, options: { readonly servers: readonly Ip[]; readonly transport: 'udp' | 'tcp'; readonly signal: AbortSignal }) => Promise<Buffer | null>;
};

const dnsPort = 53;
const perServerMs = 2000;
const serversMax = 3;

export function createUpstream(options: { readonly clock: Clock; readonly port?: number }): Upstream {
  const port = options.port ?? dnsPort;
  return {
    ask: async (query, { servers, transport, signal }) => {
      const asked = questionOf(query);
      if (asked === null) return null;
      for (const server of servers.slice(0, serversMax)) {
        if (signal.aborted) return null;
        const id = randomInt(0x10000);
        const outgoing = Buffer.from(query);
        outgoing.writeUInt16BE(id, 0);
        const isAnswer = (bytes: Buffer): boolean => {
          const got = questionOf(bytes);
          return got !== null && got.isAnswer && got.id === id && got.text === asked.text;
        };
        const attempt = { query: outgoing, server: formatIp(server), port, family: server.family, isAnswer, clock: options.clock, signal };
        const answer = await (transport === 'udp' ? askUdp(attempt) : askTcp(attempt));
        if (answer === null) continue;
        const passed = Buffer.from(answer);
        passed.writeUInt16BE(asked.id, 0);
        return passed;
      }
      return null;
    },
  };
}

type Attempt = {
  readonly query: Buffer;
  readonly server: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly isAnswer: (bytes: Buffer) => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

function askUdp(attempt: Attempt): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(attempt.family === 4 ? 'udp4' : 'udp6');
    const end = once((answer: Buffer | null) => {
      cancel();
      attempt.signal.removeEventListener('abort', stop);
      socket.close();
      resolve(answer);
    });
    const stop = (): void => end(null);
    const cancel = attempt.clock.after(perServerMs, stop, true);
    attempt.signal.addEventListener('abort', stop);
    socket.on('message', (bytes) => attempt.isAnswer(bytes) && end(bytes));
    socket.on('error', stop);
    // A connected socket takes nothing from other addresses, and hears at once when the port is closed.
    socket.connect(attempt.port, attempt.server, () => socket.send(attempt.query, (error) => error !== null && end(null)));
  });
}

function askTcp(attempt: Attempt): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ port: attempt.port, host: attempt.server });
    const end = once((answer: Buffer | null) => {
      cancel();
      attempt.signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(answer);
    });
    const stop = (): void => end(null);
    const cancel = attempt.clock.after(perServerMs, stop, true);
    attempt.signal.addEventListener('abort', stop);
    let got = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      const size = got.length < 2 ? Infinity : got.readUInt16BE(0);
      if (got.length < 2 + size) return;
      const answer = got.subarray(2, 2 + size);
      end(attempt.isAnswer(answer) ? answer : null);
    });
    socket.on('error', stop);
    socket.on('close', stop);
    socket.on('connect', () => socket.write(framed(attempt.query)));
  });
}

/** By TCP each message has its length before it, u16. */
export function framed(message: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(message.length);
  return Buffer.concat([size, message]);
}

function once(fn: (answer: Buffer | null) => void): (answer: Buffer | null) => void {
  let isDone = false;
  return (answer) => {
    if (isDone) return;
    isDone = true;
    fn(answer);
  };
}
