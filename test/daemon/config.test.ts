import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../src/base/app-error.ts';
import { parseConfig, readConfig } from '../../src/daemon/config.ts';

function refusal(value: unknown): string {
  try {
    parseConfig(typeof value === 'string' ? value : JSON.stringify(value), 'config.json');
  } catch (error) {
    if (isAppError(error, 'DAEMON_BAD_CONFIG')) return error.message;
    throw error;
  }
  return '';
}

describe('the configuration of the daemon', () => {
  test('no file is an empty one', () => {
    expect(parseConfig(null, 'config.json')).toEqual({ registries: { mirrors: {}, insecure: [] }, proxies: {}, addressPools: [], logLevel: 'info' });
  });

  test('every key is taken', () => {
    const value = {
      registries: { mirrors: { 'docker.io': ['https://mirror.example.com', 'http://127.0.0.1:5000', 'http://near.example.com:5000'] }, insecure: ['near.example.com:5000'] },
      proxies: { httpProxy: 'proxy.example.com:3128', httpsProxy: 'http://u:p@proxy.example.com:3128', noProxy: '.example.com' },
      addressPools: [{ cidr: '10.200.0.0/16', prefixLength: 24 }],
      logLevel: 'debug',
    };
    const { proxies, ...rest } = parseConfig(JSON.stringify(value), 'config.json');
    expect({ ...rest, proxies: { httpProxy: proxies.httpProxy?.reveal(), httpsProxy: proxies.httpsProxy?.reveal(), noProxy: proxies.noProxy } }).toEqual(value);
  });

  test('a proxy of the file counts before that of the environment, and an empty one is none', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'flotilla-config-'));
    const file = join(dir, 'config.json');
    try {
      writeFileSync(file, JSON.stringify({ proxies: { httpProxy: '', httpsProxy: 'http://file:1' } }));
      const env = { FLOTILLA_CONFIG: file, HTTP_PROXY: 'http://env:1', https_proxy: 'http://env:1', no_proxy: 'a.example', NO_PROXY: '' };
      const { proxies } = (await readConfig(env)).registries;
      expect([proxies.httpProxy.reveal(), proxies.httpsProxy.reveal(), proxies.noProxy]).toEqual(['', 'http://file:1', 'a.example']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('a proxy that can not be used is refused without its password', () => {
    const text = refusal({ proxies: { httpProxy: 'socks5://u:hush@h:1', httpsProxy: 7, noProxy: [], ftpProxy: '' } });
    for (const words of ['proxies.httpProxy must be', 'proxies.httpsProxy must be', 'proxies.noProxy must be', 'unknown key proxies.ftpProxy']) expect(text).toContain(words);
    expect(text).not.toContain('hush');
  });

  test.for([
    ['what is no JSON', '{', 'config.json is not JSON'],
    ['a list', [], 'the file must be an object'],
    ['an unknown key, with those that are known', { mirrors: {} }, 'unknown key mirrors (known: registries, proxies, addressPools, logLevel)'],
    ['an unknown key further in', { registries: { mirror: {} } }, 'unknown key registries.mirror (known: mirrors, insecure)'],
    ['a mirror that is no list', { registries: { mirrors: { 'docker.io': 'https://x' } } }, 'registries.mirrors.docker.io must be a list of strings'],
    ['a mirror without its scheme', { registries: { mirrors: { 'docker.io': ['mirror.example.com'] } } }, 'mirror.example.com must be an https URL'],
    ['a mirror without TLS that nobody allowed', { registries: { mirrors: { 'docker.io': ['http://mirror.example.com'] } } }, 'listed in registries.insecure'],
    ['a level that is none', { logLevel: 'loud' }, 'logLevel must be debug, info, warn or error'],
    ['a pool without a size', { addressPools: [{ cidr: '10.0.0.0/8' }] }, 'addressPools[0] needs cidr and prefixLength'],
    ['a pool that is no subnet', { addressPools: [{ cidr: '10.0.0.0', prefixLength: 24 }] }, 'not "10.0.0.0"'],
    ['networks larger than their pool', { addressPools: [{ cidr: '10.0.0.0/16', prefixLength: 15 }] }, 'from 16 to 29, not 15'],
    ['networks without room for a container', { addressPools: [{ cidr: '10.0.0.0/16', prefixLength: 30 }] }, 'from 16 to 29, not 30'],
  ] as const)('%s is refused', ([, value, words]) => {
    expect(refusal(value)).toContain(words);
  });

  test('sizes at the limits are taken', () => {
    expect(refusal({ addressPools: [{ cidr: '10.0.0.0/16', prefixLength: 16 }, { cidr: '10.1.0.0/16', prefixLength: 29 }] })).toBe('');
  });

  test('everything that is wrong is said at once', () => {
    const text = refusal({ registries: { mirror: {} }, addressPools: [{ cidr: 'x', prefixLength: 1 }], logLevel: 3 });
    for (const words of ['registries.mirror', 'addressPools[0].cidr', 'logLevel']) expect(text).toContain(words);
  });
});
