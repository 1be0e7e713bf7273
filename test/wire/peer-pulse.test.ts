import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { openPeerTransport, type PeerTransportHandle } from '../../src/wire/peer-transport.ts';

// A cut of the network as TCP sees it: connections stay open and carry nothing. New ones work once it is over.
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Wire = { readonly port: number; readonly cut: () => void; readonly cutCount: () => number };

async function wireTo(port: number): Promise<Wire> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let cutCount = 0;
  const server: Server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      closers.push(() => socket.destroy());
    }
    near.pipe(far);
    far.pipe(near);
    pairs.add([near, far]);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut: () => {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        near.pause();
        far.pause();
        cutCount += 1;
      }
      pairs.clear();
    },
    cutCount: () => cutCount,
  };
}

let beats = 0;
const countedClock: Clock = {
  ...realClock,
  after: (ms, fn, isBackground) => {
    beats += 1;
    return realClock.after(ms, fn, isBackground);
  },
};

async function member(memberId: string, got: string[], lost: string[]): Promise<PeerTransportHandle> {
  const handle = await openPeerTransport({
    memberId, clusterKey: 'c.1', listen: { host: '127.0.0.1', port: 0 }, security: null, clock: countedClock, log: silentLog, pulseMs: 50,
    onFrame: (_from, frame) => void got.push(Buffer.from(frame).toString()), onLost: (one) => void lost.push(one),
  });
  closers.push(() => handle.close());
  return handle;
}

async function sending(from: PeerTransportHandle, text: string, got: readonly string[]): Promise<void> {
  for (const deadline = performance.now() + 10_000; !got.includes(text); ) {
    if (performance.now() > deadline) throw new Error(`${text} did not arrive`);
    from.send('b', 'beat', Buffer.from(text));
    await realClock.sleep(5);
  }
}

test('a connection that a cut left open and silent is ended, told, and made anew', async () => {
  const [got, lost]: [string[], string[]] = [[], []];
  const b = await member('b', got, []);
  const wire = await wireTo(b.port);
  const a = await member('a', [], lost);
  a.setPeers(new Map([['b', `127.0.0.1:${wire.port}`]]));
  await sending(a, 'before', got);
  expect(lost).toEqual([]);
  wire.cut();
  expect(wire.cutCount()).toBeGreaterThan(0);
  await sending(a, 'after', got);
  expect(lost).toContain('b');
});

test('one that says nothing of its own is kept as long as the other end answers', async () => {
  const [got, lost]: [string[], string[]] = [[], []];
  beats = 0;
  const b = await member('b', got, []);
  const a = await member('a', [], lost);
  a.setPeers(new Map([['b', `127.0.0.1:${b.port}`]]));
  await sending(a, 'before', got);
  // Many more beats than a silent connection has.
  await vi.waitFor(() => expect(beats).toBeGreaterThan(60), { timeout: 10_000 });
  expect(lost).toEqual([]);
  a.send('b', 'beat', Buffer.from('after'));
  for (let waitedMs = 0; !got.includes('after') && waitedMs < 5000; waitedMs += 5) await realClock.sleep(5);
  expect(got).toContain('after');
});
