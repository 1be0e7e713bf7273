import { describe, expect, test } from 'vitest';
import type { NodeNetworkState } from '../../src/model/node-network.ts';
import type { Net } from '../../src/net/net.ts';

/** What every network promises, without packets: the same for the real one and the fake. */
export type ContractHost = {
  readonly newNet: () => Net;
  /** Another program takes a port of the host; the answer gives it back. */
  readonly takePort: (port: number) => Promise<() => Promise<void>>;
};

export const contractState: NodeNetworkState = {
  networks: [{ id: 'n', name: 'front', subnet: '10.99.0.0/24', gateway: '10.99.0.1', subnet6: null, gateway6: null, isInternal: false, mtu: null }],
  endpoints: [
    { id: 'e1', dnsServers: [], attachments: [{ networkId: 'n', interfaceName: 'eth0', ip: '10.99.0.2', ip6: null, mac: null, isDefaultRoute: true, names: ['web'], isInRotation: true, reverseName: 'web-1.front' }] },
  ],
  publishedPorts: [{ hostIp: '127.0.0.1', hostPort: 28080, protocol: 'tcp', targets: [{ ip: '10.99.0.2', port: 80 }] }],
};
const empty: NodeNetworkState = { networks: [], endpoints: [], publishedPorts: [] };

export function netContract(name: string, host: () => ContractHost): void {
  describe(`the contract of a network: ${name}`, () => {
    const withNet = async (run: (net: Net) => Promise<void>): Promise<void> => {
      const net = host().newNet();
      try {
        await run(net);
      } finally {
        await net.purge();
      }
    };

    test('a namespace is made once, listed, and removed once, however often one asks', () =>
      withNet(async (net) => {
        const { path, isNew } = await net.createNamespace('e1');
        expect(isNew).toBe(true);
        expect(await net.createNamespace('e1')).toEqual({ path, isNew: false });
        expect(path.endsWith('/e1')).toBe(true);
        await net.createNamespace('e0');
        expect(await net.listNamespaces()).toEqual(['e0', 'e1']);
        await net.removeNamespace('e1');
        await net.removeNamespace('e1');
        expect(await net.listNamespaces()).toEqual(['e0']);
      }));

    test.for(['', '.', '../up', 'a/b', 'a b', '-x'])('%j is no name for an endpoint', (id) =>
      withNet(async (net) => {
        await expect(net.createNamespace(id)).rejects.toMatchObject({ code: 'NET_BAD_STATE' });
        await expect(net.removeNamespace(id)).rejects.toMatchObject({ code: 'NET_BAD_STATE' });
      }));

    test('an endpoint without a namespace is left out, before it has one and after', () =>
      withNet(async (net) => {
        await net.apply(contractState);
        expect(await net.listNamespaces()).toEqual([]);
        await net.createNamespace('e1');
        await net.apply(contractState);
        await net.removeNamespace('e1');
        await net.apply(contractState);
        expect(await net.listNamespaces()).toEqual([]);
      }));

    test('namespaces come and go while states are applied', () =>
      withNet(async (net) => {
        for (let i = 0; i < 5; i += 1) {
          await net.createNamespace('e1');
          await Promise.all([net.apply(contractState), net.removeNamespace('e1'), net.apply(contractState)]);
          await Promise.all([net.createNamespace('e1'), net.apply(contractState), net.apply(empty)]);
        }
        expect(await net.listNamespaces()).toEqual(['e1']);
      }));

    test('equal states have equal hashes, others have others; there is none before the first', () =>
      withNet(async (net) => {
        expect(net.status().stateHash).toBe('');
        await net.apply(contractState);
        const { stateHash } = net.status();
        await net.apply(structuredClone(contractState));
        expect(net.status()).toEqual({ stateHash, repairs: 0 });
        await net.apply(empty);
        expect(net.status().stateHash).not.toBe(stateHash);
      }));

    test('states that are applied at once come into force in their order', () =>
      withNet(async (net) => {
        await Promise.all([net.apply(contractState), net.apply(empty), net.apply(contractState), net.apply(empty)]);
        const last = net.status().stateHash;
        await net.apply(empty);
        expect(net.status().stateHash).toBe(last);
      }));

    test('a state that contradicts itself is refused whole', () =>
      withNet(async (net) => {
        await net.apply(contractState);
        const before = net.status();
        await expect(net.apply({ ...contractState, networks: [] })).rejects.toMatchObject({ code: 'NET_BAD_STATE', message: expect.stringContaining('e1') });
        expect(net.status()).toEqual(before);
      }));

    test('a port of another program is refused by its number, and free again after it', () =>
      withNet(async (net) => {
        const giveBack = await host().takePort(28080);
        await expect(net.checkPortsFree([{ hostIp: '127.0.0.1', port: 28080, protocol: 'tcp' }])).rejects.toMatchObject({ code: 'NET_PORT_IN_USE', message: expect.stringContaining('28080/tcp') });
        await net.checkPortsFree([{ hostIp: '127.0.0.1', port: 28080, protocol: 'udp' }]);
        await expect(net.apply(contractState)).rejects.toMatchObject({ code: 'NET_PORT_IN_USE' });
        await giveBack();
        await net.checkPortsFree([{ hostIp: '127.0.0.1', port: 28080, protocol: 'tcp' }]);
        await net.apply(contractState);
      }));

    test('its own ports do not count as somebody else\'s', () =>
      withNet(async (net) => {
        await net.apply(contractState);
        await net.checkPortsFree([{ hostIp: '127.0.0.1', port: 28080, protocol: 'tcp' }]);
      }));
  });
}
