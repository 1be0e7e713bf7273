import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Server, Socket as TcpSocket } from 'node:net';
import { AppError } from '../../base/app-error.ts';
import { formatIp, parseIp } from '../../base/cidr.ts';
import type { Ip } from '../../base/cidr.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { closePort, findPortHolder, openPort } from '../../os/port-socket.ts';
import { failureOf, reactTo } from './answer.ts';
import type { NameTable } from './name-table.ts';
import { createUpstream, framed } from './upstream.ts';

/** Serves names on the gateways' addresses, by UDP and TCP, from a table that is exchanged whole. */
export type DnsServer = {
  /** Listens on exactly these addresses, which the host has. Errors: NET_DNS_ADDRESS_IN_USE. */
  readonly listen: (gateways: readonly Ip[]) => Promise<void>;
  readonly serve: (table: NameTable) => void;
  readonly close: () => Promise<void>;
};

const dnsPort = 53;
const forwardsMax = 512;
const forwardsPerAskerMax = 64;
const connectionsMax = 256;
const connectionIdleMs = 10_000;

export function createDnsServer(options: { readonly clock: Clock; readonly log: Log; readonly hostResolvers: () => Promise<readonly Ip[]>; readonly upstreamPort?: number }): DnsServer {
  const upstream = createUpstream({ clock: options.clock, ...(options.upstreamPort === undefined ? {} : { port: options.upstreamPort }) });
  const listeners = new Map<string, { readonly udp: UdpSocket; readonly tcp: Server; readonly connections: Set<TcpSocket> }>();
  const stopping = new AbortController();
  const forwards = countForwards();
  let table: NameTable = { askers: new Map() };
  let turn = 0;

  const react = async (bytes: Buffer, source: string, transport: 'udp' | 'tcp'): Promise<Buffer | null> => {
    const reaction = reactTo(bytes, { table, source, transport, turn: (turn += 1) });
    if (reaction.kind === 'drop') return null;
    if (reaction.kind === 'answer') return reaction.bytes;
    const { asker, query } = reaction;
    const done = forwards.begin(asker.endpointId);
    if (done === null) return failureOf(query, transport);
    try {
      const servers = asker.dnsServers.length > 0 ? asker.dnsServers : await options.hostResolvers();
      return (await upstream.ask(bytes, { servers, transport, signal: stopping.signal })) ?? failureOf(query, transport);
    } finally {
      done();
    }
  };
  const supervise = (work: Promise<void>): void => {
    work.catch((error: unknown) => options.log.error('net.dns', { error: String(error) }));
  };

  const open = async (gateway: Ip): Promise<void> => {
    const name = formatIp(gateway);
    const udp = createSocket(gateway.family === 4 ? 'udp4' : 'udp6');
    const connections = new Set<TcpSocket>();
    const tcp = createServer((connection) => serveConnection(connection, { connections, react, supervise, clock: options.clock }));
    const [udpFd, tcpFd] = openPair(gateway);
    udp.on('message', (bytes, from) => {
      supervise(
        react(bytes, canonical(from.address), 'udp').then((answer) => {
          if (answer !== null && listeners.has(name)) udp.send(answer, from.port, from.address, () => undefined);
        }),
      );
    });
    udp.on('error', (error) => options.log.warn('net.dns.socket', { gateway: name, error: String(error) }));
    tcp.on('error', (error) => options.log.warn('net.dns.socket', { gateway: name, error: String(error) }));
    await Promise.all([
      new Promise<void>((resolve) => udp.bind({ fd: udpFd }, resolve)),
      new Promise<void>((resolve) => tcp.listen({ fd: tcpFd }, resolve)),
    ]);
    listeners.set(name, { udp, tcp, connections });
  };
  const shut = async (name: string): Promise<void> => {
    const one = listeners.get(name);
    if (one === undefined) return;
    listeners.delete(name);
    for (const connection of one.connections) connection.destroy();
    await Promise.all([new Promise<void>((resolve) => one.udp.close(resolve)), new Promise<void>((resolve) => one.tcp.close(() => resolve()))]);
  };

  return {
    listen: async (gateways) => {
      const wished = new Set(gateways.map(formatIp));
      await Promise.all([...listeners.keys()].filter((name) => !wished.has(name)).map(shut));
      await Promise.all(gateways.filter((one) => !listeners.has(formatIp(one))).map(open));
    },
    serve: (next) => {
      table = next;
    },
    close: async () => {
      stopping.abort();
      await Promise.all([...listeners.keys()].map(shut));
    },
  };
}

/** Questions under way to the outside: bounded in all and for each asker, so that one container can't take the others' share. */
function countForwards(): { readonly begin: (askerId: string) => (() => void) | null } {
  const perAsker = new Map<string, number>();
  let all = 0;
  return {
    begin: (askerId) => {
      const count = perAsker.get(askerId) ?? 0;
      if (all >= forwardsMax || count >= forwardsPerAskerMax) return null;
      all += 1;
      perAsker.set(askerId, count + 1);
      return () => {
        all -= 1;
        const left = (perAsker.get(askerId) ?? 1) - 1;
        if (left > 0) perAsker.set(askerId, left);
        else perAsker.delete(askerId);
      };
    },
  };
}

/** Both sockets, or none. */
function openPair(gateway: Ip): [number, number] {
  const udp = openOne(gateway, 'udp');
  try {
    return [udp, openOne(gateway, 'tcp')];
  } catch (error) {
    closePort(udp);
    throw error;
  }
}

function openOne(ip: Ip, protocol: 'tcp' | 'udp'): number {
  const opened = openPort({ ip, port: dnsPort, protocol, backlog: 128 });
  if ('fd' in opened) return opened.fd;
  const holder = findPortHolder({ ip, port: dnsPort, protocol });
  throw new AppError({
    code: 'NET_DNS_ADDRESS_IN_USE',
    message: `names can't be served on ${formatIp(ip)}: ${protocol} port ${dnsPort} ${holder === null ? `is not to be had (error ${opened.errno})` : `is held by ${holder}`}`,
    hint: 'let a name server that listens everywhere listen on named addresses only (dnsmasq: bind-interfaces; unbound: interface:); give a second Flotilla daemon addressPools of its own',
  });
}

/** IPv4 mapped into IPv6 and a zone at the end are ways of writing, not other addresses. */
function canonical(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/, '');
  const ip = parseIp(plain);
  return ip === null ? plain : formatIp(ip);
}

type Serving = {
  readonly connections: Set<TcpSocket>;
  readonly react: (bytes: Buffer, source: string, transport: 'udp' | 'tcp') => Promise<Buffer | null>;
  readonly supervise: (work: Promise<void>) => void;
  readonly clock: Clock;
};

function serveConnection(connection: TcpSocket, serving: Serving): void {
  const { connections } = serving;
  if (connections.size >= connectionsMax) {
    connection.destroy();
    return;
  }
  connections.add(connection);
  let cancel = serving.clock.after(connectionIdleMs, () => connection.destroy(), true);
  let got = Buffer.alloc(0);
  connection.on('close', () => {
    cancel();
    connections.delete(connection);
  });
  connection.on('error', () => connection.destroy());
  connection.on('data', (chunk: Buffer) => {
    cancel();
    cancel = serving.clock.after(connectionIdleMs, () => connection.destroy(), true);
    got = Buffer.concat([got, chunk]);
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const query = Buffer.from(got.subarray(2, 2 + got.readUInt16BE(0)));
      got = got.subarray(2 + query.length);
      serving.supervise(
        serving.react(query, canonical(connection.remoteAddress ?? ''), 'tcp').then((answer) => {
          if (answer === null) connection.destroy();
          else if (!connection.destroyed) connection.write(framed(answer));
        }),
      );
    }
  });
}
