import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Endpoint } from '../../../src/model/node-network.ts';
import type { Net } from '../../../src/net/net.ts';
import { openDescriptors } from '../leak-check.ts';
import { attachment, endpoint, network, openLab, stateOf } from './lab.ts';
import type { Lab } from './lab.ts';

// Bounds are wide, and on the time this process works (what the kernel does for it counts): they catch a wrong order of growth, not a busy machine.
let lab: Lab;
let net: Net;
const many = (count: number, from = 0): Endpoint[] =>
  Array.from({ length: count }, (_, i) => endpoint(`e${from + i}`, [attachment('wide', `10.78.${Math.floor((from + i) / 200)}.${((from + i) % 200) + 2}`, { names: [`e${from + i}`, 'all'] })]));
const wide = network('wide', 0, { subnet: '10.78.0.0/16', gateway: '10.78.255.1' });

beforeAll(() => {
  lab = openLab();
  net = lab.newNet('scale');
});
afterAll(() => lab.clean());

async function timed(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const spent = process.cpuUsage(before);
  return (spent.user + spent.system) / 1000;
}

test('200 endpoints, ten more, a thousand ports, and nothing left', async () => {
  const figures: Record<string, number> = {};
  figures['first apply'] = await timed(() => net.apply(stateOf([wide], [])));
  const first = many(200);
  figures['200 namespaces'] = await timed(async () => {
    for (const one of first) await net.createNamespace(one.id);
  });
  figures['200 endpoints'] = await timed(() => net.apply(stateOf([wide], first)));
  const more = many(10, 200);
  figures['10 namespaces'] = await timed(async () => {
    for (const one of more) await net.createNamespace(one.id);
  });
  figures['10 more endpoints'] = await timed(() => net.apply(stateOf([wide], [...first, ...more])));
  figures['the same again'] = await timed(() => net.apply(stateOf([wide], [...first, ...more])));
  const ports = Array.from({ length: 1000 }, (_, i) => ({ hostIp: '0.0.0.0', hostPort: 20_000 + i, protocol: 'tcp' as const, targets: [{ ip: '10.78.0.2', port: 80 }] }));
  figures['1000 ports'] = await timed(() => net.apply(stateOf([wide], [...first, ...more], ports)));
  const inside = await lab.peer(`${lab.runRoot}/netns/e0`);
  const client = await lab.peer(`${lab.runRoot}/netns/e209`);
  await inside.do({ op: 'listenTcp', host: '0.0.0.0', port: 80, text: 'e0' });
  const host = await lab.peer();
  expect(await host.do({ op: 'tcp', host: '127.0.0.1', port: 20_999 })).toMatch(/^e0 to /);
  expect(await client.do({ op: 'tcp', host: '10.78.0.2', port: 80 })).toBe('e0 to 10.78.1.11');
  expect(await client.do({ op: 'names', server: '10.78.255.1', name: 'e0', type: 'A' })).toBe('["10.78.0.2"]');
  expect(JSON.parse(await client.do({ op: 'names', server: '10.78.255.1', name: 'all', type: 'A' }))).toHaveLength(210);
  const rules = lab.run('nft list ruleset');
  await net.close();
  net = lab.newNet('scale');
  figures['adoption by another daemon'] = await timed(() => net.apply(stateOf([wide], [...first, ...more], ports)));
  expect(net.status().repairs).toBe(0);
  expect(lab.run('nft list ruleset')).toBe(rules);
  figures['removal of 10'] = await timed(() => Promise.all(more.map((one) => net.removeNamespace(one.id))));
  figures['purge'] = await timed(() => net.purge());
  console.log(Object.entries(figures).map(([name, ms]) => `${name}: ${ms.toFixed(1)} ms`).join('\n'));
  expect(figures['200 endpoints']).toBeLessThan(3000);
  expect(figures['10 more endpoints']).toBeLessThan(300);
  expect(figures['1000 ports']).toBeLessThan(3000);
  expect(lab.run('nft list ruleset').trim()).toBe('');
  expect(lab.run('ip -o link').trim().split('\n')).toHaveLength(1);
  expect(lab.run(`ls ${lab.runRoot}/netns`)).toBe('');
});

test('making and removing a hundred containers leaves no descriptor open', async () => {
  const own = lab.newNet('leak');
  const turn = async (): Promise<void> => {
    for (const one of many(5)) await own.createNamespace(one.id);
    await own.apply(stateOf([wide], many(5), [{ hostIp: '0.0.0.0', hostPort: 29_000, protocol: 'tcp', targets: [] }]));
    for (const one of many(5)) await own.removeNamespace(one.id);
    await own.apply(stateOf([], []));
  };
  await turn();
  const before = openDescriptors();
  for (let i = 0; i < 20; i += 1) await turn();
  const after = openDescriptors();
  expect(after.length, `before: ${before.join(', ')}; after: ${after.join(', ')}`).toBeLessThanOrEqual(before.length);
  await own.purge();
});
