import { AppError } from '../base/app-error.ts';
import { formatIp } from '../base/cidr.ts';
import type { Ip } from '../base/cidr.ts';
import { closePort, descriptorsMax, findPortHolder, openPort, portErrno } from '../os/port-socket.ts';
import { portName } from './checked-state.ts';
import type { CheckedPort } from './checked-state.ts';
import { createForwarder } from './port-forwarder.ts';
import type { Forwarder } from './port-forwarder.ts';

/**
 * Holds a socket on each published port while the daemon runs, so that no other program takes it unnoticed and a conflict
 * is found at once. Packets never reach these sockets (the maps lead them on before), those of IPv6 with IPv4 targets apart:
 * they go through the forwarder.
 */
export type PortKeeper = {
  /** Holds exactly these ports. Out: those that can't be had, each with its error; all others are held. */
  readonly hold: (ports: readonly CheckedPort[]) => readonly { readonly port: CheckedPort; readonly error: AppError }[];
  /** NET_PORT_IN_USE where somebody else holds the port. */
  readonly check: (port: Pick<CheckedPort, 'hostIp' | 'hostPort' | 'protocol'>) => void;
  readonly close: () => void;
};

/** Ports never take the last descriptors: containers are stopped and commands answered with what is left. */
const descriptorsKept = 64;

type Held = { readonly fd: number; readonly forwarder: Forwarder | null };

export function createPortKeeper(): PortKeeper {
  const held = new Map<string, Held>();
  const release = (key: string): void => {
    const one = held.get(key);
    held.delete(key);
    if (one === undefined) return;
    if (one.forwarder === null) closePort(one.fd);
    else one.forwarder.close();
  };
  return {
    hold: (ports) => {
      const wished = new Map(ports.map((port) => [keyOf(port), port]));
      for (const key of [...held.keys()]) if (!wished.has(key)) release(key);
      const refused: { port: CheckedPort; error: AppError }[] = [];
      for (const [key, port] of wished) {
        const now = held.get(key);
        if (now === undefined) {
          const fd = take(port);
          if (fd instanceof AppError) refused.push({ port, error: fd });
          else if (fd !== null) held.set(key, { fd, forwarder: isForwarded(port) ? createForwarder(fd) : null });
        }
        held.get(key)?.forwarder?.lead(port.targets.filter((one) => one.ip.family === 4));
      }
      return refused;
    },
    check: (port) => {
      if (held.has(keyOf(port))) return;
      const fd = take(port);
      if (fd instanceof AppError) throw fd;
      if (fd !== null) closePort(fd);
    },
    close: () => {
      for (const key of [...held.keys()]) release(key);
    },
  };
}

/** The kernel leads IPv6 to IPv6 only, and never from ::1; the rest is carried by the daemon. */
function isForwarded(port: CheckedPort): boolean {
  return port.hostIp.family === 6 && port.protocol === 'tcp';
}

/** null: this host has no IPv6, so there is nothing to hold. */
function take(port: Pick<CheckedPort, 'hostIp' | 'hostPort' | 'protocol'>): number | null | AppError {
  const opened = openPort({ ip: port.hostIp, port: port.hostPort, protocol: port.protocol, backlog: 512 });
  if ('fd' in opened && opened.fd < descriptorsMax() - descriptorsKept) return opened.fd;
  if ('fd' in opened) {
    closePort(opened.fd);
    return noDescriptor(port, 'daemon');
  }
  if (opened.errno === portErrno.inUse) return inUse(port);
  if (opened.errno === portErrno.processFull) return noDescriptor(port, 'daemon');
  if (opened.errno === portErrno.machineFull) return noDescriptor(port, 'machine');
  const isNoIpv6 = port.hostIp.family === 6 && (opened.errno === portErrno.noFamily || port.hostIp.value <= 1n);
  if (isNoIpv6) return null;
  return new AppError({
    code: 'NET_HOST_IP_MISSING',
    message: `${nameOf(port)} can't be published: ${formatIp(port.hostIp)} is no address of this host (error ${opened.errno})`,
    hint: 'publish on an address that `ip address` lists, or leave the address out',
  });
}

function noDescriptor(port: Pick<CheckedPort, 'hostIp' | 'hostPort' | 'protocol'>, whose: 'daemon' | 'machine'): AppError {
  const raise = whose === 'daemon' ? 'raise LimitNOFILE of the service (ulimit -n for a daemon that a command starts)' : 'raise the machine\'s limit (sysctl fs.file-max)';
  return new AppError({ code: 'NET_NO_DESCRIPTOR', message: `${nameOf(port)} can't be published: the ${whose} may open no more files and sockets`, hint: `publish fewer ports, or ${raise}` });
}

function inUse(port: Pick<CheckedPort, 'hostIp' | 'hostPort' | 'protocol'>): AppError {
  const holder = findPortHolder({ ip: port.hostIp, port: port.hostPort, protocol: port.protocol });
  return new AppError({
    code: 'NET_PORT_IN_USE',
    message: `port ${port.hostPort}/${port.protocol} on ${formatIp(port.hostIp)} is in use${holder === null ? '' : ` by ${holder}`}`,
    hint: `stop what holds it (ss -lpn${port.protocol === 'tcp' ? 't' : 'u'} 'sport = :${port.hostPort}'), or publish another port`,
  });
}

function nameOf(port: Pick<CheckedPort, 'hostIp' | 'hostPort' | 'protocol'>): string {
  return portName({ ...port, isAnyAddress: false, targets: [] });
}

function keyOf(port: { readonly hostIp: Ip; readonly hostPort: number; readonly protocol: string }): string {
  return `${port.protocol} ${formatIp(port.hostIp)} ${port.hostPort}`;
}
