import type { Engine } from '../engine/engine.ts';
import type { Queries } from '../manager/queries.ts';
import type { Deployment } from '../model/deployment.ts';
import type { ChangeEvent } from '../model/progress.ts';
import type { Service } from '../model/project.ts';
import type { Net } from '../net/net.ts';
import { pullAll, type WantedImage } from './api/images.ts';

export type Preflight = { readonly engine: Engine; readonly net: Net; readonly queries: Queries };

/**
 * Before anything changes: every image is fetched, and every port that the project does not hold already is free. What fails
 * here leaves all as it was.
 */
export async function* preflight(on: Preflight, deployment: Deployment, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
  const services = selectedServices(deployment);
  await on.net.checkPortsFree(newPorts(on.queries, deployment.project.name, services));
  const images = new Map<string, WantedImage>();
  for (const service of services) {
    if (service.image === undefined) continue;
    const wanted: WantedImage = { reference: service.image, platform: service.platform, policy: policyOf(service, deployment) };
    const known = images.get(service.image);
    if (known === undefined || wanted.policy === 'always') images.set(service.image, wanted);
  }
  yield* pullAll(on.engine, [...images.values()], { ignoreFailures: false, signal });
}

/** The named services and what they need; all without names. */
function selectedServices(deployment: Deployment): readonly Service[] {
  const { project, options } = deployment;
  if (options.services.length === 0) return Object.values(project.services);
  const chosen = new Set<string>();
  const visit = (name: string): void => {
    const service = project.services[name];
    if (service === undefined || chosen.has(name)) return;
    chosen.add(name);
    if (!options.noDeps) for (const dependency of Object.keys(service.depends_on ?? {})) visit(dependency);
  };
  for (const name of options.services) visit(name);
  return [...chosen].flatMap((name) => project.services[name] ?? []);
}

function policyOf(service: Service, deployment: Deployment): WantedImage['policy'] {
  const asked = deployment.options.pull === 'policy' ? service.pull_policy : deployment.options.pull;
  if (asked === 'always' || asked === 'never') return asked;
  return 'missing';
}

/** Single ports that the file names; one of a range is chosen later, among those that are free. */
function newPorts(queries: Queries, projectName: string, services: readonly Service[]): { hostIp: string; port: number; protocol: 'tcp' | 'udp' }[] {
  const held = new Set(queries.tasks(projectName).flatMap((task) => task.ports.map((port) => `${port.protocol} ${port.hostPort}`)));
  return services
    .flatMap((service) => service.ports ?? [])
    .flatMap((port) => {
      const number = Number(port.published ?? '');
      const protocol = port.protocol === 'udp' ? 'udp' : 'tcp';
      if (!Number.isInteger(number) || number === 0 || held.has(`${protocol} ${number}`)) return [];
      return [{ hostIp: port.host_ip ?? '0.0.0.0', port: number, protocol }];
    });
}
