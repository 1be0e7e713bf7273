import { createServer } from 'node:net';

/**
 * An address on loopback of this process's own. A port that was free a moment ago is free still: neither another test
 * nor a connection on its way out, which begins at 127.0.0.1, can have taken it meanwhile.
 */
export const ownHost: string = `127.${64 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, ownHost, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
