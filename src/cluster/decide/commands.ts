import { AppError } from '../../base/app-error.ts';
import { refusalOf } from '../../base/refusal.ts';
import type { Change } from '../../model/entry.ts';
import type { ServiceObject } from '../../model/objects.ts';
import type { Service } from '../../model/project.ts';
import { get, networksOfProject, servicesOfProject, tasksOfService, volumesOfProject, type View } from '../state/view.ts';
import { patch } from './draft.ts';
import { isAlive, isCurrent, isLeaving } from './facts.ts';
import { refuseReplicas } from './replicas.ts';
import { select, withRestartedDependents } from './selection.ts';
import { wake } from './wake.ts';

/** The commands that change what is already deployed. `services` empty: all. Each answers changes of wishes; tasks follow (orchestrate.ts). */

export type StopOptions = { readonly projectName: string; readonly services: readonly string[]; readonly stopGraceMs: number | null };

/** Containers are kept. In reverse order of the dependencies that stop too. */
export function decideStop(view: View, options: StopOptions): Change[] {
  // A stop under way is hastened by one with another patience: the second Ctrl-C.
  const isHastened = (one: ServiceObject): boolean => one.desired === 'stopped' && options.stopGraceMs !== null && one.stopGraceMs !== options.stopGraceMs;
  return chosen(view, options, false).filter((one) => one.desired === 'running' || isHastened(one)).map((one) => patch<'service'>(one, { desired: 'stopped', stopGraceMs: options.stopGraceMs }));
}

/** With what they need, in the order of the conditions. `services`: those and what they need, where anything changes. */
export function decideStart(view: View, options: { readonly projectName: string; readonly services: readonly string[] }): { readonly changes: readonly Change[]; readonly services: readonly string[] } {
  const services = chosen(view, options, true);
  const changes = services.flatMap((service) => startOne(view, service));
  return { changes, services: changes.length === 0 ? [] : services.map((one) => one.name).sort() };
}

function startOne(view: View, service: ServiceObject): Change[] {
  const next: ServiceObject = { ...service, desired: 'running', stopGraceMs: null };
  return [...(service.desired === 'running' ? [] : [patch<'service'>(service, next)]), ...wake(next, tasksOfService(view, service.id))];
}

/** In place, in the order of dependencies, and with them those that `depends_on.restart` ties to them. What is stopped is started. */
export function decideRestart(view: View, options: StopOptions & { readonly withDependents: boolean }): Change[] {
  const named = chosen(view, options, false);
  const names = options.withDependents ? withRestartedDependents(specsOf(view, options.projectName), named.map((one) => one.name)) : named.map((one) => one.name);
  return servicesOfProject(view, options.projectName).filter((one) => names.includes(one.name) && one.desired !== 'removed').flatMap((service) => {
    const next: ServiceObject = { ...service, desired: 'running', restartCount: service.restartCount + 1, stopGraceMs: options.stopGraceMs };
    return [patch<'service'>(service, next), ...wake(next, tasksOfService(view, service.id))];
  });
}

export type DownOptions = StopOptions & {
  /** Named and anonymous volumes go too; external ones stay. */
  readonly removeVolumes: boolean;
  /** The services of the file; null: all there are. Others are orphans, and stay unless asked for. */
  readonly fileServices: readonly string[] | null;
  /** Services of the file that no active profile enables: they stay, and are no orphans. */
  readonly disabledServices?: readonly string[];
  readonly removeOrphans: boolean;
};

/** Services in reverse order, then networks, volumes and the rest as nothing refers to them any more (reap.ts). Nothing there: nothing changes. */
export function decideDown(view: View, options: DownOptions): Change[] {
  const { projectName } = options;
  const all = servicesOfProject(view, projectName);
  const isWhole = options.services.length === 0;
  // Of what isn't deployed, the names of the file are as good as any.
  const known = all.length > 0 ? all.map((one) => one.name) : [...(options.fileServices ?? []), ...(options.disabledServices ?? [])];
  if (!isWhole) refuseUnknown(known, options.services, projectName);
  const leaving = all.filter((one) => (isWhole ? isInFile(one, options) || (options.removeOrphans && isOrphan(one, options)) : options.services.includes(one.name)));
  const changes: Change[] = leaving.filter((one) => one.desired !== 'removed' || one.stopGraceMs !== options.stopGraceMs || one.removeVolumes !== options.removeVolumes)
    .map((one) => patch<'service'>(one, { desired: 'removed', stopGraceMs: options.stopGraceMs, removeVolumes: options.removeVolumes }));
  if (!isWhole) return changes;
  const staying = all.filter((one) => !leaving.includes(one) && one.desired !== 'removed');
  const held = new Set(staying.flatMap((one) => [...Object.values(one.refs.networks), ...Object.values(one.refs.volumes)]));
  for (const network of networksOfProject(view, projectName)) if (network.desired === 'present' && !held.has(network.id)) changes.push(patch<'network'>(network, { desired: 'removed' }));
  if (options.removeVolumes) for (const volume of volumesOfProject(view, projectName)) if (volume.desired === 'present' && !held.has(volume.id)) changes.push(patch<'volume'>(volume, { desired: 'removed' }));
  const project = get(view, 'project', projectName);
  if (project !== undefined && project.desired === 'present' && staying.length === 0) changes.push(patch<'project'>(project, { desired: 'removed' }));
  return changes;
}

/** Running services that `down` leaves behind because the file does not have them. */
export function orphansLeft(view: View, options: DownOptions): string[] {
  if (options.services.length > 0 || options.removeOrphans) return [];
  return servicesOfProject(view, options.projectName).filter((one) => one.desired !== 'removed' && isOrphan(one, options)).map((one) => one.name).sort();
}

function isInFile(one: ServiceObject, options: DownOptions): boolean {
  return options.fileServices === null || options.fileServices.includes(one.name);
}

function isOrphan(one: ServiceObject, options: DownOptions): boolean {
  return !isInFile(one, options) && options.disabledServices?.includes(one.name) !== true;
}

export function decideScale(view: View, options: { readonly projectName: string; readonly replicas: Readonly<Record<string, number>> }): Change[] {
  const services = servicesOfProject(view, options.projectName);
  refuseUnknown(services.map((one) => one.name), Object.keys(options.replicas), options.projectName);
  return services.flatMap((service) => {
    const replicas = options.replicas[service.name];
    if (replicas === undefined || replicas === service.replicas) return [];
    const refused = refuseReplicas(service.name, service.spec, replicas);
    if (refused.length > 0) throw refusalOf(refused);
    if (replicas > 1 && service.spec.container_name !== undefined) {
      throw new AppError({ code: 'CLUSTER_SCALE_REFUSED', message: `service ${service.name}: ${replicas} containers can't all have the name ${service.spec.container_name}`, hint: 'remove container_name from the file' });
    }
    return [patch<'service'>(service, { replicas })];
  });
}

/**
 * `compose rm`: stopped containers go, or all of them with `isStopping`; the service with them, until the next `up`. A service of
 * which some container runs is left alone, as its slots would be filled again at once.
 */
export function decideRemove(view: View, options: StopOptions & { readonly isStopping: boolean; readonly removeVolumes: boolean }): { readonly changes: readonly Change[]; readonly running: readonly string[] } {
  const services = chosen(view, options, false);
  const isBusy = (service: ServiceObject): boolean => !options.isStopping && tasksOfService(view, service.id).some((task) => !isLeaving(task) && isCurrent(task, service) && isAlive(task));
  return {
    changes: services.filter((one) => !isBusy(one)).map((one) => patch<'service'>(one, { desired: 'removed', stopGraceMs: options.stopGraceMs, removeVolumes: options.removeVolumes })),
    running: services.filter(isBusy).map((one) => one.name),
  };
}

/** Errors: CLUSTER_PROJECT_NOT_FOUND, CLUSTER_SERVICE_NOT_FOUND. */
function chosen(view: View, options: { readonly projectName: string; readonly services: readonly string[] }, withDependencies: boolean): ServiceObject[] {
  const services = servicesOfProject(view, options.projectName).filter((one) => one.desired !== 'removed');
  if (services.length === 0 && get(view, 'project', options.projectName) === undefined) {
    throw new AppError({ code: 'CLUSTER_PROJECT_NOT_FOUND', message: `no application named ${options.projectName} is deployed`, hint: 'flotilla compose up -d deploys it' });
  }
  refuseUnknown(services.map((one) => one.name), options.services, options.projectName);
  const selection = select(specsOf(view, options.projectName), { services: options.services, withDependencies });
  return services.filter((one) => selection.all.includes(one.name));
}

function specsOf(view: View, projectName: string): { readonly services: Record<string, Service> } {
  return { services: Object.fromEntries(servicesOfProject(view, projectName).map((one) => [one.name, one.spec])) };
}

function refuseUnknown(known: readonly string[], names: readonly string[], projectName: string): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new AppError({ code: 'CLUSTER_SERVICE_NOT_FOUND', message: `${projectName} has no such service: ${unknown.join(', ')}`, hint: `deployed are: ${known.join(', ') || 'none'}` });
}
