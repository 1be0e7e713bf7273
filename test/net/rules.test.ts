import { describe, expect, test } from 'vitest';
import type { NodeNetworkState } from '../../src/model/node-network.ts';
import { checkState } from '../../src/net/checked-state.ts';
import { buildElements, encodeElement, formatElement } from '../../src/net/element-rules.ts';
import { elementKey } from '../../src/net/filter.ts';
import { buildFilterTable, targetSlots } from '../../src/net/filter-rules.ts';
import { hostLinkName, kernelNames } from '../../src/net/link-names.ts';
import { buildGateways, buildLinks, buildRoutes, endpointOfAlias } from '../../src/net/link-rules.ts';
import { staleFlows } from '../../src/net/stale-flows.ts';

const names = kernelNames('golden');

const state: NodeNetworkState = {
  networks: [
    { id: 'n1', name: 'front', subnet: '10.201.1.0/24', gateway: '10.201.1.1', subnet6: 'fd00:1::/64', gateway6: 'fd00:1::1', isInternal: false, mtu: 1400 },
    { id: 'n2', name: 'back', subnet: '10.201.2.0/24', gateway: '10.201.2.1', subnet6: null, gateway6: null, isInternal: true, mtu: null },
  ],
  endpoints: [
    {
      id: 'web',
      dnsServers: [],
      attachments: [
        { networkId: 'n1', interfaceName: 'eth0', ip: '10.201.1.2', ip6: 'fd00:1::2', mac: null, isDefaultRoute: true, names: ['web'], isInRotation: true, reverseName: 'web-1.front' },
        { networkId: 'n2', interfaceName: 'eth1', ip: '10.201.2.2', ip6: null, mac: '02:00:00:00:00:07', isDefaultRoute: false, names: ['web'], isInRotation: true, reverseName: 'web-1.back' },
      ],
    },
  ],
  publishedPorts: [
    { hostIp: '0.0.0.0', hostPort: 80, protocol: 'tcp', targets: [{ ip: '10.201.1.2', port: 8080 }] },
    { hostIp: '::', hostPort: 80, protocol: 'tcp', targets: [{ ip: '10.201.1.2', port: 8080 }, { ip: 'fd00:1::2', port: 8080 }] },
    { hostIp: '127.0.0.1', hostPort: 53, protocol: 'udp', targets: [{ ip: '10.201.1.2', port: 5353 }] },
    { hostIp: '0.0.0.0', hostPort: 81, protocol: 'tcp', targets: [] },
  ],
};

describe('the rules', () => {
  test('of an instance are these, whatever runs', async () => {
    await expect(buildFilterTable(names)).toMatchFileSnapshot('golden/filter-table.nft');
  });

  test('a state is these elements', async () => {
    await expect(`${buildElements(checkState(state), names, [4]).map((one) => formatElement(one, names.table)).join('\n')}\n`).toMatchFileSnapshot('golden/elements.nft');
  });

  test('elements have one key each, also over all targets', () => {
    const many = { ...state, publishedPorts: [{ hostIp: '0.0.0.0', hostPort: 80, protocol: 'tcp' as const, targets: Array.from({ length: 7 }, (_, i) => ({ ip: `10.201.1.${i + 2}`, port: 80 })) }] };
    const keys = buildElements(checkState(many), names).map(encodeElement).map(elementKey);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test.for([2, 3, 7, 60, 240])('%i targets have equal shares, or shares that differ by one slot', (count) => {
    const targets = Array.from({ length: count }, (_, i) => ({ ip: `10.201.1.${(i % 250) + 2}`, port: 1000 + i }));
    const elements = buildElements(checkState({ ...state, publishedPorts: [{ hostIp: '0.0.0.0', hostPort: 80, protocol: 'tcp', targets }] }), names).filter((one) => one.set === 'port_many4');
    expect(elements).toHaveLength(targetSlots);
    const shares = new Map<string, number>();
    for (const one of elements) shares.set(JSON.stringify(one.data, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)), (shares.get(JSON.stringify(one.data, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))) ?? 0) + 1);
    expect(shares.size).toBe(count);
    expect(Math.max(...shares.values()) - Math.min(...shares.values())).toBeLessThanOrEqual(1);
  });
});

describe('links', () => {
  test('of a container, and the routes to them', async () => {
    const checked = checkState(state);
    const links = buildLinks(checked, names);
    const text = JSON.stringify({ links, routes: buildRoutes(checked, links, names).map((one) => one.key), gateways: buildGateways(checked).length }, (_, value: unknown) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value), 2);
    await expect(`${text}\n`).toMatchFileSnapshot('golden/links.json');
  });

  test('have names of at most 15 characters that are their own, also between instances', () => {
    const seen = new Set<string>();
    for (const instance of ['a', 'b']) {
      for (let i = 0; i < 5000; i += 1) {
        const name = hostLinkName(kernelNames(instance), `endpoint-${i}`, 'eth0');
        expect(name).toMatch(/^fl[0-9a-z]{12}$/);
        seen.add(name);
      }
    }
    expect(seen.size).toBe(10_000);
    expect(kernelNames('a').gatewayLink.length).toBeLessThanOrEqual(15);
  });

  test('an alias gives back its endpoint, and what others write gives none', () => {
    const [link] = buildLinks(checkState(state), names);
    expect(endpointOfAlias(link?.alias ?? '')).toBe('web');
    expect(endpointOfAlias('uplink to the lab')).toBeNull();
  });

  test('a change of anything that a link is made of changes its alias, a change of names does not', () => {
    const aliasOf = (change: (one: NodeNetworkState['endpoints'][number]['attachments'][number]) => object): string | undefined =>
      buildLinks(checkState({ ...state, endpoints: state.endpoints.map((e) => ({ ...e, attachments: e.attachments.map((a, i) => (i === 0 ? { ...a, ...change(a) } : a)) })) }), names)[0]?.alias;
    const same = aliasOf(() => ({}));
    expect(aliasOf(() => ({ names: ['other'], isInRotation: false, reverseName: 'x.front' }))).toBe(same);
    for (const change of [{ ip: '10.201.1.9' }, { ip6: null }, { mac: '02:00:00:00:00:09' }, { isDefaultRoute: false }]) expect(aliasOf(() => change)).not.toBe(same);
  });
});

describe('a state that can not be', () => {
  const network = state.networks[0];
  const endpoint = state.endpoints[0];
  const first = endpoint?.attachments[0];
  if (network === undefined || endpoint === undefined || first === undefined) throw new Error('no state');
  const withAttachment = (change: object): NodeNetworkState => ({ ...state, endpoints: [{ ...endpoint, attachments: [{ ...first, ...change }] }] });
  test.for<[string, NodeNetworkState, RegExp]>([
    ['a gateway outside of its subnet', { ...state, networks: [{ ...network, gateway: '10.9.9.9' }], endpoints: [] }, /front: its gateway 10\.9\.9\.9/],
    ['a subnet that is none', { ...state, networks: [{ ...network, subnet: 'all' }], endpoints: [] }, /"all" is no IPv4 subnet/],
    ['an IPv6 subnet without a gateway', { ...state, networks: [{ ...network, gateway6: null }], endpoints: [] }, /needs a gateway/],
    ['an address outside of the network', withAttachment({ ip: '10.9.9.9' }), /10\.9\.9\.9 is not in the subnet/],
    ['an address twice', { ...state, endpoints: [endpoint, { ...endpoint, id: 'other' }] }, /address 10\.201\.1\.2 is given twice/],
    ['the address of the gateway', withAttachment({ ip: '10.201.1.1' }), /address 10\.201\.1\.1 is given twice/],
    ['an interface called lo', withAttachment({ interfaceName: 'lo' }), /"lo" is no name/],
    ['an interface with a space', withAttachment({ interfaceName: 'eth 0' }), /is no name/],
    ['a hardware address of a group', withAttachment({ mac: '01:00:00:00:00:01' }), /no hardware address/],
    ['two default routes', { ...state, endpoints: [{ ...endpoint, attachments: endpoint.attachments.map((one) => ({ ...one, isDefaultRoute: true })) }] }, /two default routes/],
    ['a port above the last', { ...state, publishedPorts: [{ hostIp: '0.0.0.0', hostPort: 65536, protocol: 'tcp', targets: [] }] }, /65536/],
    ['a port twice', { ...state, publishedPorts: [...state.publishedPorts, { hostIp: '0.0.0.0', hostPort: 81, protocol: 'tcp', targets: [] }] }, /tcp 0\.0\.0\.0:81 is given twice/],
  ])('%s is refused', ([, bad, words]) => {
    expect(() => checkState(bad)).toThrow(words);
    expect(() => checkState(bad)).toThrow(expect.objectContaining({ code: 'NET_BAD_STATE' }));
  });
});

test('a change of a UDP port makes its flows stale, and no others', () => {
  const elements = buildElements(checkState(state), names).map(encodeElement);
  const isStale = staleFlows(elements);
  const flow = (protocol: number, targetPort: number): Parameters<NonNullable<typeof isStale>>[0] => {
    const tuple = { source: Buffer.of(1, 1, 1, 1), target: Buffer.of(127, 0, 0, 1), protocol, sourcePort: 9, targetPort };
    return { original: tuple, reply: tuple, raw: { family: 2, original: Buffer.alloc(0), id: undefined } };
  };
  expect([flow(17, 53), flow(6, 53), flow(17, 80), flow(6, 80)].map((one) => isStale?.(one))).toEqual([true, false, false, false]);
  expect(staleFlows(elements.filter((one) => one.set.startsWith('sources') || one.set === 'port4'))).toBeNull();
});
