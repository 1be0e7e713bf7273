// A program in a container's or a neighbour's place: does what it is told by lines of JSON, and answers by such.
import { Resolver } from 'node:dns/promises';
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Order } from './lab.ts';

const flows = new Map<string, Socket>();

function listenTcp(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`${text} to ${socket.remoteAddress?.replace('::ffff:', '')}`);
    });
    server.on('error', reject);
    server.listen(port, host, () => resolve('listening'));
  });
}

function listenUdp(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', reject);
    socket.on('message', (_, from) => socket.send(`${text} to ${from.address}`, from.port, from.address));
    socket.bind(port, host, () => resolve('listening'));
  });
}

/** Everything until the far end closes; a download of many bytes answers with their count. */
function tcp(order: Extract<Order, { op: 'tcp' }>): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: order.host, port: order.port, ...(order.from === undefined ? {} : { localAddress: order.from }) });
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      resolve('ETIMEDOUT');
    }, order.timeoutMs ?? 700);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(error.code ?? 'ERROR');
    });
    socket.on('end', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

function udp(order: Extract<Order, { op: 'udp' }>): Promise<string> {
  return new Promise((resolve) => {
    const key = order.flow ?? '';
    const socket = flows.get(key) ?? createSocket(order.host.includes(':') ? 'udp6' : 'udp4');
    if (key !== '') flows.set(key, socket);
    const done = (text: string): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (key === '') socket.close();
      resolve(text);
    };
    const timer = setTimeout(() => done('ETIMEDOUT'), order.timeoutMs ?? 700);
    socket.on('message', (bytes) => done(bytes.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'ERROR'));
    const send = (): void => socket.send('hello', order.port, order.host);
    if (order.from === undefined) send();
    else socket.bind({ address: order.from }, send);
  });
}

async function names(order: Extract<Order, { op: 'names' }>): Promise<string> {
  const resolver = new Resolver({ timeout: order.timeoutMs ?? 700, tries: order.tries ?? 1 });
  resolver.setServers([order.server]);
  try {
    const found = order.type === 'PTR' ? await resolver.reverse(order.name) : await resolver.resolve(order.name, order.type);
    return JSON.stringify(found);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

function run(order: Order): Promise<string> {
  switch (order.op) {
    case 'listenTcp':
      return listenTcp(order.host, order.port, order.text);
    case 'listenUdp':
      return listenUdp(order.host, order.port, order.text);
    case 'tcp':
      return tcp(order);
    case 'udp':
      return udp(order);
    case 'names':
      return names(order);
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, order }: { id: number; order: Order } = JSON.parse(line);
  run(order).then(
    (text) => process.stdout.write(`${JSON.stringify({ id, text })}\n`),
    (error: unknown) => process.stdout.write(`${JSON.stringify({ id, text: `FAILED ${String(error)}` })}\n`),
  );
}).on('close', () => process.exit(0));
