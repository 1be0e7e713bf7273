import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Log } from '../../src/base/log.ts';
import { silentLog } from '../../src/base/log.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { type Certificates, certificatesIn } from './certificates.ts';
import { openPeerTransport, type PeerSecurity, type PeerTransportHandle } from '../../src/wire/peer-transport.ts';

// Mutual TLS between members, with certificates of openssl and real sockets. The member's id is the certificate's name.
let dir = '';
let certificates: Certificates;
const closers: (() => void)[] = [];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'peer-tls-'));
  certificates = certificatesIn(dir);
  for (const name of ['ca', 'other-ca']) certificates.authority(name);
  for (const name of ['m1', 'm2', 'm3']) certificates.member(name, { name, authority: 'ca' });
  certificates.member('expired', { name: 'm2', authority: 'ca', days: -1 });
  certificates.member('foreign', { name: 'm2', authority: 'other-ca' });
  certificates.member('elsewhere', { name: 'm2', authority: 'ca', ip: '127.0.0.9' });
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function security(file: string, authority: string = 'ca'): PeerSecurity {
  return certificates.security(file, authority);
}

type End = { readonly handle: PeerTransportHandle; readonly got: string[]; readonly lost: string[]; readonly refused: string[]; readonly address: string };

async function member(memberId: string, secured: PeerSecurity | null): Promise<End> {
  const [got, lost, refused]: [string[], string[], string[]] = [[], [], []];
  const log: Log = { ...silentLog, warn: (event, fields) => void (event === 'peer.refused' && refused.push(String(fields?.['from']))) };
  const handle = await openPeerTransport({
    memberId, clusterKey: 'c.1', listen: { host: '127.0.0.1', port: 0 }, security: secured, clock: realClock, log,
    onFrame: (from, frame) => void got.push(`${from}: ${Buffer.from(frame).toString()}`), onLost: (one) => void lost.push(one),
  });
  closers.push(() => handle.close());
  return { handle, got, lost, refused, address: `127.0.0.1:${handle.port}` };
}

/** Sends again and again, as heartbeats are, until something is true. */
async function sending(from: End, to: string, text: string, isDone: () => boolean, ms: number = 10_000): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!isDone()) {
    if (performance.now() > deadline) return false;
    from.handle.send(to, 'beat', Buffer.from(text));
    await realClock.sleep(10);
  }
  return true;
}

/** A moment in which two that may speak would have spoken: a third pair, set up after it, does. */
async function meanwhile(): Promise<void> {
  const [a, b] = [await member('m1', security('m1')), await member('m3', security('m3'))];
  a.handle.setPeers(new Map([['m3', b.address]]));
  expect(await sending(a, 'm3', 'witness', () => b.got.length > 3)).toBe(true);
}

describe('members with certificates of their cluster', () => {
  test('speak in both directions, on every lane', async () => {
    const [a, b] = [await member('m1', security('m1')), await member('m2', security('m2'))];
    a.handle.setPeers(new Map([['m2', b.address]]));
    b.handle.setPeers(new Map([['m1', a.address]]));
    expect(await sending(a, 'm2', 'hello', () => b.got.includes('m1: hello'))).toBe(true);
    expect(await sending(b, 'm1', 'welcome', () => a.got.includes('m2: welcome'))).toBe(true);
    const big = 'x'.repeat(200_000);
    while (!b.got.some((one) => one.endsWith(big))) {
      a.handle.send('m2', 'bulk', Buffer.from(big));
      await realClock.sleep(10);
    }
    expect([a.refused, b.refused, a.lost, b.lost]).toEqual([[], [], [], []]);
  });

  test('nothing of what they say is readable on the wire, and TLS before 1.2 is not spoken', async () => {
    const a = await member('m1', security('m1'));
    const { port } = a.handle;
    const plain = await new Promise<string>((resolve) => {
      const socket = connectTcp(port, '127.0.0.1', () => socket.write('GET /flotilla/peer HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n'));
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
    expect(plain).not.toContain('HTTP/1.1');
    const own = security('m2').client;
    const old = await new Promise<string>((resolve) => {
      const socket = connectTls({ ...own, host: '127.0.0.1', port, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }, () => resolve('connected'));
      socket.on('error', (error) => resolve(error.message));
    });
    expect(old).not.toBe('connected');
  });
});

describe('a member that can not prove who it is gets nothing through', () => {
  test.for([
    ['with a certificate of another authority', 'foreign', 'ca'],
    ['with an expired certificate', 'expired', 'ca'],
  ] as const)('%s', async ([, file, ca]) => {
    const [a, b] = [await member('m1', security('m1')), await member('m2', security(file, ca))];
    a.handle.setPeers(new Map([['m2', b.address]]));
    b.handle.setPeers(new Map([['m1', a.address]]));
    const spoken = (): boolean => a.got.length > 0 || b.got.length > 0;
    const [isHeard] = await Promise.all([sending(b, 'm1', 'let me in', spoken, 700), sending(a, 'm2', 'who is there', spoken, 700), meanwhile()]);
    expect(isHeard).toBe(false);
    expect([a.got, b.got]).toEqual([[], []]);
  });

  test('without any certificate', async () => {
    const a = await member('m1', security('m1'));
    const refused = await new Promise<string>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port: a.handle.port, ca: certificates.read('ca.pem') }, () => socket.write('GET /flotilla/peer HTTP/1.1\r\n\r\n'));
      socket.on('data', (chunk: Buffer) => resolve(`answered ${chunk.toString()}`));
      socket.on('error', (error) => resolve(error.message));
      socket.on('close', () => resolve('closed'));
    });
    expect(refused).not.toMatch(/^answered/);
  });

  test('under another name than its certificate\'s: a good certificate of m3 is not m2', async () => {
    const [a, liar] = [await member('m1', security('m1')), await member('m2', security('m3'))];
    liar.handle.setPeers(new Map([['m1', a.address]]));
    expect(await sending(liar, 'm1', 'I am m2', () => a.refused.length > 0)).toBe(true);
    expect(a.refused).toContain('m2');
    expect(a.got).toEqual([]);
  });

  test('where another member answers than the one that was dialled, nothing is told it', async () => {
    const [a, other] = [await member('m1', security('m1')), await member('m3', security('m3'))];
    a.handle.setPeers(new Map([['m2', other.address]]));
    await Promise.all([sending(a, 'm2', 'only for m2', () => other.got.length > 0, 700), meanwhile()]);
    expect(other.got).toEqual([]);
    // It was never a connection to m2, so none was lost.
    expect(a.lost).toEqual([]);
  });

  test('with a certificate for another address, where it is dialled', async () => {
    const [a, b] = [await member('m1', security('m1')), await member('m2', security('elsewhere'))];
    a.handle.setPeers(new Map([['m2', b.address]]));
    await Promise.all([sending(a, 'm2', 'hello', () => b.got.length > 0, 700), meanwhile()]);
    expect(b.got).toEqual([]);
  });
});

test('who is refused and resets the connection ends nobody but itself', async () => {
  const a = await member('m1', null);
  for (let count = 0; count < 20; count += 1) {
    await new Promise<void>((resolve) => {
      const socket = connectTcp(a.handle.port, '127.0.0.1', () => {
        socket.write('GET /flotilla/peer HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n', () => socket.resetAndDestroy());
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
    });
  }
  const b = await member('m2', null);
  b.handle.setPeers(new Map([['m1', a.address]]));
  expect(await sending(b, 'm1', 'still there', () => a.got.length > 0)).toBe(true);
});
