import type { Project } from '../../model/project.ts';
import type { Contradiction } from './consistency.ts';

/**
 * Finds ports of the host that two services want, or several copies of one. The file is valid, and starts as long as only
 * one of them runs; so these are warnings. Ranges and ports that are chosen later never clash here.
 */
export function findSamePorts(services: Project['services']): Contradiction[] {
  const found: Contradiction[] = [];
  const owners = new Map<string, { readonly name: string; readonly ip: string }[]>();
  for (const [name, service] of Object.entries(services)) {
    const copies = service.deploy?.replicas ?? service.scale ?? 1;
    service.ports?.forEach((port, index) => {
      if (port.published === undefined || !/^\d+$/.test(port.published) || port.published === '0') return;
      const key = `${Number(port.published)}/${port.protocol ?? 'tcp'}`;
      const ip = port.host_ip ?? '';
      const earlier = owners.get(key) ?? [];
      const other = earlier.find((one) => one.name !== name && (isAny(one.ip) || isAny(ip) || one.ip === ip));
      const path = ['services', name, 'ports', String(index)];
      const hint = 'Publish it on another port, or leave the first number out to get a free one.';
      if (other !== undefined) found.push({ path, code: 'SPEC_SAME_PORT', message: `services \`${other.name}\` and \`${name}\` both publish port ${key} of the host`, hint });
      else if (copies > 1 && port.mode === 'host') found.push({ path, code: 'SPEC_SAME_PORT', message: `${copies} copies of service \`${name}\` publish the same port ${key} of their host`, hint });
      earlier.push({ name, ip });
      owners.set(key, earlier);
    });
  }
  return found;
}

function isAny(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::';
}
