import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeNetworkState } from '../../../src/model/node-network.ts';
import type { Net } from '../../../src/net/net.ts';
import { attachment, endpoint, network, openLab, stateOf } from './lab.ts';
import type { Lab, Peer } from './lab.ts';

type Port = NodeNetworkState['publishedPorts'][number];
let lab: Lab;
let net: Net;
const peers: Record<string, Peer> = {};
const at = (name: string): Peer => peers[name] ?? expect.unreachable(name);
const networks = [network('front', 1, { subnet6: 'fd77:1::/64', gateway6: 'fd77:1::1' }), network('back', 2)];
const endpoints = [
  endpoint('a', [attachment('front', '10.77.1.2', { ip6: 'fd77:1::2' })]),
  endpoint('b', [attachment('front', '10.77.1.3', { ip6: 'fd77:1::3' })]),
  endpoint('c', [attachment('back', '10.77.2.2')]),
];
const publish = (ports: readonly Port[]): Promise<void> => net.apply(stateOf(networks, endpoints, ports));
const port = (hostIp: string, hostPort: number, targets: readonly string[], protocol: 'tcp' | 'udp' = 'tcp'): Port => ({ hostIp, hostPort, protocol, targets: targets.map((ip) => ({ ip, port: protocol === 'tcp' ? 80 : 81 })) });
const tcp = (who: string, host: string, number: number): Promise<string> => at(who).do({ op: 'tcp', host, port: number });

beforeAll(async () => {
  lab = openLab();
  const { path } = await lab.neighbour();
  net = lab.newNet();
  for (const one of endpoints) peers[one.id] = await lab.peer((await net.createNamespace(one.id)).path);
  peers['host'] = await lab.peer();
  peers['world'] = await lab.peer(path);
  await publish([]);
  for (const one of endpoints) {
    await at(one.id).do({ op: 'listenTcp', host: '::', port: 80, text: one.id });
    await at(one.id).do({ op: 'listenUdp', host: '0.0.0.0', port: 81, text: one.id });
  }
});
afterAll(async () => {
  await net.purge();
  await lab.clean();
});

describe('a published port', () => {
  test('answers on every address of the host, for the host, for the world, and for containers of any network, its own one too', async () => {
    await publish([port('0.0.0.0', 8080, ['10.77.1.2'])]);
    for (const [who, host] of [['host', '127.0.0.1'], ['host', '127.8.8.8'], ['host', '192.0.2.1'], ['world', '192.0.2.1'], ['b', '192.0.2.1'], ['b', '10.77.1.1'], ['c', '192.0.2.1'], ['c', '10.77.2.1'], ['a', '192.0.2.1']] as const) {
      expect([who, host, await tcp(who, host, 8080)]).toEqual([who, host, expect.stringMatching(/^a to /)]);
    }
  });

  test('does not take what is meant for other hosts', async () => {
    await publish([port('0.0.0.0', 8080, ['10.77.1.2'])]);
    await at('world').do({ op: 'listenTcp', host: '192.0.2.9', port: 8080, text: 'world' });
    expect(await tcp('b', '192.0.2.9', 8080)).toBe('world to 192.0.2.1');
  });

  test('on one address of the host answers there only', async () => {
    await publish([port('192.0.2.1', 8080, ['10.77.1.2'])]);
    expect(await tcp('world', '192.0.2.1', 8080)).toBe('a to 192.0.2.9');
    expect(await tcp('host', '127.0.0.1', 8080)).toBe('ECONNREFUSED');
    expect(await tcp('b', '10.77.1.1', 8080)).toBe('ECONNREFUSED');
  });

  test('with several targets reaches each of them', async () => {
    await publish([port('0.0.0.0', 8080, ['10.77.1.2', '10.77.1.3', '10.77.2.2'])]);
    const seen = new Map<string, number>();
    for (let i = 0; i < 90; i += 1) {
      const answer = (await tcp('world', '192.0.2.1', 8080)).slice(0, 1);
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual(['a', 'b', 'c']);
    expect(Math.min(...seen.values())).toBeGreaterThan(10);
  });

  test('without targets refuses at once, and comes back', async () => {
    await publish([port('0.0.0.0', 8080, []), port('0.0.0.0', 8053, [], 'udp')]);
    expect(await tcp('world', '192.0.2.1', 8080)).toBe('ECONNREFUSED');
    expect(await tcp('host', '127.0.0.1', 8080)).toBe('ECONNREFUSED');
    await publish([port('0.0.0.0', 8080, ['10.77.1.3'])]);
    expect(await tcp('world', '192.0.2.1', 8080)).toMatch(/^b/);
  });

  test('leads UDP, and when its target changes, the flow that is under way follows', async () => {
    await publish([port('0.0.0.0', 8053, ['10.77.1.2'], 'udp')]);
    const ask = (who: string): Promise<string> => at(who).do({ op: 'udp', host: '192.0.2.1', port: 8053, flow: 'one' });
    expect(await ask('world')).toBe('a to 192.0.2.9');
    expect(await at('host').do({ op: 'udp', host: '127.0.0.1', port: 8053 })).toBe('a to 10.77.1.1');
    await publish([port('0.0.0.0', 8053, ['10.77.1.3'], 'udp')]);
    expect(await ask('world')).toBe('b to 192.0.2.9');
  });
});

describe('IPv6', () => {
  test('containers talk, and reach the world', async () => {
    expect(await tcp('a', 'fd77:1::3', 80)).toBe('b to fd77:1::2');
    expect(await tcp('host', 'fd77:1::2', 80)).toMatch(/^a to /);
    await at('world').do({ op: 'listenTcp', host: '2001:db8::9', port: 80, text: 'world' });
    // The first packet may wait a second for the neighbour's address.
    expect(await at('a').do({ op: 'tcp', host: '2001:db8::9', port: 80, timeoutMs: 5000 })).toBe('world to 2001:db8::1');
  });

  test('a published port leads to IPv6 in the kernel, and from ::1 through the daemon', async () => {
    await publish([{ hostIp: '::', hostPort: 8080, protocol: 'tcp', targets: [{ ip: '10.77.1.2', port: 80 }, { ip: 'fd77:1::2', port: 80 }] }]);
    expect(await tcp('world', '2001:db8::1', 8080)).toBe('a to 2001:db8::9');
    expect(await tcp('host', '::1', 8080)).toMatch(/^a to /);
    expect(await tcp('host', '2001:db8::1', 8080)).toMatch(/^a to /);
  });

  test('leads to a container without IPv6 through the daemon', async () => {
    await publish([port('::', 8080, ['10.77.2.2'])]);
    expect(await tcp('world', '2001:db8::1', 8080)).toMatch(/^c to /);
  });

  test('a neighbour that routes to an IPv6 subnet reaches nothing', async () => {
    lab.run('ip -6 route replace fd77:1::/64 via 2001:db8::1', `${lab.runRoot}/../neighbour0`);
    expect(await tcp('world', 'fd77:1::2', 80)).not.toMatch(/ to /);
  });
});

describe('who holds a port', () => {
  test('no other program can take it while it is published, and it is free again afterwards', async () => {
    await publish([port('0.0.0.0', 8080, ['10.77.1.2']), port('0.0.0.0', 8053, ['10.77.1.2'], 'udp')]);
    expect(await at('host').do({ op: 'listenTcp', host: '0.0.0.0', port: 8080, text: 'thief' })).toMatch(/EADDRINUSE/);
    expect(await at('host').do({ op: 'listenUdp', host: '0.0.0.0', port: 8053, text: 'thief' })).toMatch(/EADDRINUSE/);
    await publish([]);
    expect(await at('host').do({ op: 'listenTcp', host: '0.0.0.0', port: 8080, text: 'free' })).toBe('listening');
  });

  test('a port of another program is refused with its name, before and at apply, and all else comes into force', async () => {
    const server = createServer().listen(8099, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const wanted = { code: 'NET_PORT_IN_USE', message: expect.stringMatching(new RegExp(`port 8099/tcp on 0.0.0.0 is in use by .*pid ${process.pid}`)) };
    await expect(net.checkPortsFree([{ hostIp: '0.0.0.0', port: 8099, protocol: 'tcp' }])).rejects.toMatchObject(wanted);
    await expect(publish([port('0.0.0.0', 8099, ['10.77.1.2']), port('0.0.0.0', 8100, ['10.77.1.2'])])).rejects.toMatchObject(wanted);
    expect(await tcp('world', '192.0.2.1', 8100)).toMatch(/^a/);
    expect(await tcp('world', '192.0.2.1', 8099)).not.toMatch(/^a/);
    await new Promise((resolve) => server.close(resolve));
    await net.checkPortsFree([{ hostIp: '0.0.0.0', port: 8099, protocol: 'tcp' }]);
    await publish([port('0.0.0.0', 8099, ['10.77.1.2'])]);
    expect(await tcp('world', '192.0.2.1', 8099)).toMatch(/^a/);
  });

  test('an address that the host does not have is named', async () => {
    await expect(net.checkPortsFree([{ hostIp: '198.51.100.1', port: 80, protocol: 'tcp' }])).rejects.toMatchObject({ code: 'NET_HOST_IP_MISSING', message: expect.stringContaining('198.51.100.1') });
  });
});
