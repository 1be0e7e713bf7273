import { isIP } from 'node:net';
import { describe, expect, test } from 'vitest';
import { cidrContains, cidrHasIp, cidrHosts, cidrLast, cidrOf, cidrOverlaps, cidrSubnetAt, firstFreeSubnet, formatCidr, formatIp, ipFromBytes, ipToBytes, parseCidr, parseIp } from '../../src/base/cidr.ts';
import type { Cidr, Ip } from '../../src/base/cidr.ts';
import { fc } from '../property.ts';

const ips = fc.oneof(
  fc.bigInt(0n, (1n << 32n) - 1n).map((value): Ip => ({ family: 4, value })),
  fc.bigInt(0n, (1n << 128n) - 1n).map((value): Ip => ({ family: 6, value })),
);
const cidrs = fc.tuple(ips, fc.nat(128)).map(([ip, prefix]) => cidrOf(ip, ip.family === 4 ? prefix % 33 : prefix));
const cidr = (text: string): Cidr => parseCidr(text) ?? expect.unreachable(text);
const ip = (text: string): Ip => parseIp(text) ?? expect.unreachable(text);

describe('addresses', () => {
  test('what is formatted reads back as the same address, and its bytes too', () => {
    fc.assert(fc.property(ips, (one) => {
      expect(parseIp(formatIp(one))).toEqual(one);
      expect(ipFromBytes(ipToBytes(one))).toEqual(one);
      expect(isIP(formatIp(one))).toBe(one.family);
    }));
  });

  test('reads exactly what the platform reads, zones and leading zeros apart', () => {
    const texts = fc.oneof(fc.string({ unit: fc.constantFrom('0', '1', 'f', ':', '.', '25', '::'), maxLength: 18 }), fc.ipV6(), fc.ipV4());
    fc.assert(fc.property(texts, (text) => {
      expect(parseIp(text) !== null).toBe(isIP(text) !== 0);
    }), { numRuns: 3000 });
  });

  test.for([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['1:0:2:0:3:0:4:0', '1:0:2:0:3:0:4:0'],
  ])('%s is written %s', ([text, written]) => {
    expect(formatIp(ip(text ?? ''))).toBe(written);
  });

  test.for(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4/8', ':::', '1:2:3:4:5:6:7:8:9', 'fe80::1%eth0', '::1.2.3.4:5', '1::2::3'])('%s is no address', (text) => {
    expect(parseIp(text)).toBeNull();
  });
});

describe('networks', () => {
  test.for(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '::/129', '/8', '10.0.0.0/'])('%s is no network', (text) => {
    expect(parseCidr(text)).toBeNull();
  });

  test('host bits are cleared', () => {
    expect(formatCidr(cidr('10.1.2.3/16'))).toBe('10.1.0.0/16');
    expect(formatCidr(cidr('fd00::7/64'))).toBe('fd00::/64');
  });

  test('two networks overlap exactly when one contains the other', () => {
    fc.assert(fc.property(cidrs, cidrs, (a, b) => {
      expect(cidrOverlaps(a, b)).toBe(cidrContains(a, b) || cidrContains(b, a));
    }));
  });

  test('the first and last addresses are inside, their neighbours outside', () => {
    fc.assert(fc.property(cidrs, (one) => {
      expect(cidrHasIp(one, one)).toBe(true);
      expect(cidrHasIp(one, cidrLast(one))).toBe(true);
      expect(cidrHasIp(one, { family: one.family, value: one.value - 1n })).toBe(false);
      expect(cidrHasIp(one, { family: one.family, value: cidrLast(one).value + 1n })).toBe(false);
    }));
  });

  test.for([
    ['10.0.0.0/24', '10.0.0.1', '10.0.0.254'],
    ['10.0.0.0/30', '10.0.0.1', '10.0.0.2'],
    ['10.0.0.0/31', '10.0.0.0', '10.0.0.1'],
    ['10.0.0.9/32', '10.0.0.9', '10.0.0.9'],
    ['fd00::/64', 'fd00::1', 'fd00::ffff:ffff:ffff:ffff'],
  ])('in %s containers live from %s to %s', ([text, first, last]) => {
    const hosts = cidrHosts(cidr(text ?? ''));
    expect([formatIp(hosts.first), formatIp(hosts.last)]).toEqual([first, last]);
  });
});

describe('free subnets', () => {
  test.for([
    { name: 'an empty pool gives its start', pool: '172.16.0.0/12', taken: [], free: '172.16.0.0/24' },
    { name: 'a taken start is skipped', pool: '172.16.0.0/12', taken: ['172.16.0.0/24'], free: '172.16.1.0/24' },
    { name: 'a larger taken network is skipped whole', pool: '172.16.0.0/12', taken: ['172.16.0.0/14'], free: '172.20.0.0/24' },
    { name: 'a smaller taken network takes its whole slot', pool: '172.16.0.0/12', taken: ['172.16.0.77/32'], free: '172.16.1.0/24' },
    { name: 'a gap is used', pool: '10.0.0.0/16', taken: ['10.0.0.0/24', '10.0.2.0/24'], free: '10.0.1.0/24' },
    { name: 'one that covers the pool leaves nothing', pool: '10.0.0.0/16', taken: ['0.0.0.0/0'], free: null },
    { name: 'a full pool gives nothing', pool: '10.0.0.0/24', taken: ['10.0.0.0/25', '10.0.0.128/25'], free: null },
    { name: 'a subnet larger than the pool does not exist', pool: '10.0.0.0/24', taken: [], free: null, prefix: 16 },
    { name: 'the other family does not count', pool: '10.0.0.0/24', taken: ['::/0'], free: '10.0.0.0/24' },
  ])('$name', ({ pool, taken, free, prefix }) => {
    const found = firstFreeSubnet(cidr(pool), prefix ?? 24, taken.map(cidr));
    expect(found === null ? null : formatCidr(found)).toBe(free);
  });

  test('what is found lies in the pool, meets nothing taken, and is the lowest such', () => {
    const small = fc.tuple(fc.nat(255), fc.integer({ min: 25, max: 32 })).map(([last, prefix]) => cidrOf({ family: 4, value: BigInt(last) }, prefix));
    fc.assert(fc.property(fc.array(small, { maxLength: 12 }), fc.integer({ min: 25, max: 32 }), (taken, prefix) => {
      const pool = cidr('0.0.0.0/24');
      const found = firstFreeSubnet(pool, prefix, taken);
      let lowest: Cidr | null = null;
      for (let i = 0n; lowest === null; i += 1n) {
        const one = cidrSubnetAt(pool, prefix, i);
        if (one === null) break;
        if (!taken.some((other) => cidrOverlaps(one, other))) lowest = one;
      }
      expect(found).toEqual(lowest);
    }));
  });
});
