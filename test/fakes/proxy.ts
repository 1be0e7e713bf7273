import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** A forward proxy on loopback: CONNECT for https, absolute-form for http. It knows the addresses of hosts that nobody else does. */
export type FakeProxy = {
  readonly host: string;
  /** `METHOD target` of every request so far. */
  readonly requests: string[];
  readonly authorizations: (string | undefined)[];
  /** `host:port` → the port on loopback where it is. */
  readonly hosts: Map<string, number>;
  /** Answered instead of leading on, where it says so. */
  refuse: (target: string) => number | null;
  readonly close: () => Promise<void>;
};

export async function startFakeProxy(): Promise<FakeProxy> {
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '');
    note(request.method, url.href, request.headers['proxy-authorization']);
    const port = proxy.hosts.get(url.host);
    const status = proxy.refuse(url.host) ?? (port === undefined ? 502 : null);
    if (status !== null) return void response.writeHead(status).end('no');
    const onward = httpRequest({ port, host: '127.0.0.1', path: url.pathname + url.search, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket, head) => {
    const target = request.url ?? '';
    sockets.add(socket);
    note('CONNECT', target, request.headers['proxy-authorization']);
    const port = proxy.hosts.get(target);
    const status = proxy.refuse(target) ?? (port === undefined ? 502 : null);
    if (status !== null) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const onward = connect({ port: port ?? 0, host: '127.0.0.1' }, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    for (const one of [onward, socket]) one.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const proxy: FakeProxy = {
    host: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    requests: [], authorizations: [], hosts: new Map(), refuse: () => null,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  const note = (method: string | undefined, target: string, authorization: string | undefined): void => {
    proxy.requests.push(`${method} ${target}`);
    proxy.authorizations.push(authorization);
  };
  return proxy;
}
