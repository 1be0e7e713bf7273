import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { silentLog } from '../../src/base/log.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { joinFrames, laneLimits } from '../../src/wire/peer-frames.ts';
import { type MessageProblem, messageReader } from '../../src/wire/peer-messages.ts';
import { openPeerTransport, type PeerTransportHandle } from '../../src/wire/peer-transport.ts';

// The messages of members are made and read here, not by the library: RFC 6455 §5, and what members of other versions send.
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Frames whose messages (4 bytes more) lie at the borders between the three ways to say a length. */
const sizes = [0, 1, 120, 121, 122, 123, 65_530, 65_531, 65_532, 65_533, 200_000];
const frameOf = (size: number): Buffer => Buffer.alloc(size, `${size},`);
const packed = (frame: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(frame.length);
  return Buffer.concat([length, frame]);
};

async function member(memberId: string, got: Buffer[], problems: string[] = []): Promise<PeerTransportHandle> {
  const handle = await openPeerTransport({
    memberId, clusterKey: 'c.1', listen: { host: '127.0.0.1', port: 0 }, security: null, clock: realClock,
    log: { ...silentLog, warn: (_event, fields) => void problems.push(String(fields?.['error'])) },
    onFrame: (_from, frame) => void got.push(Buffer.from(frame)), onLost: () => undefined,
  });
  closers.push(() => handle.close());
  return handle;
}

function reading(messageBytesMax: number): { readonly read: (chunk: Buffer) => MessageProblem | null; readonly got: Buffer[]; readonly controls: Buffer[] } {
  const [got, controls]: [Buffer[], Buffer[]] = [[], []];
  const read = messageReader({ messageBytesMax, onMessage: (body) => got.push(Buffer.from(body)) > 0, onControl: (frame) => void controls.push(Buffer.from(frame)) });
  return { read, got, controls };
}

const nothing = Buffer.alloc(0);
const ping = Buffer.from([0x89, 0x82, 0, 0, 0, 0, 7, 8]);

test('messages and beats are the same however the stream is cut', () => {
  const frames = [0, 1, 121, 122, 700, 65_531, 65_532].map(frameOf);
  const stream = Buffer.concat(frames.flatMap((frame) => [...joinFrames([frame], laneLimits.log.messageBytesMax), ping]));
  for (const pieceBytes of [1, 2, 3, 5, 7, 13, 64, 4096, 65_536, stream.length]) {
    const { read, got, controls } = reading(laneLimits.log.messageBytesMax);
    for (let at = 0; at < stream.length; at += pieceBytes) expect(read(Buffer.from(stream.subarray(at, at + pieceBytes)))).toBe(null);
    expect(got.map((one) => one.equals(packed(frames[got.indexOf(one)] ?? Buffer.alloc(9))))).toEqual(frames.map(() => true));
    expect(controls).toEqual(frames.map(() => ping));
  }
});

test('a message at the limit is read, one above is refused by its head alone', () => {
  const [message] = joinFrames([frameOf(1020)], 2000);
  expect(reading(1024).read(Buffer.from(message ?? []))).toBe(null);
  expect(reading(1023).read(Buffer.from(message ?? []).subarray(0, 8))).toEqual({ code: 1009, message: 'a message above the limit of its lane' });
  expect(reading(2 ** 23).read(Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]))).toEqual({ code: 1009, message: 'a message above the limit of its lane' });
});

test.for<[string, readonly number[], string]>([
  ['no mask', [0x82, 1, 0, 0, 0, 0, 1], 'a frame without a mask'],
  ['text', [0x81, 0x81, 0, 0, 0, 0, 65], 'a frame that begins with 129'],
  ['the first of several fragments', [0x02, 0x81, 0, 0, 0, 0, 65], 'a frame that begins with 2'],
  ['a fragment', [0x80, 0x81, 0, 0, 0, 0, 65], 'a frame that begins with 128'],
  ['bits that nobody agreed on', [0xc2, 0x81, 0, 0, 0, 0, 65], 'a frame that begins with 194'],
  ['a beat with a long body', [0x89, 0xfe, 0, 200, 0, 0, 0, 0], 'a frame that begins with 137'],
])('%s ends a connection', ([, bytes, problem]) => {
  const { read, got, controls } = reading(1024);
  const [good = nothing] = joinFrames([frameOf(3)], 100);
  expect(read(Buffer.concat([good, Buffer.from(bytes), good]))).toEqual({ code: 1002, message: problem });
  expect(read(Buffer.from(good))).toBe(null);
  expect([got.length, controls.length]).toEqual([1, 0]);
});

test('the library reads what is sent, at every way to say a length', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  closers.push(() => server.close(), () => server.clients.forEach((client) => client.terminate()));
  const got: Buffer[] = [];
  server.on('connection', (client) => client.on('message', (data: Buffer) => got.push(data)));
  await once(server, 'listening');
  const a = await member('a', []);
  // NOTE: a server's address is an object; only pipes have a text.
  a.setPeers(new Map([['b', `127.0.0.1:${(server.address() as AddressInfo).port}`]]));
  for (const size of sizes) {
    const before = got.length;
    await vi.waitFor(() => {
      if (got.length === before) a.send('b', 'log', frameOf(size));
      expect(got.length).toBeGreaterThan(before);
    }, { timeout: 10_000, interval: 20 });
    expect(got.at(-1)?.equals(packed(frameOf(size)))).toBe(true);
  }
});

test('what a member with masks of its own sends is read; a close is answered, and nothing counts behind it', async () => {
  const got: Buffer[] = [];
  const b = await member('b', got);
  const headers = { 'x-flotilla-cluster': 'c.1', 'x-flotilla-member': 'a', 'x-flotilla-lane': 'log' };
  const socket = new WebSocket(`ws://127.0.0.1:${b.port}/flotilla/peer`, { headers, perMessageDeflate: false });
  let raw: Socket | null = null;
  socket.on('upgrade', (response) => {
    raw = response.socket;
  });
  await once(socket, 'open');
  for (const size of sizes) socket.send(packed(frameOf(size)));
  socket.ping('there?');
  const [answer] = await once(socket, 'pong');
  expect(String(answer)).toBe('there?');
  expect(got.map((one) => one.length)).toEqual(sizes);
  expect(got.every((one) => one.equals(frameOf(one.length)))).toBe(true);
  const closed = once(socket, 'close');
  socket.close(1000, 'enough');
  expect(raw).not.toBe(null);
  (raw as Socket | null)?.write(Buffer.from(joinFrames([frameOf(5)], 100)[0] ?? []));
  const [code] = await closed;
  expect(code).toBe(1000);
  expect(got.length).toBe(sizes.length);
});

test('one who breaks the rules is told of and loses the connection, others go on', async () => {
  const [got, problems]: [Buffer[], string[]] = [[], []];
  const b = await member('b', got, problems);
  for (const bytes of [[0x81, 0x81, 0, 0, 0, 0, 65], [0x82, 0x81, 0, 0, 0, 0, 65]]) {
    const raw = connect(b.port, '127.0.0.1');
    closers.push(() => raw.destroy());
    const head = ['GET /flotilla/peer HTTP/1.1', 'host: b', 'connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==', 'x-flotilla-cluster: c.1', 'x-flotilla-member: a', 'x-flotilla-lane: log'];
    // The first bytes of the connection come with its request, in one piece.
    raw.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(bytes)]));
    raw.resume();
    raw.on('data', (chunk: Buffer) => chunk.includes(Buffer.from([0x88, 2, 0x03, 0xea])) && raw.end());
    await once(raw, 'close');
  }
  expect(problems).toEqual(['a frame that begins with 129', 'a message that cannot be read']);
  const a = await member('a', []);
  a.setPeers(new Map([['b', `127.0.0.1:${b.port}`]]));
  await vi.waitFor(() => {
    a.send('b', 'log', frameOf(3));
    expect(got.length).toBeGreaterThan(0);
  }, { timeout: 10_000, interval: 20 });
});

test('what is sent first on the lane for bulk waits for its connection, up to a bound', async () => {
  const got: Buffer[] = [];
  const b = await member('b', got);
  const a = await member('a', []);
  a.setPeers(new Map([['b', `127.0.0.1:${b.port}`]]));
  const third = Math.floor(laneLimits.bulk.queuedBytesMax / 3);
  for (const size of [5, third, third, third, 6]) a.send('b', 'bulk', frameOf(size));
  await vi.waitFor(() => expect(got.map((one) => one.length)).toEqual([5, third, third, 6]), { timeout: 10_000, interval: 20 });
});
