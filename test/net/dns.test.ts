import { decode, encode } from 'dns-packet';
import type { Packet } from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { parseIp } from '../../src/base/cidr.ts';
import type { Ip } from '../../src/base/cidr.ts';
import { checkState } from '../../src/net/checked-state.ts';
import { reactTo } from '../../src/net/dns/answer.ts';
import { buildHostsFile } from '../../src/net/dns/hosts-file.ts';
import { decodeQuery, encodeAnswer, encodeName, questionOf } from '../../src/net/dns/message.ts';
import { buildNameTable, parseReverseName } from '../../src/net/dns/name-table.ts';
import { buildResolvConf, parseResolvConf } from '../../src/net/dns/resolv-conf.ts';
import { fc } from '../property.ts';

const ip = (text: string): Ip => parseIp(text) ?? expect.unreachable(text);
const network = (id: string, number: number, isInternal = false): object => ({ id, name: id, subnet: `10.1.${number}.0/24`, gateway: `10.1.${number}.1`, subnet6: null, gateway6: null, isInternal, mtu: null });
const holder = (networkId: string, address: string, names: readonly string[], more: object = {}): object => ({ networkId, interfaceName: networkId, ip: address, ip6: null, mac: null, isDefaultRoute: false, names, isInRotation: true, reverseName: `${names.at(-1)}.${networkId}`, ...more });
const table = buildNameTable(
  checkState(
    JSON.parse(
      JSON.stringify({
        networks: [network('back', 2), network('front', 1), network('inside', 3, true)],
        endpoints: [
          { id: 'a', dnsServers: [], attachments: [holder('front', '10.1.1.2', ['web', 'web-1']), holder('back', '10.1.2.2', ['web', 'web-1'])] },
          { id: 'b', dnsServers: ['9.9.9.9'], attachments: [holder('front', '10.1.1.3', ['web', 'web-2'])] },
          { id: 'c', dnsServers: [], attachments: [holder('back', '10.1.2.3', ['web', 'db'])] },
          { id: 'd', dnsServers: [], attachments: [holder('front', '10.1.1.4', ['sick', 'sick-1'], { isInRotation: false })] },
          { id: 'i', dnsServers: [], attachments: [holder('inside', '10.1.3.2', ['quiet'])] },
        ],
        publishedPorts: [],
      }),
    ),
  ),
);

const query = (name: string, type = 'A', more: Packet = {}): Buffer => encode({ type: 'query', id: 4711, flags: 0x100, questions: [{ name, type }], ...more });
const react = (source: string, bytes: Buffer, transport: 'udp' | 'tcp' = 'udp', turn = 0): ReturnType<typeof reactTo> => reactTo(bytes, { table, source, transport, turn });
const answerOf = (source: string, bytes: Buffer): Packet => {
  const reaction = react(source, bytes);
  return reaction.kind === 'answer' ? decode(reaction.bytes) : expect.unreachable(reaction.kind);
};
const data = (packet: Packet): unknown[] => (packet.answers ?? []).map((one) => one.data);

describe('answers, read by an independent implementation', () => {
  test.for([
    ['10.1.1.2', 'web', ['10.1.1.2', '10.1.1.3']],
    ['10.1.2.2', 'db', ['10.1.2.3']],
    ['10.1.1.3', 'web', ['10.1.1.2', '10.1.1.3']],
    ['10.1.2.3', 'web', ['10.1.2.2', '10.1.2.3']],
    ['10.1.1.2', 'web.back', ['10.1.2.2', '10.1.2.3']],
    ['10.1.1.2', 'WeB.FrOnT', ['10.1.1.2', '10.1.1.3']],
    ['10.1.1.2', 'sick', ['10.1.1.4']],
  ] as const)('%s asks for %s', ([source, name, ips]) => {
    const answer = answerOf(source, query(name));
    expect(data(answer)).toEqual(ips);
    expect(answer).toMatchObject({ id: 4711, type: 'response', rcode: 'NOERROR', questions: [{ name, type: 'A' }] });
    expect(answer.answers?.every((one) => one.name === name)).toBe(true);
  });

  test('the order turns', () => {
    const first = [0, 1, 2].map((turn) => {
      const reaction = react('10.1.1.2', query('web'), 'udp', turn);
      return reaction.kind === 'answer' ? data(decode(reaction.bytes))[0] : null;
    });
    expect(first).toEqual(['10.1.1.2', '10.1.1.3', '10.1.1.2']);
  });

  test.for([
    ['a name without that record is NODATA', 'web', 'AAAA', 'NOERROR'],
    ['so is any other type of ours', 'web', 'MX', 'NOERROR'],
    ['one label that nobody has is NXDOMAIN', 'printer', 'A', 'NXDOMAIN'],
    ['an address of ours that nobody has is NXDOMAIN', '99.1.1.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
  ])('%s', ([, name, type, rcode]) => {
    expect(answerOf('10.1.1.2', query(name ?? '', type))).toMatchObject({ rcode, answers: [] });
  });

  test('a reverse name has one answer', () => {
    expect(data(answerOf('10.1.1.2', query('3.1.1.10.in-addr.arpa', 'PTR')))).toEqual(['web-2.front']);
  });

  test('a question with EDNS has an answer with EDNS; a version from the future is told so', () => {
    const opt = (ednsVersion: number): Packet => ({ additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, ednsVersion, flags: 0, options: [] }] });
    expect(answerOf('10.1.1.2', query('web', 'A', opt(0))).additionals).toHaveLength(1);
    const future = answerOf('10.1.1.2', query('web', 'A', opt(1)));
    expect(future.additionals?.[0]).toMatchObject({ type: 'OPT', extendedRcode: 1 });
  });

  test('more than fits by UDP is cut and says so, by TCP it is whole', () => {
    const decoded = decodeQuery(query('many'));
    if ('kind' in decoded) return expect.unreachable();
    const records = Array.from({ length: 100 }, (_, i) => ({ kind: 'address' as const, ip: ip(`10.0.0.${i}`) }));
    const answer = (transport: 'udp' | 'tcp'): Buffer => encodeAnswer({ query: decoded, code: 0, isAuthoritative: true, records, ttlSeconds: 5, transport });
    expect(answer('udp').length).toBeLessThanOrEqual(512);
    expect(decode(answer('udp')).flag_tc).toBe(true);
    expect(decode(answer('tcp'))).toMatchObject({ flag_tc: false, answers: { length: 100 } });
  });
});

describe('what is passed on', () => {
  test('names with a dot, and the root, to the asker\'s own servers or the host\'s', () => {
    for (const name of ['www.example.org', '.']) expect(react('10.1.1.3', query(name, name === '.' ? 'NS' : 'A'))).toMatchObject({ kind: 'forward', asker: { dnsServers: [ip('9.9.9.9')] } });
  });

  test('nothing of a container on internal networks only', () => {
    expect(answerOf('10.1.3.2', query('www.example.org')).rcode).toBe('SERVFAIL');
    expect(data(answerOf('10.1.3.2', query('quiet')))).toEqual(['10.1.3.2']);
  });

  test('who is not a container of ours hears nothing', () => {
    expect(react('192.0.2.9', query('web'))).toEqual({ kind: 'drop' });
    expect(react('10.1.1.1', Buffer.from('rubbish'))).toEqual({ kind: 'drop' });
  });
});

describe('bad messages', () => {
  test('any bytes give an answer, a question to pass on, or silence, and never more bytes than 512', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const reaction = react('10.1.1.2', Buffer.from(bytes));
      if (reaction.kind === 'answer') expect(reaction.bytes.length).toBeLessThanOrEqual(512);
    }), { numRuns: 20_000 });
  });

  test('a good question with bytes changed, cut or added does no harm', () => {
    const good = query('web-1.front', 'A', { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, ednsVersion: 0, flags: 0, options: [] }] });
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(fc.property(edits, fc.nat(good.length), fc.uint8Array({ maxLength: 40 }), (changes, cut, tail) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      const mutated = Buffer.concat([bytes.subarray(0, cut), tail]);
      const reaction = react('10.1.1.2', mutated);
      expect(['answer', 'forward', 'drop']).toContain(reaction.kind);
      questionOf(mutated);
    }), { numRuns: 20_000 });
  });

  test.for([
    ['an answer is not answered', (b: Buffer) => b.writeUInt16BE(0x8180, 2), null],
    ['two questions are a wrong format', (b: Buffer) => b.writeUInt16BE(2, 4), 'FORMERR'],
    ['a name that points to itself is a wrong format', (b: Buffer) => b.writeUInt16BE(0xc00c, 12), 'FORMERR'],
    ['a name that points forwards is a wrong format', (b: Buffer) => b.writeUInt16BE(0xc0ff, 12), 'FORMERR'],
    ['another operation is not implemented', (b: Buffer) => b.writeUInt16BE(0x2800, 2), 'NOTIMP'],
    ['another class is refused', (b: Buffer) => b.writeUInt16BE(3, b.length - 2), 'REFUSED'],
  ] as const)('%s', ([, change, rcode]) => {
    const bytes = query('web');
    change(bytes);
    const reaction = react('10.1.1.2', bytes);
    expect(reaction.kind === 'answer' ? decode(reaction.bytes).rcode : null).toBe(rcode);
  });

  test('every name that the other implementation writes is read as it was meant', () => {
    const label = fc.string({ unit: fc.constantFrom('a', 'B', '0', '-', '_'), minLength: 1, maxLength: 63 });
    fc.assert(fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), fc.nat(65535), (labels, id) => {
      const name = labels.join('.');
      expect(decodeQuery(query(name, 'A', { id }))).toMatchObject({ id, name, type: 1, class: 1 });
      expect(encodeName(name)?.length).toBe(name.length + 2);
    }));
  });

  test.for([['a'.repeat(64), null], [Array.from({ length: 64 }, () => 'abc').join('.'), null], ['a..b', null]] as const)('%s has no form on the wire', ([name, bytes]) => {
    expect(encodeName(name)).toBe(bytes);
  });
});

test.for([
  ['4.3.2.1.in-addr.arpa', '1.2.3.4'],
  ['256.3.2.1.in-addr.arpa', null],
  ['2.1.in-addr.arpa', null],
  [`${'1.' + '0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'fd00::1'],
  ['example.org', null],
])('%s is the reverse of %s', ([name, address]) => {
  expect(parseReverseName(name ?? '')).toEqual(address === null || address === undefined ? null : ip(address));
});

describe('files of a container', () => {
  const build = (more: Partial<Parameters<typeof buildResolvConf>[0]> = {}): string =>
    buildResolvConf({ nameservers: ['10.1.1.1'], hostText: 'nameserver 127.0.0.53\nsearch corp.example lan # comment\noptions edns0 trust-ad rotate\n', dnsSearch: null, dnsOptions: null, ...more });
  test.for<[string, Partial<Parameters<typeof buildResolvConf>[0]>, string]>([
    ['by default the host\'s search domains and the gateway', {}, 'nameserver 10.1.1.1\nsearch corp.example lan\noptions rotate timeout:2 attempts:5 ndots:0\n'],
    ['dns_search replaces the search', { dnsSearch: ['a.example'] }, 'nameserver 10.1.1.1\nsearch a.example\noptions rotate timeout:2 attempts:5 ndots:0\n'],
    ['dns_search of a dot means none', { dnsSearch: ['.'] }, 'nameserver 10.1.1.1\noptions rotate timeout:2 attempts:5 ndots:0\n'],
    ['dns_opt comes first and wins', { dnsOptions: ['ndots:3', 'use-vc'] }, 'nameserver 10.1.1.1\nsearch corp.example lan\noptions ndots:3 use-vc timeout:2 attempts:5\n'],
  ])('resolv.conf: %s', ([, more, text]) => {
    expect(build(more)).toBe(text);
  });

  test('what is written is read back', () => {
    expect(parseResolvConf(build())).toEqual({ nameservers: ['10.1.1.1'], search: ['corp.example', 'lan'], options: ['rotate', 'timeout:2', 'attempts:5', 'ndots:0'] });
  });

  test('hosts has loopback, what the service adds, and the container under its name', () => {
    const text = buildHostsFile({ extraHosts: [{ name: 'host.docker.internal', ip: 'host-gateway' }, { name: 'db', ip: '1.2.3.4' }], hostGateway: '10.1.1.1', hostname: 'web', domainname: 'example.org', ips: ['10.1.1.2'] });
    expect(text.split('\n')).toEqual(expect.arrayContaining(['127.0.0.1\tlocalhost', '10.1.1.1\thost.docker.internal', '1.2.3.4\tdb', '10.1.1.2\tweb.example.org web']));
    expect(text.endsWith('\n')).toBe(true);
  });
});
