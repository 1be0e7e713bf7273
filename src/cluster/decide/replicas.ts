import type { Diagnostic } from '../../base/diagnostic.ts';
import { limits } from '../../base/limits.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { Service } from '../../model/project.ts';
import { portRange } from './allocate-ports.ts';
import { networkKindOf } from './namespaces.ts';
import { problem } from './stack-objects.ts';

/** How many containers a deployment asks for of a service. */
export function replicasOf(name: string, spec: Service, options: Deployment['options']): number {
  return options.scale[name] ?? spec.scale ?? spec.deploy?.replicas ?? 1;
}

/** Why a service can't have so many containers, each reason with the key of the file that it lies in; [] where it can. */
export function refuseReplicas(name: string, spec: Service, replicas: number): Diagnostic[] {
  const refused = (message: string, hint: string, key: string): Diagnostic[] => [problem({ code: 'CLUSTER_SCALE_REFUSED', message: `service ${name}: ${message}`, hint, path: `services.${name}.${key}` })];
  const key = spec.scale !== undefined ? 'scale' : spec.deploy?.replicas !== undefined ? 'deploy.replicas' : 'scale';
  if (!Number.isInteger(replicas) || replicas < 0) return refused(`${replicas} is not a number of containers`, 'name a whole number from 0', key);
  if (replicas > limits.replicasMax) return refused(`${replicas} containers are more than the ${limits.replicasMax} that one service may have`, 'divide it into several services', key);
  const port = mostLedPort(spec);
  if (port === null || replicas * port.targets <= limits.portTargetsMax) return [];
  return refused(`port ${port.name} would lead to ${replicas * port.targets} containers, and a published port leads to at most ${limits.portTargetsMax}`, 'run fewer containers, publish a range of ports, or put a service of its own in front', `ports[${port.index}]`);
}

/** The published port that leads to most targets for each container of the service; a range gives each container a port of its own. */
function mostLedPort(spec: Service): { readonly name: string; readonly index: number; readonly targets: number } | null {
  if (networkKindOf(spec) !== 'own') return null;
  const counts = new Map<string, { readonly index: number; readonly targets: number }>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    const range = portRange(port.published);
    if (range === null || range.first !== range.last) continue;
    const name = `${port.host_ip === undefined ? '' : `${port.host_ip}:`}${range.first}/${port.protocol ?? 'tcp'}`;
    counts.set(name, { index, targets: (counts.get(name)?.targets ?? 0) + 1 });
  }
  return [...counts].reduce<{ readonly name: string; readonly index: number; readonly targets: number } | null>((most, [name, one]) => (most === null || one.targets > most.targets ? { name, ...one } : most), null);
}
