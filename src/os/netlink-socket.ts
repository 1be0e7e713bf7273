import { AppError } from '../base/app-error.ts';
import { checked, errnoName, errnoOf, libcAsync, libcFunction } from './libc.ts';
import { decodeAttributes, decodeMessages, encodeMessage, netlinkFlags, textOf } from './netlink-message.ts';
import type { NetlinkMessage, NetlinkReply } from './netlink-message.ts';

/**
 * A netlink socket. Calls are synchronous: the kernel works a request off inside the send, in microseconds, and its
 * answers are there when it returns. A socket stays in the network namespace that it was opened in.
 */
export type NetlinkSocket = {
  /**
   * Sends all messages in one datagram and reads one acknowledgement for each that asks for it.
   * Out: an answer per message, `errno` 0 where it went well. Nothing is undone when one fails, except by nf_tables.
   */
  readonly request: (messages: readonly NetlinkMessage[]) => NetlinkAnswer[];
  /** As `request`, in a thread of its own, for what the kernel takes its time over (removing links: ~15 ms). */
  readonly requestSlow: (messages: readonly NetlinkMessage[]) => Promise<NetlinkAnswer[]>;
  /** Every message of a dump. Errors: OS_NETLINK. */
  readonly dump: (message: NetlinkMessage) => NetlinkReply[];
  /** The one answer that a get has; null where there is no such object. Errors: OS_NETLINK. */
  readonly get: (message: NetlinkMessage) => NetlinkReply | null;
  readonly close: () => void;
};

export type NetlinkAnswer = { readonly errno: number; readonly text: string };

export const netlinkFamily = { route: 0, netfilter: 12 } as const;

const afNetlink = 16;
const sockRaw = 3;
const sockCloexec = 0o2000000;
const solSocket = 1;
const soRcvTimeo = 20;
const soSndBufForce = 32;
const soRcvBufForce = 33;
const solNetlink = 270;
const netlinkCapAck = 10;
const netlinkExtAck = 11;
const netlinkStrictCheck = 12;
const typeError = 2;
const typeDone = 3;
const enoent = 2;
const eintr = 4;
/** Datagrams are cut at this many messages, so that the acknowledgements fit into the socket's buffer. */
const messagesMax = 256;
const bufferBytes = 64 * 1024 * 1024;
const receiveBytes = 1 << 20;

let bound: ReturnType<typeof bind> | undefined;

function bind(): {
  readonly socket: ReturnType<typeof libcFunction>;
  readonly setsockopt: ReturnType<typeof libcFunction>;
  readonly sendto: ReturnType<typeof libcFunction>;
  readonly sendtoSlow: ReturnType<typeof libcAsync>;
  readonly recv: ReturnType<typeof libcFunction>;
  readonly close: ReturnType<typeof libcFunction>;
  readonly buffer: Buffer;
} {
  const sendto = 'long sendto(int fd, const uint8_t *bytes, size_t count, int flags, const uint8_t *address, uint32_t size)';
  return {
    socket: libcFunction('int socket(int domain, int type, int protocol)'),
    setsockopt: libcFunction('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t size)'),
    sendto: libcFunction(sendto),
    sendtoSlow: libcAsync(sendto),
    recv: libcFunction('long recv(int fd, _Out_ uint8_t *bytes, size_t count, int flags)'),
    close: libcFunction('int close(int fd)'),
    buffer: Buffer.alloc(receiveBytes),
  };
}

/** Opens a socket in the namespace that the thread is in. Errors: SyscallError. */
export function openNetlink(family: number): NetlinkSocket {
  bound ??= bind();
  const libc = bound;
  const fd = checked('socket', libc.socket(afNetlink, sockRaw | sockCloexec, family));
  const set = (level: number, name: number, ...values: readonly number[]): number => {
    const bytes = Buffer.from(new Int32Array(values).buffer);
    return libc.setsockopt(fd, level, name, bytes, bytes.length);
  };
  set(solSocket, soRcvBufForce, bufferBytes);
  set(solSocket, soSndBufForce, bufferBytes);
  // The answers are there at once; the time-out only keeps a defect from stopping the whole program: 10 s as a timeval of two 64-bit words.
  set(solSocket, soRcvTimeo, 10, 0, 0, 0);
  set(solNetlink, netlinkCapAck, 1);
  set(solNetlink, netlinkExtAck, 1);
  set(solNetlink, netlinkStrictCheck, 1);
  let sequence = 0;
  let isOpen = true;

  const receive = (): NetlinkReply[] => {
    for (let attempt = 0; ; attempt += 1) {
      const count = libc.recv(fd, libc.buffer, libc.buffer.length, 0);
      if (count < 0 && errnoOf(count) === eintr && attempt < 100) continue;
      checked('recv', count);
      return decodeMessages(Buffer.from(libc.buffer.subarray(0, count)));
    }
  };
  const encode = (messages: readonly NetlinkMessage[]): { readonly bytes: Buffer; readonly first: number } => {
    const first = sequence + 1;
    const bytes = Buffer.concat(messages.map((message) => encodeMessage(message, (sequence += 1))));
    return { bytes, first };
  };
  const collect = (messages: readonly NetlinkMessage[], first: number): NetlinkAnswer[] => {
    const answers: (NetlinkAnswer | undefined)[] = messages.map((one) => ((one.flags & netlinkFlags.ack) === 0 ? { errno: 0, text: '' } : undefined));
    let open = answers.filter((one) => one === undefined).length;
    while (open > 0) {
      for (const reply of receive()) {
        const index = reply.sequence - first;
        if (reply.type !== typeError || index < 0 || index >= messages.length) continue;
        const answer = answerOf(reply);
        if (answers[index] === undefined) open -= 1;
        // NOTE: a batch of nf_tables reports an error on its first message when the whole of it is refused.
        else if (answer.errno === 0) continue;
        answers[index] = answer;
        if (answer.errno !== 0 && (messages[index]?.flags ?? 0) === netlinkFlags.request) open = 0;
      }
    }
    return answers.map((one) => one ?? { errno: 0, text: 'not answered' });
  };

  return {
    request: (messages) => {
      const answers: NetlinkAnswer[] = [];
      const chunk = family === netlinkFamily.netfilter ? messages.length : messagesMax;
      for (let at = 0; at < messages.length; at += chunk) {
        const part = messages.slice(at, at + chunk);
        const { bytes, first } = encode(part);
        checked('sendto', libc.sendto(fd, bytes, bytes.length, 0, null, 0));
        answers.push(...collect(part, first));
      }
      return answers;
    },
    requestSlow: async (messages) => {
      if (messages.length === 0) return [];
      const { bytes, first } = encode(messages);
      const sent = await libc.sendtoSlow(fd, bytes, bytes.length, 0, null, 0);
      if (sent < 0) throw new AppError({ code: 'OS_NETLINK', message: `netlink: a request of ${bytes.length} bytes could not be sent` });
      return collect(messages, first);
    },
    dump: (message) => {
      const found: NetlinkReply[] = [];
      const { bytes, first } = encode([{ ...message, flags: netlinkFlags.request | netlinkFlags.dump }]);
      checked('sendto', libc.sendto(fd, bytes, bytes.length, 0, null, 0));
      for (;;) {
        for (const reply of receive()) {
          if (reply.sequence !== first) continue;
          if (reply.type === typeDone) return found;
          if (reply.type === typeError) throw refusal(message, answerOf(reply));
          found.push(reply);
        }
      }
    },
    get: (message) => {
      const { bytes, first } = encode([{ ...message, flags: netlinkFlags.request }]);
      checked('sendto', libc.sendto(fd, bytes, bytes.length, 0, null, 0));
      for (;;) {
        const reply = receive().find((one) => one.sequence === first);
        if (reply === undefined) continue;
        if (reply.type !== typeError) return reply;
        const answer = answerOf(reply);
        if (answer.errno === enoent) return null;
        throw refusal(message, answer);
      }
    },
    close: () => {
      if (isOpen) libc.close(fd);
      isOpen = false;
    },
  };
}

/** The error of a refused request, by name and with the kernel's own words. */
export function refusal(message: NetlinkMessage, answer: NetlinkAnswer): AppError {
  return new AppError({ code: 'OS_NETLINK', message: `netlink: the kernel refused request ${message.type}: ${errnoName(answer.errno)}${answer.text === '' ? '' : ` (${answer.text})`}` });
}

/** nlmsgerr: errno i32 (negative), the header of the request, then attributes: 1 is a text. */
function answerOf(reply: NetlinkReply): NetlinkAnswer {
  const errno = -reply.payload.readInt32LE(0);
  const text = reply.payload.length > 20 ? textOf(decodeAttributes(reply.payload.subarray(20)).get(1)) : '';
  return { errno, text };
}
