import { isAppError } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { refusalOf } from '../base/refusal.ts';
import type { Engine } from '../engine/engine.ts';
import type { Queries } from '../manager/queries.ts';
import type { Deployment } from '../model/deployment.ts';
import type { ChangeEvent } from '../model/progress.ts';
import type { Service } from '../model/project.ts';
import { publishedIps } from '../model/published-ips.ts';
import type { Net } from '../net/net.ts';
import { factsQuick } from '../os/quick-files.ts';
import { pullAll, type WantedImage } from './api/images.ts';

export type Preflight = { readonly engine: Engine; readonly net: Net; readonly queries: Queries };

/**
 * Before anything changes: what the host is to have is there, every port that the project does not hold already is free, and every image
 * is fetched. What fails here leaves all as it was. Errors: those of `refusalOf`, each reason with its path in the model.
 */
export async function* preflight(on: Preflight, deployment: Deployment, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
  const services = selectedServices(deployment);
  const problems = [...services.flatMap(missingPaths), ...(await takenPorts(on, deployment.project.name, services))];
  if (problems.length > 0) throw refusalOf(problems);
  const images = new Map<string, WantedImage & { readonly path: string }>();
  for (const [name, service] of services) {
    if (service.image === undefined) continue;
    const wanted = { reference: service.image, platform: service.platform, policy: policyOf(service, deployment), path: `services.${name}.image` };
    const known = images.get(service.image);
    if (known === undefined || wanted.policy === 'always') images.set(service.image, wanted);
  }
  const failures: Diagnostic[] = [];
  const onFailure = (reference: string, error: unknown): void => {
    if (!isAppError(error)) throw error;
    failures.push({ severity: 'error', code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }), line: 0, column: 0, path: images.get(reference)?.path ?? 'services' });
  };
  yield* pullAll(on.engine, [...images.values()], { onFailure, signal });
  if (failures.length > 0) throw refusalOf(failures);
}

type Named = readonly [name: string, service: Service];

/** The named services and what they need; all without names. */
function selectedServices(deployment: Deployment): readonly Named[] {
  const { project, options } = deployment;
  if (options.services.length === 0) return Object.entries(project.services);
  const chosen = new Set<string>();
  const visit = (name: string): void => {
    const service = project.services[name];
    if (service === undefined || chosen.has(name)) return;
    chosen.add(name);
    if (!options.noDeps) for (const dependency of Object.keys(service.depends_on ?? {})) visit(dependency);
  };
  for (const name of options.services) visit(name);
  return Object.entries(project.services).filter(([name]) => chosen.has(name));
}

function policyOf(service: Service, deployment: Deployment): WantedImage['policy'] {
  const asked = deployment.options.pull === 'policy' ? service.pull_policy : deployment.options.pull;
  if (asked === 'always' || asked === 'never') return asked;
  return 'missing';
}

type WantedPort = { readonly hostIp: string; readonly port: number; readonly protocol: 'tcp' | 'udp'; readonly path: string };

async function takenPorts(on: Preflight, projectName: string, services: readonly Named[]): Promise<Diagnostic[]> {
  const ports = newPorts(on.queries, projectName, services);
  const ofOthers = ports.flatMap((port) => heldByOther(on.queries, projectName, port));
  if (ofOthers.length > 0) return ofOthers;
  try {
    await on.net.checkPortsFree(ports.flatMap(addressesOf));
    return [];
  } catch {
    // Asked again one by one: which of them it is.
    const found = await Promise.all(ports.map(async (port) => [port, await on.net.checkPortsFree(addressesOf(port)).then(() => null, (error: unknown) => error)] as const));
    return found.flatMap(([port, error]): Diagnostic[] => {
      if (error === null) return [];
      if (!isAppError(error)) throw error;
      return [{ severity: 'error', code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }), line: 0, column: 0, path: port.path }];
    });
  }
}

function addressesOf(port: WantedPort): WantedPort[] {
  return publishedIps(port, false).map((hostIp) => ({ ...port, hostIp }));
}

/** Our own ports are no news to the host's check: another application's are looked up where they were given. */
function heldByOther(queries: Queries, projectName: string, wanted: WantedPort): Diagnostic[] {
  const isEvery = (hostIp: string): boolean => hostIp === '0.0.0.0' || hostIp === '::' || hostIp === '';
  const holder = queries.tasks(null).find(
    (task) =>
      task.projectName !== projectName && task.desired !== 'removed' && task.desired !== 'stopped' &&
      task.ports.some((port) => port.protocol === wanted.protocol && port.hostPort === wanted.port && (port.hostIp === wanted.hostIp || isEvery(port.hostIp) || isEvery(wanted.hostIp))),
  );
  if (holder === undefined) return [];
  return [{
    severity: 'error', code: 'CLUSTER_PORT_IN_USE', message: `port ${wanted.port}/${wanted.protocol} is published by ${holder.containerName} of application ${holder.projectName}`,
    hint: `publish another port, or stop it: flotilla compose -p ${holder.projectName} stop ${holder.serviceName}`, line: 0, column: 0, path: wanted.path,
  }];
}

/** Single ports that the file names; one of a range is chosen later, among those that are free. */
function newPorts(queries: Queries, projectName: string, services: readonly Named[]): WantedPort[] {
  const held = new Set(queries.tasks(projectName).flatMap((task) => task.ports.map((port) => `${port.protocol} ${port.hostPort}`)));
  return services.flatMap(([name, service]) =>
    (service.ports ?? []).flatMap((port, index): WantedPort[] => {
      const number = Number(port.published ?? '');
      const protocol = port.protocol === 'udp' ? 'udp' : 'tcp';
      if (!Number.isInteger(number) || number === 0 || held.has(`${protocol} ${number}`)) return [];
      return [{ hostIp: port.host_ip ?? '', port: number, protocol, path: `services.${name}.ports[${index}]` }];
    }),
  );
}

/** Files and devices of the host that nobody makes for a service. */
function missingPaths([name, service]: Named): Diagnostic[] {
  const missing = (code: Diagnostic['code'], path: string, message: string, hint: string): Diagnostic => ({ severity: 'error', code, message, hint, line: 0, column: 0, path: `services.${name}.${path}` });
  const binds = (service.volumes ?? []).flatMap((mount, index) => {
    const { source = '' } = mount;
    if (mount.type !== 'bind' || mount.bind?.create_host_path !== false || factsQuick(source) !== null) return [];
    return [missing('ENGINE_MOUNT_SOURCE', `volumes[${index}]`, `service ${name}: ${source} does not exist, and is to be mounted on ${mount.target ?? ''}`, `mkdir -p ${source}, or leave create_host_path out`)];
  });
  const devices = (service.devices ?? []).flatMap(({ source = '' }, index) =>
    source === '' || factsQuick(source) !== null ? [] : [missing('ENGINE_DEVICE_UNKNOWN', `devices[${index}]`, `service ${name}: there is no device ${source} on this host`, 'name a device that `ls /dev` shows')],
  );
  return [...binds, ...devices];
}
