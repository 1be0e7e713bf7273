import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';

/** A cluster of etcd members on loopback, their data on the same file system as ours, spoken to by gRPC. */
export type Etcd = { readonly client: () => Promise<StoreClient>; readonly close: () => Promise<void> };

/** One client with a connection of its own, one write at a time. */
export type StoreClient = { readonly put: (key: string, value: string) => Promise<void>; readonly close: () => void };

const peersDir = process.env['PEERS_DIR'] ?? '/root/.cache/flotilla-peers';
const enter = process.env['PEERS_ENTER'] ?? join(import.meta.dirname, '../../../../shared/peers/enter');

export async function startEtcd(count: number): Promise<Etcd> {
  const base = 23_000 + (process.pid % 400) * 10;
  const name = `etcd-${process.pid}-${count}`;
  mkdirSync(join(peersDir, 'share', name), { recursive: true });
  const ports = Array.from({ length: count }, (_, at) => ({ client: base + at * 2, peer: base + at * 2 + 1 }));
  const initial = ports.map((port, at) => `n${at}=http://127.0.0.1:${port.peer}`).join(',');
  const children: ChildProcess[] = ports.map((port, at) => spawn(enter, [
    'etcd', '--name', `n${at}`, '--data-dir', `/share/${name}/${at}`, '--listen-client-urls', `http://127.0.0.1:${port.client}`, '--advertise-client-urls', `http://127.0.0.1:${port.client}`,
    '--listen-peer-urls', `http://127.0.0.1:${port.peer}`, '--initial-advertise-peer-urls', `http://127.0.0.1:${port.peer}`, '--initial-cluster', initial, '--log-level', 'error', '--quota-backend-bytes', '4000000000',
  ], { stdio: 'ignore', env: { ...process.env, PEERS_DIR: peersDir } }));
  const client = async (at: number): Promise<StoreClient> => etcdClient(`http://127.0.0.1:${ports[at % count]?.client ?? 0}`);
  let next = 0;
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      const probe = await client(0);
      await probe.put('probe', 'x');
      probe.close();
      break;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  return {
    client: () => client((next += 1)),
    close: async () => {
      await Promise.all(children.map((child) => new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      })));
      rmSync(join(peersDir, 'share', name), { recursive: true, force: true });
    },
  };
}

async function etcdClient(url: string): Promise<StoreClient> {
  const session: ClientHttp2Session = connect(url);
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
  });
  session.on('error', () => undefined);
  return {
    put: (key, value) => new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': '/etcdserverpb.KV/Put', 'content-type': 'application/grpc', te: 'trailers' });
      let status: unknown = '';
      stream.on('trailers', (headers) => {
        status = headers['grpc-status'];
      });
      stream.on('response', (headers) => {
        status = headers['grpc-status'] ?? status;
      });
      stream.on('data', () => undefined);
      stream.on('end', () => (status === '0' ? resolve() : reject(new Error(`grpc status ${String(status)}`))));
      stream.on('error', reject);
      stream.end(putRequest(key, value));
    }),
    close: () => session.destroy(),
  };
}

/** gRPC frame of `PutRequest { key = 1, value = 2 }`. */
function putRequest(key: string, value: string): Buffer {
  const field = (tag: number, text: string): Buffer => Buffer.concat([Buffer.from([tag]), varint(Buffer.byteLength(text)), Buffer.from(text)]);
  const body = Buffer.concat([field(0x0a, key), field(0x12, value)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
