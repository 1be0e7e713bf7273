import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { encode, decode, streamEncode, streamDecode } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Net } from '../../../src/net/net.ts';
import { attachment, endpoint, network, openLab, stateOf } from './lab.ts';
import type { Lab, Order, Peer } from './lab.ts';

let lab: Lab;
let net: Net;
const peers: Record<string, Peer> = {};
const at = (name: string): Peer => peers[name] ?? expect.unreachable(name);
const asked: string[] = [];

const networks = [network('front', 1, { subnet6: 'fd77:1::/64', gateway6: 'fd77:1::1' }), network('back', 2), network('inside', 3, { isInternal: true })];
const named = (networkId: string, ip: string, name: string, more: object = {}): ReturnType<typeof attachment> => attachment(networkId, ip, { names: ['web', 'tasks.web', name], reverseName: `${name}.${networkId}`, ...more });
const endpoints = [
  endpoint('a', [named('front', '10.77.1.2', 'web-1', { ip6: 'fd77:1::2' })]),
  endpoint('b', [named('front', '10.77.1.3', 'web-2')]),
  endpoint('c', [attachment('back', '10.77.2.2', { names: ['db'], reverseName: 'db-1.back' })]),
  endpoint('i', [attachment('inside', '10.77.3.2', { names: ['quiet'], reverseName: 'quiet-1.inside' })]),
];

beforeAll(async () => {
  lab = openLab();
  await lab.neighbour();
  net = lab.newNet();
  for (const one of endpoints) peers[one.id] = await lab.peer((await net.createNamespace(one.id)).path);
  peers['host'] = await lab.peer();
  await net.apply(stateOf(networks, endpoints));
  // The host's resolver, on its loopback: an independent implementation of the format.
  const answer = (query: Buffer): Buffer => {
    const message = decode(query);
    const question = message.questions?.[0];
    asked.push(question?.name ?? '');
    const count = question?.name.startsWith('big') === true ? 200 : 1;
    return encode({ type: 'response', id: message.id ?? 0, flags: 0x180, questions: message.questions ?? [], answers: Array.from({ length: count }, (_, i) => ({ type: 'A', name: question?.name ?? '', ttl: 9, data: `203.0.${i >> 8}.${i & 255}` })) });
  };
  const udp = createSocket('udp4');
  udp.on('message', (query, from) => {
    const whole = answer(query);
    const cut = encode({ type: 'response', id: decode(query).id ?? 0, flags: 0x380, questions: decode(query).questions ?? [] });
    udp.send(whole.length > 512 ? cut : whole, from.port, from.address);
  });
  await new Promise<void>((resolve) => udp.bind(53, '127.0.0.1', resolve));
  const tcp = createServer((socket) => socket.on('data', (bytes) => {
    const message = streamDecode(bytes);
    socket.write(streamEncode(decode(answer(encode(message)))));
  }));
  await new Promise<void>((resolve) => tcp.listen(53, '127.0.0.1', resolve));
});
afterAll(async () => {
  await net.purge();
  await lab.clean();
});

type Type = Extract<Order, { op: 'names' }>['type'];
const ask = (who: string, name: string, type: Type = 'A', server = who === 'c' ? '10.77.2.1' : who === 'i' ? '10.77.3.1' : '10.77.1.1'): Promise<string> => at(who).do({ op: 'names', server, name, type, timeoutMs: 600 });

describe('names', () => {
  test.for([
    ['a', 'web-2', 'A', '["10.77.1.3"]'],
    ['a', 'WEB-2', 'A', '["10.77.1.3"]'],
    ['a', 'web-2.front', 'A', '["10.77.1.3"]'],
    ['b', 'web-1', 'AAAA', '["fd77:1::2"]'],
    ['a', 'web-2', 'AAAA', 'ENODATA'],
    ['a', 'web-2', 'TXT', 'ENODATA'],
    ['a', 'db', 'A', 'ENOTFOUND'],
    ['c', 'web', 'A', 'ENOTFOUND'],
    ['c', 'db', 'A', '["10.77.2.2"]'],
    ['a', '10.77.1.3', 'PTR', '["web-2.front"]'],
    ['a', 'fd77:1::2', 'PTR', '["web-1.front"]'],
    ['a', '10.77.1.99', 'PTR', 'ENOTFOUND'],
  ] as const)('%s asks %s %s', async ([who, name, type, answer]) => {
    expect(await ask(who, name, type)).toBe(answer);
  });

  test('a shared name has all its holders, in turn', async () => {
    const first = new Set<string>();
    for (let i = 0; i < 4; i += 1) {
      const ips: string[] = JSON.parse(await ask('a', 'tasks.web'));
      expect([...ips].sort()).toEqual(['10.77.1.2', '10.77.1.3']);
      first.add(ips[0] ?? '');
    }
    expect(first.size).toBe(2);
  });

  test('who is out of rotation loses the shared names, and keeps its own', async () => {
    await net.apply(stateOf(networks, endpoints.map((one) => (one.id === 'b' ? endpoint('b', [named('front', '10.77.1.3', 'web-2', { isInRotation: false })]) : one))));
    expect(await ask('a', 'web')).toBe('["10.77.1.2"]');
    expect(await ask('a', 'web-2')).toBe('["10.77.1.3"]');
    await net.apply(stateOf(networks, endpoints));
  });

  test('are served by IPv6 too', async () => {
    expect(await ask('a', 'web-2', 'A', '[fd77:1::1]')).toBe('["10.77.1.3"]');
  });
});

describe('what no network knows', () => {
  test('is asked of the resolvers of the host, its loopback ones included', async () => {
    expect(await ask('a', 'www.example.org')).toBe('["203.0.0.0"]');
    expect(asked).toContain('www.example.org');
  });

  test('comes whole by TCP when it is too long for UDP', async () => {
    expect(JSON.parse(await ask('a', 'big.example.org'))).toHaveLength(200);
  });

  test('stays in the house when it has one label, and when the asker is on internal networks only', async () => {
    expect(await ask('a', 'printer')).toBe('ENOTFOUND');
    expect(await ask('i', 'leak.example.org')).toBe('ESERVFAIL');
    expect(asked).not.toContain('printer');
    expect(asked).not.toContain('leak.example.org');
  });

  test('is asked of the servers of the container where it names some', async () => {
    await at('c').do({ op: 'listenUdp', host: '0.0.0.0', port: 53, text: 'no dns' });
    await net.apply(stateOf(networks, endpoints.map((one) => (one.id === 'a' ? { ...one, dnsServers: ['10.77.2.2', '127.0.0.1'] } : one))));
    expect(await at('a').do({ op: 'names', server: '10.77.1.1', name: 'www.example.net', type: 'A', timeoutMs: 4000 })).toBe('["203.0.0.0"]');
    await net.apply(stateOf(networks, endpoints));
  });
});

test('only containers of ours are answered', async () => {
  expect(await at('host').do({ op: 'names', server: '10.77.1.1', name: 'web', type: 'A', timeoutMs: 300 })).toBe('ETIMEOUT');
});
