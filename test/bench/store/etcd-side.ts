import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { home } from '../ours.ts';
import { end, freePorts, type StoreMember, type StoreSide, until } from './store-side.ts';

/** How etcd is run here, and a folder that it and we both write to, on one disk. `inside`: the folder as etcd sees it. */
export type EtcdPlace = { readonly argv: readonly string[]; readonly folder: string; readonly inside: string; readonly env: NodeJS.ProcessEnv; readonly version: string };

/** From the peers' root (`PEERS` has `enter`, `PEERS_DIR` the root), else Debian's etcd-server; null where there is neither. */
export function findEtcd(): EtcdPlace | null {
  const scripts = process.env['PEERS'] ?? join(home, '..', 'shared', 'peers');
  const dir = process.env['PEERS_DIR'] ?? join(process.env['HOME'] ?? '/root', '.cache', 'flotilla-peers');
  const name = `store-bench-${process.pid}`;
  if (existsSync(join(scripts, 'enter')) && existsSync(join(dir, 'sid', 'usr', 'bin', 'etcd'))) {
    const folder = join(dir, 'share', name);
    mkdirSync(folder, { recursive: true });
    const env = { ...process.env, PEERS_DIR: dir };
    const argv = [join(scripts, 'enter'), 'etcd'];
    return { argv, folder, inside: join('/share', name), env, version: versionOf(argv, env) };
  }
  const folder = join(process.env['BENCH_DIR'] ?? tmpdir(), name);
  try {
    const version = versionOf(['etcd'], process.env);
    mkdirSync(folder, { recursive: true });
    return { argv: ['etcd'], folder, inside: folder, env: process.env, version };
  } catch {
    return null;
  }
}

function versionOf(argv: readonly string[], env: NodeJS.ProcessEnv): string {
  const [file = '', ...args] = argv;
  return /etcd Version: (\S+)/.exec(execFileSync(file, [...args, '--version'], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))?.[1] ?? 'unknown';
}

let started = 0;

/** Members with their defaults (heartbeat 100 ms, election 1 s, fsync on). */
export async function startEtcd(place: EtcdPlace, count: number): Promise<StoreSide> {
  const run = `etcd-${(started += 1)}`;
  const ports = await freePorts(count * 2);
  const peers = Array.from({ length: count }, (_, at) => `m${at}=http://127.0.0.1:${ports[count + at]}`).join(',');
  const members = Array.from({ length: count }, (_, at) => etcdMember(place, `${run}-m${at}`, at, ports[at] ?? 0, ports[count + at] ?? 0, peers));
  const close = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    for (let at = 0; at < count; at += 1) rmSync(join(place.folder, `${run}-m${at}`), { recursive: true, force: true });
  };
  const leader = (): Promise<StoreMember> => until('a member of etcd leads', async () => {
    for (const member of members) if (await leads(member).catch(() => false)) return member;
    return null;
  });
  try {
    await Promise.all(members.map((member) => member.restart()));
    await leader();
  } catch (error) {
    await close();
    throw error;
  }
  return { kind: 'etcd', members, leader, close };
}

async function leads(member: StoreMember): Promise<boolean> {
  const response = await fetch(`http://${member.target}/v3/maintenance/status`, { method: 'POST', body: '{}' });
  const status: unknown = await response.json();
  if (typeof status !== 'object' || status === null || !('leader' in status) || !('header' in status)) return false;
  const { header, leader } = status;
  return typeof header === 'object' && header !== null && 'member_id' in header && header.member_id === leader;
}

function etcdMember(place: EtcdPlace, dirName: string, at: number, clientPort: number, peerPort: number, peers: string): StoreMember {
  const [file = '', ...args] = place.argv;
  let child: ChildProcess | null = null;
  const target = `127.0.0.1:${clientPort}`;
  return {
    target,
    kill: () => end(child, 'SIGKILL'),
    restart: async () => {
      child = spawn(file, [
        ...args, '--name', `m${at}`, '--data-dir', `${place.inside}/${dirName}`, '--listen-client-urls', `http://${target}`, '--advertise-client-urls', `http://${target}`,
        '--listen-peer-urls', `http://127.0.0.1:${peerPort}`, '--initial-advertise-peer-urls', `http://127.0.0.1:${peerPort}`, '--initial-cluster', peers, '--log-level', 'error',
      ], { env: place.env, stdio: 'ignore' });
    },
  };
}
