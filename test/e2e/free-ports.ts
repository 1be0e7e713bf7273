import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';

/** Below those that the kernel gives to connections, so that none is taken between this and its use; far enough apart that runs beside each other seldom meet. */
const [firstPort, lastPort] = [20_000, 32_000];
const triesMax = 200;

/** Ports of the host that nobody has, one behind the other: the first of them. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const first = firstPort + Math.floor(Math.random() * (lastPort - firstPort - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.flatMap((port) => [isFreeTcp(port), isFreeUdp(port)]))).every((isFree) => isFree)) return first;
  }
  throw new Error(`no ${count} ports in a row are free`);
}

function isFreeTcp(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '0.0.0.0', () => probe.close(() => resolve(true)));
  });
}

function isFreeUdp(port: number): Promise<boolean> {
  const probe = createSocket('udp4');
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.bind(port, '0.0.0.0', () => probe.close(() => resolve(true)));
  });
}
