import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

/**
 * Reads `extra_hosts`: a list of `host=ip`, `host:ip` (several addresses with commas), or a map from host to one address or a list.
 * Out: `host=ip` lines, sorted, one a pair; brackets around IPv6 are dropped.
 */
export function parseExtraHosts(value: unknown): Parsed<string[]> {
  const pairs: { readonly host: string; readonly ips: readonly string[] }[] = [];
  if (Array.isArray(value)) {
    for (const item of value) {
      const line = String(item);
      const cut = line.includes('=') ? line.indexOf('=') : line.indexOf(':');
      if (cut < 0) return refused(`the host '${line}' has no address: write host=address`);
      pairs.push({ host: line.slice(0, cut), ips: line.slice(cut + 1).split(',') });
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [host, ips] of Object.entries(value)) {
      if (Array.isArray(ips)) pairs.push({ host, ips: ips.map(String) });
      else if (typeof ips === 'string' || ips === null) pairs.push({ host, ips: [ips ?? ''] });
      else return refused(`the address of '${host}' must be text, not ${typeof ips}`);
    }
  } else {
    return refused('extra_hosts must be a list or a map');
  }
  const bad = pairs.find((pair) => pair.host === '' || /[:=]/.test(pair.host));
  if (bad !== undefined) return refused(`'${bad.host}' is not a host's name`);
  return parsed(pairs.flatMap((pair) => pair.ips.map((ip) => `${pair.host}=${/^\[.+\]$/.test(ip) ? ip.slice(1, -1) : ip}`)).sort());
}
