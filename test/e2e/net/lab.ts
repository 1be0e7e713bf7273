// Hosts to test on: this process moves into an empty network and mount namespace, so that nothing of the machine changes.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Attachment, Endpoint, NodeNetwork, NodeNetworkState } from '../../../src/model/node-network.ts';
import { createNet } from '../../../src/net/create-net.ts';
import type { Net } from '../../../src/net/net.ts';
import { bindMount } from '../../../src/os/mount.ts';
import { createNetworkNamespace, enterEmptyHost, listNetworkNamespaces, removeNetworkNamespace } from '../../../src/os/netns.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { silentLog } from '../../../src/base/log.ts';

export type Order =
  | { readonly op: 'listenTcp' | 'listenUdp'; readonly host: string; readonly port: number; readonly text: string }
  | { readonly op: 'tcp'; readonly host: string; readonly port: number; readonly timeoutMs?: number; readonly from?: string }
  | { readonly op: 'udp'; readonly host: string; readonly port: number; readonly timeoutMs?: number; readonly from?: string; readonly flow?: string }
  | { readonly op: 'names'; readonly server: string; readonly name: string; readonly type: 'A' | 'AAAA' | 'PTR' | 'TXT' | 'MX'; readonly timeoutMs?: number; readonly tries?: number };

export type Peer = {
  readonly do: (order: Order) => Promise<string>;
  readonly stop: () => Promise<void>;
};

export type Lab = {
  readonly runRoot: string;
  /** `run`: the folder that a reboot empties, below the lab's; two instances have each their own. */
  readonly newNet: (instanceId?: string, run?: string) => Net;
  /** A process in a namespace; without a path, on the host itself. */
  readonly peer: (namespacePath?: string) => Promise<Peer>;
  /** Another host, joined to ours by a wire: it is 192.0.2.9, ours 192.0.2.1 and 2001:db8::1. */
  readonly neighbour: () => Promise<{ readonly path: string }>;
  readonly run: (command: string, namespacePath?: string) => string;
  readonly clean: () => Promise<void>;
};

export function openLab(): Lab {
  enterEmptyHost();
  const root = mkdtempSync('/tmp/flotilla-lab-');
  const resolvers = join(root, 'resolv.conf');
  writeFileSync(resolvers, 'nameserver 127.0.0.1\nsearch lab.example\n');
  bindMount(resolvers, '/etc/resolv.conf', { isRecursive: false });
  const peers: Peer[] = [];
  const spaces: string[] = [];
  const nets: Net[] = [];
  const run = (command: string, namespacePath?: string): string =>
    execFileSync(namespacePath === undefined ? 'sh' : 'nsenter', [...(namespacePath === undefined ? [] : [`--net=${namespacePath}`, 'sh']), '-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  // As a fresh host, whatever this machine has; without duplicate detection, so that IPv6 works from the first packet.
  run('ip link set lo up; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0');
  return {
    runRoot: join(root, 'run'),
    newNet: (instanceId = 'lab', run = 'run') => {
      const net = createNet({ instanceId, runRoot: join(root, run), clock: realClock, log: silentLog });
      nets.push(net);
      return net;
    },
    peer: async (namespacePath) => {
      const peer = startPeer(namespacePath);
      peers.push(peer);
      return peer;
    },
    neighbour: async () => {
      const path = join(root, `neighbour${spaces.length}`);
      createNetworkNamespace(path, () => undefined);
      run('sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0', path);
      spaces.push(path);
      run(`ip link add wan0 type veth peer name wan0 netns ${path}; ip addr add 192.0.2.1/24 dev wan0; ip -6 addr add 2001:db8::1/64 dev wan0 nodad; ip link set wan0 up`);
      run('ip link set lo up; ip addr add 192.0.2.9/24 dev wan0; ip -6 addr add 2001:db8::9/64 dev wan0 nodad; ip link set wan0 up', path);
      run('ip route add default via 192.0.2.9');
      return { path };
    },
    run,
    clean: async () => {
      for (const peer of peers) await peer.stop();
      for (const net of nets) await net.close().catch(() => undefined);
      const left = join(root, 'run', 'netns');
      for (const path of [...spaces, ...listNetworkNamespaces(left).map((name) => join(left, name))]) removeNetworkNamespace(path);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function startPeer(namespacePath: string | undefined): Peer {
  const program = join(import.meta.dirname, 'peer-process.ts');
  const argv = [...(namespacePath === undefined ? [] : ['nsenter', `--net=${namespacePath}`]), process.execPath, program];
  const child: ChildProcess = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], execArgv: [] } as object);
  const waiting = new Map<number, (text: string) => void>();
  let last = 0;
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  createInterface({ input: stdout }).on('line', (line) => {
    const { id, text }: { id: number; text: string } = JSON.parse(line);
    waiting.get(id)?.(text);
    waiting.delete(id);
  });
  return {
    do: (order) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        stdin.write(`${JSON.stringify({ id: last, order })}\n`);
      }),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else {
          child.once('exit', () => resolve());
          stdin.end();
        }
      }),
  };
}

export function network(id: string, number: number, more: Partial<NodeNetwork> = {}): NodeNetwork {
  return { id, name: id, subnet: `10.77.${number}.0/24`, gateway: `10.77.${number}.1`, subnet6: null, gateway6: null, isInternal: false, mtu: null, ...more };
}

export function attachment(networkId: string, ip: string, more: Partial<Attachment> = {}): Attachment {
  return { networkId, interfaceName: 'eth0', ip, ip6: null, mac: null, isDefaultRoute: true, names: [], isInRotation: true, reverseName: `x.${networkId}`, ...more };
}

export function endpoint(id: string, attachments: readonly Attachment[], dnsServers: readonly string[] = []): Endpoint {
  return { id, attachments, dnsServers };
}

export function stateOf(networks: readonly NodeNetwork[], endpoints: readonly Endpoint[], publishedPorts: NodeNetworkState['publishedPorts'] = []): NodeNetworkState {
  return { networks, endpoints, publishedPorts };
}
