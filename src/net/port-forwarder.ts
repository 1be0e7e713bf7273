import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { formatIp } from '../base/cidr.ts';
import type { Ip } from '../base/cidr.ts';

/**
 * Carries TCP connections from an IPv6 socket to IPv4 targets, in turn. The one place where the daemon stands in the way of
 * packets: the kernel can't translate between the families, nor lead ::1 out of the host. Without the daemon, IPv4 goes on.
 */
export type Forwarder = {
  readonly lead: (targets: readonly { readonly ip: Ip; readonly port: number }[]) => void;
  readonly close: () => void;
};

const connectionsMax = 4096;

/** In: the descriptor of a listening socket, which it owns from now on. */
export function createForwarder(fd: number): Forwarder {
  let targets: readonly { readonly ip: Ip; readonly port: number }[] = [];
  let turn = 0;
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const target = targets[(turn += 1) % Math.max(1, targets.length)];
    client.on('error', () => client.destroy());
    if (target === undefined || open.size >= connectionsMax) {
      client.resetAndDestroy();
      return;
    }
    open.add(client);
    const server = connect({ host: formatIp(target.ip), port: target.port, allowHalfOpen: true });
    server.on('error', () => client.resetAndDestroy());
    client.on('close', () => {
      open.delete(client);
      server.destroy();
    });
    server.on('close', () => client.destroySoon());
    server.on('connect', () => {
      client.pipe(server);
      server.pipe(client);
    });
  });
  // NOTE: errors of accepting (too many open files) come here; the next connection is tried again.
  server.on('error', () => undefined);
  server.listen({ fd });
  return {
    lead: (next) => {
      targets = next;
    },
    close: () => {
      server.close();
      for (const client of open) client.destroy();
    },
  };
}
