import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { parseIp, type Ip } from '../../src/base/cidr.ts';
import { findPortHolder } from '../../src/os/port-socket.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(`${text} is no address`);
  return parsed;
}

async function listening(host: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  // NOTE: a server on a port has an address of this shape.
  return (server.address() as AddressInfo).port;
}

describe('who holds a port', () => {
  test.for([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '0.0.0.0', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['0.0.0.0', '127.0.0.1', true],
    ['::', '127.0.0.1', true],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['::ffff:127.0.0.1', '127.0.0.2', false],
  ] as const)('a socket on %s is in the way of %s: %s', async ([held, wanted, isHeld]) => {
    const port = await listening(held);
    const holder = findPortHolder({ ip: ip(wanted), port, protocol: 'tcp' });
    if (isHeld) expect(holder).toMatch(new RegExp(`^\\S.* \\(pid ${process.pid}\\)$`));
    else expect(holder).toBeNull();
  });

  test('a Node.js program is named by what it runs, not by its main thread', async () => {
    const port = await listening('127.0.0.1');
    expect(findPortHolder({ ip: ip('127.0.0.1'), port, protocol: 'tcp' })).not.toContain('MainThread');
  });
});
