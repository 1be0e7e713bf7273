import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Net } from '../../../src/net/net.ts';
import { attachment, endpoint, network, openLab, stateOf } from './lab.ts';
import type { Lab, Peer } from './lab.ts';

let lab: Lab;
let net: Net;
let neighbourPath = '';
const peers: Record<string, Peer> = {};
const at = (name: string): Peer => peers[name] ?? expect.unreachable(name);

// a, b in `front`; c in `back`; ab in both; i, i2 in the internal network `inside`, ai in front and inside.
const networks = [network('front', 1), network('back', 2), network('inside', 3, { isInternal: true })];
const endpoints = [
  endpoint('a', [attachment('front', '10.77.1.2')]),
  endpoint('b', [attachment('front', '10.77.1.3')]),
  endpoint('c', [attachment('back', '10.77.2.2')]),
  endpoint('ab', [attachment('front', '10.77.1.4'), attachment('back', '10.77.2.4', { interfaceName: 'eth1', isDefaultRoute: false })]),
  endpoint('i', [attachment('inside', '10.77.3.2')]),
  endpoint('i2', [attachment('inside', '10.77.3.3')]),
];
const ports = [
  { hostIp: '0.0.0.0', hostPort: 8080, protocol: 'tcp' as const, targets: [{ ip: '10.77.1.2', port: 80 }] },
  { hostIp: '127.0.0.1', hostPort: 8081, protocol: 'tcp' as const, targets: [{ ip: '10.77.1.3', port: 80 }] },
  { hostIp: '0.0.0.0', hostPort: 8082, protocol: 'tcp' as const, targets: [{ ip: '10.77.2.4', port: 80 }] },
];

beforeAll(async () => {
  lab = openLab();
  neighbourPath = (await lab.neighbour()).path;
  net = lab.newNet();
  for (const one of endpoints) {
    const { path } = await net.createNamespace(one.id);
    peers[one.id] = await lab.peer(path);
  }
  peers['host'] = await lab.peer();
  peers['world'] = await lab.peer(neighbourPath);
  await net.apply(stateOf(networks, endpoints, ports));
  for (const one of endpoints) {
    await at(one.id).do({ op: 'listenTcp', host: '0.0.0.0', port: 80, text: one.id });
    await at(one.id).do({ op: 'listenUdp', host: '0.0.0.0', port: 81, text: one.id });
  }
  await at('world').do({ op: 'listenTcp', host: '::', port: 80, text: 'world' });
  await at('host').do({ op: 'listenTcp', host: '0.0.0.0', port: 9000, text: 'host' });
  await at('host').do({ op: 'listenTcp', host: '127.0.0.1', port: 9001, text: 'secret' });
});
afterAll(async () => {
  await net.purge();
  await lab.clean();
});

const tcp = (who: string, host: string, port = 80, more: { from?: string } = {}): Promise<string> => at(who).do({ op: 'tcp', host, port, ...more });

/** Counts packets to the loopback that reach the host by a wire: a probe that never left would prove nothing. */
function spyOnArrivals(): () => number {
  lab.run('nft delete table inet arrivals 2>/dev/null || true; nft add table inet arrivals; nft add chain inet arrivals in "{ type filter hook prerouting priority -400; }"; nft add rule inet arrivals in iifname != lo ip daddr 127.0.0.1 counter');
  return () => Number(/packets (\d+)/.exec(lab.run('nft list table inet arrivals'))?.[1]);
}

describe('between containers', () => {
  test.for([
    ['a', '10.77.1.3', 'b to 10.77.1.2'],
    ['ab', '10.77.1.2', 'a to 10.77.1.4'],
    ['ab', '10.77.2.2', 'c to 10.77.2.4'],
    ['c', '10.77.2.4', 'ab to 10.77.2.2'],
    ['i', '10.77.3.3', 'i2 to 10.77.3.2'],
  ])('%s reaches %s, and is seen by its own address', async ([who, host, answer]) => {
    expect(await tcp(who ?? '', host ?? '')).toBe(answer);
  });

  test('UDP goes the same ways', async () => {
    expect(await at('a').do({ op: 'udp', host: '10.77.1.3', port: 81 })).toBe('b to 10.77.1.2');
    expect(await at('a').do({ op: 'udp', host: '10.77.2.2', port: 81 })).not.toMatch(/ to /);
  });

  test.for([['a', '10.77.2.2'], ['c', '10.77.1.2'], ['a', '10.77.2.4'], ['a', '10.77.3.2']])('without a network in common, %s is refused at once by %s', async ([who, host]) => {
    expect(await tcp(who ?? '', host ?? '')).toBe('ECONNREFUSED');
  });

  test('an address of a subnet that nobody has is unreachable at once', async () => {
    expect(await tcp('a', '10.77.1.99')).toMatch(/EHOSTUNREACH/);
  });

  test('an internal network has no way out and no way to the others', async () => {
    expect(await tcp('i', '192.0.2.9')).toBe('ENETUNREACH');
    lab.run('ip route add default via 10.77.3.1 dev eth0 onlink', `${lab.runRoot}/netns/i`);
    expect(await tcp('i', '192.0.2.9')).toBe('ECONNREFUSED');
    expect(await tcp('i', '10.77.1.2')).toBe('ECONNREFUSED');
    expect(await tcp('i', '10.77.3.1', 8080)).not.toMatch(/ to /);
    expect(await tcp('i', '192.0.2.1', 9000)).not.toMatch(/ to /);
    expect(await tcp('i', '10.77.3.1', 9000)).toBe('host to 10.77.3.2');
  });
});

describe('a container that lies', () => {
  test('sends nothing under an address that is not its own, be it a neighbour\'s or one of the outside', async () => {
    for (const ip of ['10.77.1.3', '10.77.2.2', '198.51.100.7']) {
      lab.run(`ip addr add ${ip}/32 dev eth0`, `${lab.runRoot}/netns/a`);
      expect(await tcp('a', '10.77.1.4', 80, { from: ip })).toBe('ETIMEDOUT');
      expect(await tcp('a', '192.0.2.9', 80, { from: ip })).toBe('ETIMEDOUT');
      lab.run(`ip addr del ${ip}/32 dev eth0`, `${lab.runRoot}/netns/a`);
    }
  });

  test('does not get at the loopback of the host', async () => {
    lab.run('sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via 10.77.1.1 dev eth0 onlink', `${lab.runRoot}/netns/b`);
    const arrived = spyOnArrivals();
    expect(await tcp('b', '127.0.0.1', 9001, { from: '10.77.1.3' })).toBe('ETIMEDOUT');
    expect(arrived()).toBeGreaterThan(0);
  });
});

describe('the host', () => {
  test('tells which subnets are taken: its own, those of another instance, its resolver, and none of ours', async () => {
    const other = lab.newNet('other');
    expect(await net.hostSubnets()).toEqual(['127.0.0.1/32', '192.0.2.0/24', '2001:db8::/64']);
    const ofOther = await other.hostSubnets();
    expect(ofOther).toEqual(expect.arrayContaining(['10.77.1.0/24', '10.77.2.0/24', '10.77.3.0/24', '192.0.2.0/24']));
    // The networks, not each container in them.
    expect(ofOther.filter((one) => one.startsWith('10.77.1.'))).toEqual(['10.77.1.0/24']);
    await other.close();
  });

  test('reaches every container, those of internal networks too', async () => {
    expect(await tcp('host', '10.77.1.2')).toMatch(/^a to /);
    expect(await tcp('host', '10.77.3.2')).toMatch(/^i to /);
  });

  test('has services that containers reach by the gateway and by its other addresses', async () => {
    expect(await tcp('a', '10.77.1.1', 9000)).toBe('host to 10.77.1.2');
    expect(await tcp('a', '192.0.2.1', 9000)).toBe('host to 10.77.1.2');
  });

  test('reaches published ports by loopback, by its own address, and by a gateway', async () => {
    expect(await tcp('host', '127.0.0.1', 8080)).toBe('a to 10.77.1.1');
    expect(await tcp('host', '127.0.0.1', 8081)).toBe('b to 10.77.1.1');
    expect(await tcp('host', '192.0.2.1', 8080)).toMatch(/^a to /);
    expect(await tcp('host', '10.77.1.1', 8080)).toMatch(/^a to /);
    expect(await tcp('host', '192.0.2.1', 8081)).toBe('ECONNREFUSED');
  });
});

describe('the world', () => {
  test('is reached under the address of the host', async () => {
    expect(await tcp('a', '192.0.2.9')).toBe('world to 192.0.2.1');
    expect(await at('ab').do({ op: 'tcp', host: '192.0.2.9', port: 80 })).toBe('world to 192.0.2.1');
  });

  test('reaches published ports, and is seen by its own address', async () => {
    expect(await tcp('world', '192.0.2.1', 8080)).toBe('a to 192.0.2.9');
  });

  test('is answered by the interface that it came in by, also where that is not the default', async () => {
    expect(await tcp('world', '192.0.2.1', 8082)).toBe('ab to 192.0.2.9');
  });

  // P7: a neighbour that routes to our subnets, or to our loopback.
  test.for([
    ['10.77.1.2', 80, 'a published container by its own address'],
    ['10.77.1.3', 80, 'an unpublished container'],
    ['10.77.3.2', 80, 'a container of an internal network'],
    ['10.77.1.1', 9000, null],
    ['127.0.0.1', 8081, 'a port published on the loopback'],
    ['127.0.0.1', 9001, 'a service on the loopback'],
  ] as const)('a neighbour that routes to %s port %i', async ([host, port, refused]) => {
    lab.run(`ip route replace 10.77.0.0/16 via 192.0.2.1`, neighbourPath);
    const isLoopback = host.startsWith('127.');
    if (isLoopback) lab.run('sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr flush dev lo; ip route replace 127.0.0.1/32 via 192.0.2.1', neighbourPath);
    const arrived = spyOnArrivals();
    const answer = await tcp('world', host, port, isLoopback ? { from: '192.0.2.9' } : {});
    if (isLoopback) expect(arrived()).toBeGreaterThan(0);
    if (refused === null) expect(answer).toMatch(/^host to/);
    else expect(answer).not.toMatch(/ to /);
  });

  test('the host stays no router between its other links, though forwarding is on', async () => {
    const far = await lab.peer(neighbourPath);
    lab.run('ip link add lan0 type dummy 2>/dev/null || ip link add lan0 type veth peer name lan1; ip addr add 203.0.113.1/24 dev lan0; ip link set lan0 up; ip link set lan1 up || true');
    lab.run('ip route replace 203.0.113.0/24 via 192.0.2.1', neighbourPath);
    lab.run('ip neigh replace 203.0.113.7 lladdr 02:00:00:00:00:07 dev lan0; nft add table inet spy; nft add chain inet spy out "{ type filter hook postrouting priority 0; }"; nft add rule inet spy out ip daddr 203.0.113.7 counter');
    expect(lab.run('cat /proc/sys/net/ipv4/ip_forward').trim()).toBe('1');
    await far.do({ op: 'udp', host: '203.0.113.7', port: 9, timeoutMs: 200 });
    expect(lab.run('nft list table inet spy')).toMatch(/packets 0 /);
  });

  test('rules of the host are obeyed', async () => {
    lab.run('nft add table inet wall; nft add chain inet wall forward "{ type filter hook forward priority 10; }"; nft add rule inet wall forward ip saddr 192.0.2.9 drop');
    expect(await tcp('world', '192.0.2.1', 8080)).toBe('ETIMEDOUT');
    lab.run('nft delete table inet wall');
    expect(await tcp('world', '192.0.2.1', 8080)).toBe('a to 192.0.2.9');
  });
});
