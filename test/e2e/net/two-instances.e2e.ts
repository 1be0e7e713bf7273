import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NodeNetworkState } from '../../../src/model/node-network.ts';
import type { Net } from '../../../src/net/net.ts';
import { attachment, endpoint, network, openLab, stateOf } from './lab.ts';
import type { Lab } from './lab.ts';

// Two daemons with data directories of their own on one host whose forwarding was off.
let lab: Lab;
let neighbourPath = '';
beforeAll(async () => {
  lab = openLab();
  neighbourPath = (await lab.neighbour()).path;
  lab.run('ip link add lan0 type veth peer name lan1; ip addr add 203.0.113.1/24 dev lan0; ip link set lan0 up; ip link set lan1 up; ip neigh replace 203.0.113.7 lladdr 02:00:00:00:00:07 dev lan0');
  lab.run('ip route replace 203.0.113.0/24 via 192.0.2.1', neighbourPath);
});
afterAll(() => lab.clean());
beforeEach(() => {
  lab.run('nft flush ruleset; sysctl -qw net.ipv4.ip_forward=0');
  lab.run('nft add table inet spy; nft add chain inet spy out "{ type filter hook postrouting priority 0; }"; nft add rule inet spy out ip daddr 203.0.113.7 counter');
});

function stateWith(number: number): NodeNetworkState {
  return stateOf([network(`n${number}`, number)], [endpoint(`e${number}`, [attachment(`n${number}`, `10.77.${number}.2`)])]);
}

async function opened(name: string, number: number): Promise<Net> {
  const net = lab.newNet(name, `run-${name}`);
  await net.createNamespace(`e${number}`);
  await net.apply(stateWith(number));
  return net;
}

function forwards(): string {
  return lab.run('cat /proc/sys/net/ipv4/ip_forward').trim();
}

/** Whether a stranger's packet goes through this host from one of its links to another. */
async function isRouter(): Promise<boolean> {
  const far = await lab.peer(neighbourPath);
  lab.run('nft reset counters table inet spy >/dev/null 2>&1; nft flush table inet spy; nft add rule inet spy out ip daddr 203.0.113.7 counter');
  await far.do({ op: 'udp', host: '203.0.113.7', port: 9, timeoutMs: 200 });
  await far.stop();
  return !/packets 0 /.test(lab.run('nft list table inet spy'));
}

async function canForward(net: Net, number: number): Promise<boolean> {
  // What is behind the wire is reached from a container only through the host.
  const inside = await lab.peer(`${lab.runRoot.replace(/run$/, `run-${number === 1 ? 'one' : 'two'}`)}/netns/e${number}`);
  const answer = await inside.do({ op: 'tcp', host: '192.0.2.9', port: 9, timeoutMs: 1000 });
  await inside.stop();
  await net.apply(stateWith(number));
  return answer === 'ECONNREFUSED';
}

describe('two instances on a host whose forwarding was off', () => {
  test.for([['the one that opened it', 'one'], ['the one that came later', 'two']] as const)('when %s goes, the host is no router, and the other\'s containers still reach out', async ([, first]) => {
    const nets = { one: await opened('one', 1), two: await opened('two', 2) };
    expect(await isRouter()).toBe(false);
    const rest = first === 'one' ? ({ name: 'two', number: 2 } as const) : ({ name: 'one', number: 1 } as const);
    await nets[first].purge();
    expect(forwards()).toBe('1');
    expect(await isRouter()).toBe(false);
    expect(await canForward(nets[rest.name], rest.number)).toBe(true);
    await nets[rest.name].purge();
    expect(forwards()).toBe('0');
    expect(lab.run('nft list tables').trim()).toBe('table inet spy');
  });

  test('an instance that needs no forwarding does not keep it on', async () => {
    const one = await opened('one', 1);
    const two = lab.newNet('two', 'run-two');
    await two.apply(stateOf([], []));
    await one.purge();
    expect(forwards()).toBe('0');
    await two.purge();
  });

  test('where the host forwarded before both, neither guards it nor switches it off', async () => {
    lab.run('sysctl -qw net.ipv4.ip_forward=1');
    const nets = [await opened('one', 1), await opened('two', 2)];
    expect(await isRouter()).toBe(true);
    for (const net of nets) await net.purge();
    expect(forwards()).toBe('1');
  });
});
