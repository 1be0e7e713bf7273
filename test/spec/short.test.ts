import { describe, expect, test } from 'vitest';
import type { Parsed } from '../../src/base/parsed.ts';
import { parseDeviceCount, parseDeviceShort } from '../../src/spec/short/device.ts';
import { parseExtraHosts } from '../../src/spec/short/extra-hosts.ts';
import { isIpAddress, parsePortShort } from '../../src/spec/short/port.ts';
import { splitShellWords } from '../../src/spec/short/shell-words.ts';
import { parseSshShort } from '../../src/spec/short/ssh.ts';
import { cleanPath, parseVolumeShort } from '../../src/spec/short/volume.ts';
import { fc } from '../property.ts';

function show(outcome: Parsed<unknown>): string {
  return outcome.ok ? JSON.stringify(outcome.value) : `! ${outcome.message}`;
}

// Source of the tables: answers of Docker Compose 2.40.3 for the same texts.
describe('ports', () => {
  const ports = (spec: string): string => {
    const read = parsePortShort(spec);
    return read.ok ? read.value.map((one) => `${one.host_ip ?? ''}|${one.published ?? ''}|${one.target}/${one.protocol}`).join(' ') : `! ${read.message}`;
  };
  test.for([
    ['80', '||80/tcp'],
    ['80/UDP', '||80/udp'],
    ['80/', '||80/tcp'],
    ['8080:80', '|8080|80/tcp'],
    [':80', '||80/tcp'],
    ['080:080', '|80|80/tcp'],
    ['9-11:9-11', '|10|10/tcp |11|11/tcp |9|9/tcp'],
    ['8000-8010:80', '|8000-8010|80/tcp'],
    ['127.0.0.1::80', '127.0.0.1||80/tcp'],
    ['[::1]:80:80', '::1|80|80/tcp'],
    ['[::]:8080:80/udp', '::|8080|80/udp'],
    ['', "! no port specified in ''"],
    ['80:', "! no port specified in '80:'"],
    ['::1:80:80', '! the address ::1 needs brackets: [::1]'],
    ['localhost:80:80', '! invalid IP address: localhost'],
    ['256.1.1.1:80:80', '! invalid IP address: 256.1.1.1'],
    ['65536', "! invalid container port '65536' in '65536': 65536 is above 65535"],
    ['81-80', "! invalid container port '81-80' in '81-80': the range 81-80 ends before it starts"],
    ['80-81:80-82', "! the ranges of '80-81:80-82' have different lengths: 2 published, 3 in the container"],
    ['80:80/xyz', "! invalid protocol 'xyz' in '80:80/xyz' (use tcp, udp or sctp)"],
    ['a:80', "! invalid published port 'a' in 'a:80': 'a' is not a number"],
    ['+80', "! invalid container port '+80' in '+80': '+80' is not a number"],
  ] as const)('%s', ([spec, want]) => {
    expect(ports(spec)).toBe(want);
  });

  test('addresses', () => {
    expect(['1.2.3.4', '::', '::1', 'fe80::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4', '1:2:3:4:5:6:1.2.3.4'].filter((one) => !isIpAddress(one))).toEqual([]);
    expect(['1.2.3', '01.2.3.4', '1.2.3.256', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'fe80::1%eth0', 'g::1', '1:2:3:4:5:6:7::8:9'].filter(isIpAddress)).toEqual([]);
  });
});

test.for([
  ['data:/var', '{"type":"volume","source":"data","target":"/var","volume":{}}'],
  ['/var', '{"type":"volume","target":"/var","volume":{}}'],
  ['./a:/b:ro', '{"type":"bind","source":"./a","target":"/b","read_only":true,"bind":{"create_host_path":true}}'],
  ['/a:/b:rshared,Z', '{"type":"bind","source":"/a","target":"/b","bind":{"propagation":"rshared","create_host_path":true,"selinux":"Z"}}'],
  ['C:\\a:D:\\b', '{"type":"bind","source":"C:\\\\a","target":"D:\\\\b","bind":{"create_host_path":true}}'],
  ['data:/b:nocopy,ro', '{"type":"volume","source":"data","target":"/b","read_only":true,"volume":{"nocopy":true}}'],
  ['/a:/b:ro:rw', "! invalid volume '/a:/b:ro:rw': too many colons"],
  ['/a:', "! invalid volume '/a:': empty section between colons"],
  ['', '! invalid empty volume spec'],
] as const)('volume %s', ([spec, want]) => {
  expect(show(parseVolumeShort(spec))).toBe(want);
});

test('paths are cleaned by their text alone', () => {
  expect(['/a/../b', '/../a', 'a/./b//c/', '../a/..', '', '/', './.'].map(cleanPath)).toEqual(['/b', '/a', 'a/b/c', '..', '.', '/', '.']);
});

test.for([
  ["a 'b c' \"d e\"", ['a', 'b c', 'd e']],
  ['a \\n "\\n"', ['a', 'n', 'n']],
  ['a && b', ['a']],
  ['a > b', ['a']],
  ['a 2>x', ['a']],
  ["a '' b", ['a', '', 'b']],
  ['a $(b c) d', ['a', '$(b c)', 'd']],
  ['a )b)', ['a', ')b)']],
  ["'a'\"b\"\\ c", ['ab c']],
  ['  ', []],
  ['a "b', undefined],
  ['a (b)', undefined],
  ['a \\', undefined],
] as const)('words of %s', ([line, want]) => {
  const words = splitShellWords(line);
  expect(words.ok ? words.value : undefined).toEqual(want);
});

test('quoted words come back as they were', () => {
  fc.assert(fc.property(fc.array(fc.string().filter((one) => !one.includes("'"))), (words) => {
    const out = splitShellWords(words.map((one) => `'${one}'`).join(' '));
    return out.ok && JSON.stringify(out.value) === JSON.stringify(words);
  }));
});

test('extra hosts', () => {
  expect(show(parseExtraHosts(['b=1', 'a:::1', 'c=[::2]', 'd=3,4']))).toBe('["a=::1","b=1","c=::2","d=3","d=4"]');
  expect(show(parseExtraHosts({ a: '1', b: ['2', '3'] }))).toBe('["a=1","b=2","b=3"]');
  expect(show(parseExtraHosts(['a']))).toBe("! the host 'a' has no address: write host=address");
  expect(show(parseExtraHosts(['=1']))).toBe("! '' is not a host's name");
});

test('devices and keys', () => {
  expect(show(parseDeviceShort('/dev/a'))).toBe('{"source":"/dev/a","target":"/dev/a","permissions":"rwm"}');
  expect(show(parseDeviceShort('/dev/a:/dev/b:r'))).toBe('{"source":"/dev/a","target":"/dev/b","permissions":"r"}');
  expect(show(parseDeviceShort('a:b:c:d'))).toContain('!');
  expect([parseDeviceCount('ALL'), parseDeviceCount(2), parseDeviceCount('3')].map(show)).toEqual(['-1', '2', '3']);
  expect(show(parseDeviceCount('x'))).toContain('!');
  expect([parseSshShort('default'), parseSshShort('a=b'), parseSshShort('a')].map(show)).toEqual(['{"id":"default","path":null}', '{"id":"a","path":"b"}', "! invalid ssh key 'a': write id=path, or default"]);
});
