/**
 * The /etc/hosts of a container, as Docker writes it: loopback, `extra_hosts`, then the container's own addresses.
 * In: `extra_hosts` as pairs of name and address, an address of `host-gateway` meaning the host; the container's hostname
 * with its domain; its addresses. Out: the file's text.
 */
export function buildHostsFile(input: {
  readonly extraHosts: readonly { readonly name: string; readonly ip: string }[];
  readonly hostGateway: string;
  readonly hostname: string;
  readonly domainname: string | null;
  readonly ips: readonly string[];
}): string {
  const own = input.domainname === null || input.domainname === '' ? input.hostname : `${input.hostname}.${input.domainname} ${input.hostname}`;
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...input.extraHosts.map((one) => `${one.ip === 'host-gateway' ? input.hostGateway : one.ip}\t${one.name}`),
    ...(own === '' ? [] : input.ips.map((ip) => `${ip}\t${own}`)),
    '',
  ].join('\n');
}
