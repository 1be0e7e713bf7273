import type { TaskPort } from './objects.ts';

/**
 * The addresses of the host that a published port answers on. A port without one is on both families, as with Docker; one to a
 * container without IPv6 is carried over by the daemon, which can be done for TCP only.
 */
export function publishedIps(port: Pick<TaskPort, 'hostIp' | 'protocol'>, hasIp6: boolean): readonly string[] {
  if (port.hostIp !== '') return [port.hostIp];
  return port.protocol === 'tcp' || hasIp6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}
