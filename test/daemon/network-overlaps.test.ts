import { expect, test } from 'vitest';
import type { NetworkObject } from '../../src/model/objects.ts';
import { networkOverlaps } from '../../src/daemon/network-overlaps.ts';

const network = (name: string, subnet: string | null, more: { readonly subnet6?: string; readonly ipam?: NetworkObject['ipam']; readonly desired?: 'present' | 'removed' } = {}): Parameters<typeof networkOverlaps>[0][number] =>
  ({ name, projectName: 'app', subnet, subnet6: more.subnet6 ?? null, ipam: more.ipam ?? [], desired: more.desired ?? 'present' });

test('a network that meets what the host reaches otherwise is told, with all that it meets', () => {
  const networks = [network('clear', '10.1.0.0/24'), network('inside', '10.2.3.0/24'), network('around', '10.3.0.0/16', { ipam: [{ subnet: '10.3.0.0/16', gateway: null, ipRange: null, auxAddresses: {} }] }), network('six', null, { subnet6: 'fd00:1::/64' }), network('going', '10.2.4.0/24', { desired: 'removed' })];
  expect(networkOverlaps(networks, ['10.2.0.0/16', '10.3.1.0/24', '10.3.2.5/32', 'fd00::/16', '192.168.0.0/16']).map((one) => [one.networkName, one.subnet, one.isOfFile, one.meets])).toEqual([
    ['inside', '10.2.3.0/24', false, ['10.2.0.0/16']],
    ['around', '10.3.0.0/16', true, ['10.3.1.0/24', '10.3.2.5/32']],
    ['six', 'fd00:1::/64', false, ['fd00::/16']],
  ]);
});
