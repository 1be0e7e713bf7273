import { cidrOverlaps, parseCidr } from '../base/cidr.ts';
import type { NetworkObject } from '../model/objects.ts';
import type { NetworkOverlap } from '../model/progress.ts';

/**
 * Networks of ours that have addresses in common with what the host reaches by other ways, as by a VPN that came up later: one of the two
 * can't be reached. New networks keep clear of it, those that are there stay as they are.
 */
export function networkOverlaps(networks: readonly Pick<NetworkObject, 'name' | 'projectName' | 'subnet' | 'subnet6' | 'ipam' | 'desired'>[], hostSubnets: readonly string[]): NetworkOverlap[] {
  return networks.flatMap((network) => {
    if (network.desired === 'removed') return [];
    return [network.subnet, network.subnet6].flatMap((subnet) => {
      const own = parseCidr(subnet ?? '');
      const meets = own === null ? [] : hostSubnets.filter((text) => {
        const other = parseCidr(text);
        return other !== null && cidrOverlaps(own, other);
      });
      return subnet === null || meets.length === 0 ? [] : [{ networkName: network.name, projectName: network.projectName, subnet, isOfFile: network.ipam.length > 0, meets }];
    });
  });
}
