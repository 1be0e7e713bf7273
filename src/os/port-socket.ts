import { closeSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { Ip } from '../base/cidr.ts';
import { ipToBytes } from '../base/cidr.ts';
import { errnoOf, errorName, libcFunction } from './libc.ts';
import { commandLineOf } from './process-handle.ts';

/**
 * Sockets made by hand, so that one system call after the other decides: a port is ours or it is not, without a turn of the
 * event loop in between. The descriptors may be given to node:net (`listen({fd})`) or node:dgram (`bind({fd})`).
 */
const afInet = 2;
const afInet6 = 10;
const sockStream = 1;
const sockDgram = 2;
const sockFlags = 0o2004000;
const solSocket = 1;
const soReuseAddr = 2;
const solIpv6 = 41;
const ipv6Only = 26;

/** In use; not an address of this host; a family that this host does not have; no descriptor left, for the process or the machine. */
export const portErrno = { inUse: 98, notLocal: 99, noFamily: 97, processFull: 24, machineFull: 23 } as const;

let bound: ReturnType<typeof bind> | undefined;

function bind(): Readonly<Record<'socket' | 'setsockopt' | 'bind' | 'listen', ReturnType<typeof libcFunction>>> {
  return {
    socket: libcFunction('int socket(int domain, int type, int protocol)'),
    setsockopt: libcFunction('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t size)'),
    bind: libcFunction('int bind(int fd, const uint8_t *address, uint32_t size)'),
    listen: libcFunction('int listen(int fd, int backlog)'),
  };
}

/**
 * A socket bound to an address, TCP ones listening: nobody else can take the port while it is open.
 * Out: the descriptor, or the error's number when it can't be had (see `portErrno`).
 */
export function openPort(options: { readonly ip: Ip; readonly port: number; readonly protocol: 'tcp' | 'udp'; readonly backlog: number }): { readonly fd: number } | { readonly errno: number } {
  bound ??= bind();
  const isV4 = options.ip.family === 4;
  const fd = bound.socket(isV4 ? afInet : afInet6, (options.protocol === 'tcp' ? sockStream : sockDgram) | sockFlags, 0);
  if (fd < 0) return { errno: errnoOf(fd) };
  const on = Buffer.from(Int32Array.of(1).buffer);
  // TCP: connections that linger from an earlier server must not count as an occupant; a listening one still does.
  if (options.protocol === 'tcp') bound.setsockopt(fd, solSocket, soReuseAddr, on, 4);
  if (!isV4) bound.setsockopt(fd, solIpv6, ipv6Only, on, 4);
  const address = socketAddress(options.ip, options.port);
  const errno = errnoOf(bound.bind(fd, address, address.length)) || (options.protocol === 'tcp' ? errnoOf(bound.listen(fd, options.backlog)) : 0);
  if (errno === 0) return { fd };
  closeSync(fd);
  return { errno };
}

/** How many descriptors this process may have now, by its soft limit. */
export function descriptorsMax(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY);
}

export function closePort(fd: number): void {
  closeSync(fd);
}

/** sockaddr_in and sockaddr_in6. */
function socketAddress(ip: Ip, port: number): Buffer {
  const bytes = Buffer.alloc(ip.family === 4 ? 16 : 28);
  bytes.writeUInt16LE(ip.family === 4 ? afInet : afInet6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(ip), ip.family === 4 ? 4 : 8);
  return bytes;
}

/**
 * Who holds a port where `ip` wants it, for an error's text: `nginx (pid 812)`; null where that can't be seen. A socket on
 * another address is in nobody's way. Reads /proc, up to tens of milliseconds.
 */
export function findPortHolder(options: { readonly ip: Ip; readonly port: number; readonly protocol: 'tcp' | 'udp' }): string | null {
  const inodes = new Set([...socketInodes(options.protocol, options), ...socketInodes(`${options.protocol}6`, options)]);
  if (inodes.size === 0) return null;
  for (const pid of listOrEmpty('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of listOrEmpty(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readOrEmpty(() => readlinkSync(`/proc/${pid}/fd/${fd}`)))?.[1];
      if (inode !== undefined && inodes.has(inode)) return `${programName(pid)} (pid ${pid})`;
    }
  }
  return null;
}

/** NOTE: Node.js names its main thread, so what it runs says more: `node server.js`. */
function programName(pid: string): string {
  const name = readOrEmpty(() => readFileSync(`/proc/${pid}/comm`, 'utf8')).trim();
  if (name !== 'MainThread') return name;
  const words = (commandLineOf(Number(pid)) ?? []).filter((word) => !word.startsWith('-'));
  return words.slice(0, 2).map((word) => basename(word)).join(' ');
}

/** Columns of /proc/net/tcp: number, local address:port in hexadecimal, remote, state (0A listens; udp has 07), …, inode as the tenth. */
function socketInodes(table: string, wanted: { readonly ip: Ip; readonly port: number }): string[] {
  const text = readOrEmpty(() => readFileSync(`/proc/thread-self/net/${table}`, 'utf8'));
  const port = wanted.port.toString(16).toUpperCase().padStart(4, '0');
  return text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const [address = '', ownPort] = (columns[1] ?? '').split(':');
    const isOpen = table.startsWith('udp') || columns[3] === '0A';
    return isOpen && ownPort === port && isInTheWay(address, wanted.ip) && columns[9] !== undefined ? [columns[9]] : [];
  });
}

/** The same address, or one of both stands for every address. `address` is hexadecimal, in words of four bytes in the machine's order. */
function isInTheWay(address: string, ip: Ip): boolean {
  const own = (address.match(/.{8}/g) ?? []).map((word) => (word.match(/../g) ?? []).reverse().join('')).join('').toLowerCase();
  const other = Buffer.from(ipToBytes(ip)).toString('hex');
  return /^0+$/.test(own) || /^0+$/.test(other) || own === other || own === `${'0'.repeat(20)}ffff${other}`;
}

function listOrEmpty(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errorName(error) === null) throw error;
    return [];
  }
}

/** NOTE: processes end while we look; what can't be read any more is nobody's. */
function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (errorName(error) === null) throw error;
    return '';
  }
}
