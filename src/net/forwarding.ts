import { listSysctls, readSysctl, writeSysctl } from '../os/sysctl.ts';
import { guardFamily } from './filter.ts';
import type { Filter } from './filter.ts';

const forward4 = 'net/ipv4/ip_forward';
const forward6 = 'net/ipv6/conf/all/forwarding';

/**
 * Switches the host's forwarding on. Where it was off, the rules first learn to keep it off between links that are not ours:
 * a laptop must not become a router because it runs containers. IPv6 only when a network has it, since a host that forwards
 * IPv6 stops listening to its own router unless it is told not to.
 */
export function openForwarding(filter: Filter, options: { readonly hasIpv6: boolean }): void {
  if (readSysctl(forward4) === '0') {
    filter.guard(guardFamily.ipv4);
    writeSysctl(forward4, '1');
  }
  if (!options.hasIpv6 || readSysctl(forward6) !== '0') return;
  filter.guard(guardFamily.ipv6);
  for (const link of listSysctls('net/ipv6/conf')) {
    if (readSysctl(`net/ipv6/conf/${link}/accept_ra`) === '1') writeSysctl(`net/ipv6/conf/${link}/accept_ra`, '2');
  }
  writeSysctl(forward6, '1');
}

/** Off again where we switched it on, unless another instance on this host still needs it. */
export function closeForwarding(filter: Filter): void {
  const guarded = filter.guarded();
  if (filter.neighbours().length > 0) return;
  if (guarded.includes(guardFamily.ipv4)) writeSysctl(forward4, '0');
  if (guarded.includes(guardFamily.ipv6)) writeSysctl(forward6, '0');
}
