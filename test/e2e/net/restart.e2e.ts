import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeNetworkState } from '../../../src/model/node-network.ts';
import { openDescriptors } from '../leak-check.ts';
import { attachment, endpoint, network, openLab, stateOf } from './lab.ts';
import type { Lab, Peer } from './lab.ts';

let lab: Lab;
let client: Peer;
let server: Peer;
let world: Peer;
const state: NodeNetworkState = stateOf(
  [network('front', 1)],
  [endpoint('client', [attachment('front', '10.77.1.2', { names: ['client'] })]), endpoint('server', [attachment('front', '10.77.1.3', { names: ['server'] })])],
  [{ hostIp: '0.0.0.0', hostPort: 8080, protocol: 'tcp', targets: [{ ip: '10.77.1.3', port: 80 }] }],
);

async function startDaemon(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'daemon-process.ts'), lab.runRoot, 'restart'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin?.write(`${JSON.stringify(state)}\n`);
  await once(child.stdout ?? expect.unreachable(), 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

beforeAll(async () => {
  lab = openLab();
  const { path } = await lab.neighbour();
  const first = await startDaemon();
  client = await lab.peer(`${lab.runRoot}/netns/client`);
  server = await lab.peer(`${lab.runRoot}/netns/server`);
  world = await lab.peer(path);
  await server.do({ op: 'listenTcp', host: '0.0.0.0', port: 80, text: 'server' });
  await kill(first);
});
afterAll(async () => {
  await lab.newNet('restart').purge();
  await lab.clean();
});

describe('while no daemon runs', () => {
  test('containers, published ports and the loopback go on', async () => {
    expect(await client.do({ op: 'tcp', host: '10.77.1.3', port: 80 })).toBe('server to 10.77.1.2');
    expect(await world.do({ op: 'tcp', host: '192.0.2.1', port: 8080 })).toBe('server to 192.0.2.9');
    const host = await lab.peer();
    expect(await host.do({ op: 'tcp', host: '127.0.0.1', port: 8080 })).toBe('server to 10.77.1.1');
  });

  test('a question is not refused but waits, and the next daemon answers it', async () => {
    expect(await client.do({ op: 'names', server: '10.77.1.1', name: 'server', type: 'A', timeoutMs: 300 })).toBe('ETIMEOUT');
    const question = client.do({ op: 'names', server: '10.77.1.1', name: 'server', type: 'A', timeoutMs: 500, tries: 8 });
    const daemon = await startDaemon();
    expect(await question).toBe('["10.77.1.3"]');
    await kill(daemon);
  });
});

test('kills and restarts during traffic lose no connection', async () => {
  const answers: string[] = [];
  let isOver = false;
  const traffic = (async () => {
    while (!isOver) answers.push(await world.do({ op: 'tcp', host: '192.0.2.1', port: 8080 }), await client.do({ op: 'tcp', host: '10.77.1.3', port: 80 }));
  })();
  for (let i = 0; i < 5; i += 1) await kill(await startDaemon());
  isOver = true;
  await traffic;
  expect(answers.length).toBeGreaterThan(50);
  expect([...new Set(answers)].sort()).toEqual(['server to 10.77.1.2', 'server to 192.0.2.9']);
});

test('killed at any moment of making and removing, the next daemon settles it', async () => {
  const more = Array.from({ length: 6 }, (_, i) => endpoint(`extra${i}`, [attachment('front', `10.77.1.${50 + i}`, { names: ['extra'] })]));
  const large = { ...state, endpoints: [...state.endpoints, ...more] };
  for (let i = 0; i < 12; i += 1) {
    const child = await startDaemon();
    for (let turn = 0; turn < 20; turn += 1) child.stdin?.write(`${JSON.stringify(turn % 2 === 0 ? large : state)}\n`);
    // Not a wait for anything: the moment of the kill moves through the work.
    await new Promise((resolve) => setTimeout(resolve, i * 9));
    await kill(child);
  }
  await kill(await startDaemon());
  const links = lab.run('ip -o link').split('\n').filter((line) => /: fl/.test(line));
  expect(links).toHaveLength(3);
  expect(lab.run(`ls ${lab.runRoot}/netns`)).toBe('client\nserver\n');
  expect(lab.run('nft list ruleset')).not.toMatch(/10\.77\.1\.5\d/);
  expect(lab.run('ip route').split('\n').filter((line) => /^10\.77\.1\.\d+ /.test(line))).toHaveLength(2);
  expect(await world.do({ op: 'tcp', host: '192.0.2.1', port: 8080 })).toBe('server to 192.0.2.9');
});

describe('what others change', () => {
  test('rules that were flushed come back by themselves, links and elements too', async () => {
    const net = lab.newNet('restart');
    await net.apply(state);
    expect(net.status().repairs).toBe(0);
    lab.run('nft flush ruleset');
    await expect.poll(() => net.status().repairs, { timeout: 8000 }).toBeGreaterThan(0);
    expect(await world.do({ op: 'tcp', host: '192.0.2.1', port: 8080 })).toBe('server to 192.0.2.9');
    const table = /table inet (flotilla_\w+)/.exec(lab.run('nft list tables'))?.[1] ?? '';
    const before = lab.run(`nft list table inet ${table}`);
    lab.run(`nft flush map inet ${table} port4; nft flush chain inet ${table} ports; ip route del 10.77.1.3`);
    await net.apply(state);
    expect(lab.run(`nft list table inet ${table}`)).toBe(before);
    expect(await world.do({ op: 'tcp', host: '192.0.2.1', port: 8080 })).toBe('server to 192.0.2.9');
    await net.close();
  });
});

test('a purge leaves nothing, and leaves what is not ours', async () => {
  lab.run('nft add table inet theirs; ip link add theirs type veth peer name theirs1');
  const before = openDescriptors();
  const net = lab.newNet('restart');
  await net.apply(state);
  const other = lab.newNet('another');
  await other.createNamespace('lonely');
  await net.purge();
  await other.purge();
  expect(lab.run('nft list tables').trim()).toBe('table inet theirs');
  expect(lab.run('ip -o link').split('\n').filter((line) => /: fl/.test(line))).toEqual([]);
  expect(lab.run('ip route show table all; ip -6 route show table all').split('\n').filter((line) => /10\.77\.1\./.test(line))).toEqual([]);
  expect(lab.run(`ls ${lab.runRoot}/netns`)).toBe('');
  expect(lab.run('cat /proc/sys/net/ipv4/ip_forward').trim()).toBe('0');
  expect(openDescriptors()).toHaveLength(before.length);
});
