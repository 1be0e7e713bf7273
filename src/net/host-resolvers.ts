import { parseIp } from '../base/cidr.ts';
import type { Ip } from '../base/cidr.ts';
import type { Clock } from '../base/clock.ts';
import { readTextIfThere } from '../os/files.ts';
import { parseResolvConf } from './dns/resolv-conf.ts';

const path = '/etc/resolv.conf';
const keptMs = 2000;

/** The host's resolvers, read again when two seconds old, so that a laptop that changes networks goes on. Loopback ones count: we run on the host. */
export function hostResolvers(clock: Clock): () => Promise<readonly Ip[]> {
  let kept: readonly Ip[] = [];
  let readMs = -Infinity;
  return async () => {
    if (clock.monotonicMs() - readMs < keptMs) return kept;
    kept = parseResolvConf((await readTextIfThere(path)) ?? '').nameservers.flatMap((one) => parseIp(one.replace(/%.*$/, '')) ?? []);
    readMs = clock.monotonicMs();
    return kept;
  };
}
