/** What a resolv.conf says, as far as it concerns name servers. Source: resolv.conf(5). */
export type ResolvConf = { readonly nameservers: readonly string[]; readonly search: readonly string[]; readonly options: readonly string[] };

const nameserversMax = 3;

/** Reads any text; what it does not know is left out. The last `search` or `domain` line counts. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [key, ...words] = line.replace(/[#;].*$/, '').trim().split(/\s+/);
    if (key === 'nameserver' && words[0] !== undefined) nameservers.push(words[0]);
    if (key === 'search' || key === 'domain') search = words;
    if (key === 'options') options.push(...words);
  }
  return { nameservers, search, options };
}

/**
 * The /etc/resolv.conf of a container.
 * In: the gateway that serves it names; the host's own text; `dns_search` and `dns_opt` of the service, null where it gives none.
 * A search of `.` alone means none. Out: the file's text.
 *
 * The options let a question outlive a restart of the daemon: glibc asks again every 2 s, up to five times; musl takes the
 * time as that of all its attempts, so it asks five times within 2 s. What the service gives itself comes first.
 */
export function buildResolvConf(input: {
  readonly nameservers: readonly string[];
  readonly hostText: string;
  readonly dnsSearch: readonly string[] | null;
  readonly dnsOptions: readonly string[] | null;
}): string {
  const host = parseResolvConf(input.hostText);
  const search = (input.dnsSearch ?? host.search).filter((one) => one !== '.');
  const given = input.dnsOptions ?? host.options.filter((one) => !/^(timeout|attempts|ndots|edns0|trust-ad)\b/.test(one));
  const names = new Set(given.map((one) => one.split(':')[0] ?? ''));
  const ours = ['timeout:2', 'attempts:5', 'ndots:0'].filter((one) => !names.has(one.split(':')[0] ?? ''));
  return [
    ...input.nameservers.slice(0, nameserversMax).map((one) => `nameserver ${one}`),
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    `options ${[...given, ...ours].join(' ')}`,
    '',
  ].join('\n');
}
