import { sortDiagnostics, type Diagnostic } from '../../base/diagnostic.ts';
import { sha256Hex } from '../../base/sha256.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { Change } from '../../model/entry.ts';
import type { ServiceObject, ServiceRefs, TaskObject } from '../../model/objects.ts';
import type { Service } from '../../model/project.ts';
import { refuse } from '../lower/refuse.ts';
import { allOf, get, servicesOfProject, tasksOfService, type View } from '../state/view.ts';
import { patch, put, unstored, type Makers } from './draft.ts';
import { networkKeysOf } from './namespaces.ts';
import { refuseReplicas, replicasOf } from './replicas.ts';
import { select, type Selection } from './selection.ts';
import { checkNetworks, checkPorts } from './stack-checks.ts';
import { problem, resolveData, resolveNetworks, resolveVolumes, stableText, type StackScene } from './stack-objects.ts';
import { wake } from './wake.ts';

/** Refused: nothing changes, and every reason is told. Accepted: `diagnostics` holds warnings only. */
export type StackDecision = { readonly isRefused: boolean; readonly changes: readonly Change[]; readonly diagnostics: readonly Diagnostic[];
  /** Those it is about: selected, and orphans that go. */
  readonly services: readonly string[] };

/**
 * `compose up`: what is to be in the store for a deployment. Out: services and what they name; tasks follow (orchestrate.ts).
 * Services that are not selected stay as they are; those that the file no longer has are reported, or removed if asked for.
 */
export function decideStack(view: View, deployment: Deployment, makers: Makers): StackDecision {
  const { project, options } = deployment;
  const scene: StackScene = { view, deployment, makers };
  const selection = select(project, { services: options.services, withDependencies: !options.noDeps });
  const chosen = selection.all.map((name) => [name, project.services[name]] as const).filter((one): one is readonly [string, Service] => one[1] !== undefined);
  const networks = resolveNetworks(scene, new Set(chosen.flatMap(([, spec]) => networkKeysOf(spec))));
  const volumes = resolveVolumes(scene, new Set(chosen.flatMap(([, spec]) => volumeKeysOf(spec))));
  const secrets = resolveData(scene, 'secret', new Set(chosen.flatMap(([, spec]) => sourcesOf(spec.secrets))));
  const configs = resolveData(scene, 'config', new Set(chosen.flatMap(([, spec]) => sourcesOf(spec.configs))));
  const ids: Ids = { networks: networks.ids, volumes: volumes.ids, secrets: secrets.ids, configs: configs.ids };
  const diagnostics = [
    ...selection.unknown.map((name) => problem({ code: 'CLUSTER_SERVICE_NOT_FOUND', message: `no such service: ${name}`, hint: 'flotilla compose config --services lists them' })),
    ...refuse(project, selection.all),
    ...checkNames(view, deployment, chosen),
    ...chosen.flatMap(([name, spec]) => refuseReplicas(name, spec, replicasOf(name, spec, options))),
    ...checkNetworks(view, deployment, chosen),
    ...checkPorts(deployment, chosen),
    ...[networks, volumes, secrets, configs].flatMap((one) => one.diagnostics),
  ];
  const isRefused = diagnostics.some((one) => one.severity === 'error');
  if (isRefused) return { isRefused, changes: [], diagnostics: sortDiagnostics(diagnostics), services: [] };
  const orphans = orphansOf(view, deployment);
  const changes = [
    ...projectChanges(view, deployment),
    ...[networks, volumes, secrets, configs].flatMap((one) => one.changes),
    ...chosen.flatMap(([name, spec]) => serviceChanges(scene, { name, spec, ids, selection })),
    ...otherUsers(scene, selection, ids),
    ...(options.removeOrphans ? orphans.map((one) => patch<'service'>(one, { desired: 'removed', stopGraceMs: options.stopGraceMs })) : []),
  ];
  if (!options.removeOrphans && orphans.length > 0) diagnostics.push(orphanWarning(orphans));
  return { isRefused, changes, diagnostics: sortDiagnostics(diagnostics), services: [...selection.all, ...(options.removeOrphans ? orphans.map((one) => one.name) : [])].sort() };
}

type Ids = { readonly networks: ReadonlyMap<string, string>; readonly volumes: ReadonlyMap<string, string>; readonly secrets: ReadonlyMap<string, string>; readonly configs: ReadonlyMap<string, string> };

function projectChanges(view: View, deployment: Deployment): Change[] {
  const { name } = deployment.project;
  const existing = get(view, 'project', name);
  const fields = { name, workingDir: deployment.workingDir, configFiles: deployment.configFiles, desired: 'present' as const };
  if (existing !== undefined && isSame({ ...existing, ...fields }, existing)) return [];
  return [put({ kind: 'project', id: name, ...unstored, ...fields })];
}

function serviceChanges(scene: StackScene, input: { readonly name: string; readonly spec: Service; readonly ids: Ids; readonly selection: Selection }): Change[] {
  const { view, deployment: { project, options, serviceHashes, ...deployment }, makers } = scene;
  const { name, spec } = input;
  const existing = servicesOfProject(view, project.name).find((one) => one.name === name);
  const tasks = existing === undefined ? [] : tasksOfService(view, existing.id);
  const isKept = options.noRecreate && existing !== undefined && tasks.length > 0;
  const refs = isKept ? existing.refs : refsOf(spec, input.ids);
  const specHash = isKept ? existing.specHash : sha256Hex(stableText([serviceHashes[name] ?? spec, refs, deployment.workingDir]));
  const isForced = (options.forceRecreate && (options.alwaysRecreateDeps || input.selection.named.includes(name)))
    || (options.alwaysRecreateDeps && !input.selection.named.includes(name)) || (options.recreate ?? []).includes(name);
  const wasDown = existing !== undefined && existing.desired !== 'running';
  const service: ServiceObject = {
    kind: 'service', ...unstored,
    id: existing?.id ?? makers.id(),
    projectName: project.name,
    name,
    spec: isKept ? existing.spec : spec,
    refs,
    specHash,
    previous: existing === undefined ? null : existing.specHash === specHash ? existing.previous : { spec: existing.spec, refs: existing.refs, specHash: existing.specHash },
    replicas: replicasOf(name, spec, options),
    desired: options.noStart && (existing === undefined || wasDown) ? 'stopped' : 'running',
    restartCount: existing?.restartCount ?? 0,
    stopGraceMs: options.stopGraceMs,
    removeVolumes: options.renewAnonVolumes,
    forceCount: (existing?.forceCount ?? 0) + (isForced && !isKept && tasks.length > 0 ? 1 : 0),
  };
  const changes = existing !== undefined && isSame({ ...service, version: existing.version, createdMs: existing.createdMs, updatedMs: existing.updatedMs }, existing) ? [] : [put(service)];
  if (service.desired !== 'running') return changes;
  // NOTE: `create` starts nothing, but makes anew what could not be made.
  return [...changes, ...wake(service, options.noStart ? tasks.filter((task) => task.status.state === 'rejected') : tasks)];
}

/** A network that is made anew takes every service that was on it along, selected or not, as with Compose. */
function otherUsers(scene: StackScene, selection: Selection, ids: Ids): Change[] {
  const { view, deployment } = scene;
  const changes: Change[] = [];
  for (const service of servicesOfProject(view, deployment.project.name)) {
    if (selection.all.includes(service.name) || service.desired === 'removed') continue;
    const moved = Object.entries(service.refs.networks).filter(([key, id]) => ids.networks.has(key) && ids.networks.get(key) !== id);
    if (moved.length === 0) continue;
    const refs: ServiceRefs = { ...service.refs, networks: { ...service.refs.networks, ...Object.fromEntries(moved.map(([key]) => [key, ids.networks.get(key) ?? ''])) } };
    const specHash = sha256Hex(stableText([service.specHash, refs]));
    changes.push(patch<'service'>(service, { refs, specHash, previous: { spec: service.spec, refs: service.refs, specHash: service.specHash } }));
  }
  return changes;
}

function refsOf(spec: Service, ids: Ids): ServiceRefs {
  const pick = (keys: readonly string[], table: ReadonlyMap<string, string>): Record<string, string> => {
    const found: Record<string, string> = {};
    for (const key of [...new Set(keys)].sort()) {
      const id = table.get(key);
      if (id !== undefined) found[key] = id;
    }
    return found;
  };
  return { networks: pick(networkKeysOf(spec), ids.networks), volumes: pick(volumeKeysOf(spec), ids.volumes), secrets: pick(sourcesOf(spec.secrets), ids.secrets), configs: pick(sourcesOf(spec.configs), ids.configs) };
}

function volumeKeysOf(spec: Service): string[] {
  return (spec.volumes ?? []).flatMap((mount) => (mount.type === 'volume' && mount.source !== undefined && mount.source !== '' ? [mount.source] : []));
}

function sourcesOf(references: readonly { readonly source?: string }[] | undefined): string[] {
  return (references ?? []).flatMap((one) => (one.source === undefined ? [] : [one.source]));
}

/** A name of its own can be given to one container only. */
function checkNames(view: View, deployment: Deployment, chosen: readonly (readonly [string, Service])[]): Diagnostic[] {
  const { project, options } = deployment;
  const found: Diagnostic[] = [];
  for (const name of Object.keys(options.scale)) {
    if (project.services[name] === undefined) found.push(problem({ code: 'CLUSTER_SERVICE_NOT_FOUND', message: `no such service: ${name}`, hint: 'flotilla compose config --services lists them' }));
  }
  const named = chosen.filter(([, spec]) => spec.container_name !== undefined);
  const tasks = named.length === 0 ? [] : allOf(view, 'task');
  const seen = new Map<string, string>();
  for (const [name, spec] of named) {
    const containerName = spec.container_name ?? '';
    const path = `services.${name}.container_name`;
    const replicas = replicasOf(name, spec, options);
    if (replicas > 1) found.push(problem({ code: 'CLUSTER_SCALE_REFUSED', message: `service ${name}: ${replicas} containers can't all have the name ${containerName}`, hint: 'remove container_name, or run one container', path }));
    const rival = seen.get(containerName);
    if (rival !== undefined) found.push(problem({ code: 'CLUSTER_NAME_IN_USE', message: `services ${rival} and ${name} have the same container_name ${containerName}`, hint: 'container names are one to a node: give each service another', path }));
    seen.set(containerName, name);
    const holder = tasks.find((task) => task.containerName === containerName && (task.projectName !== project.name || task.serviceName !== name));
    if (holder !== undefined) found.push(...nameTaken(deployment, { name, containerName, path, holder }));
  }
  return found;
}

/** Nothing where the holder goes by the same command: the name passes on (gate.ts). */
function nameTaken({ project, options, disabledServices = [] }: Deployment, { name, containerName, path, holder }: { readonly name: string; readonly containerName: string; readonly path: string; readonly holder: TaskObject }): Diagnostic[] {
  const isOurs = holder.projectName === project.name;
  const isOrphan = isOurs && project.services[holder.serviceName] === undefined && !disabledServices.includes(holder.serviceName);
  if (isOrphan && options.removeOrphans) return [];
  const owner = isOrphan ? `service ${holder.serviceName}, which the file no longer has` : isOurs ? `service ${holder.serviceName} of this application` : `service ${holder.serviceName} of application ${holder.projectName}`;
  const hint = isOrphan
    ? 'if you renamed or removed that service, run the command again with --remove-orphans; else choose another container_name'
    : isOurs
      ? `choose another container_name; if ${holder.serviceName} has another one in the file by now, bring that up first: flotilla compose up -d --no-deps ${holder.serviceName}`
      : `choose another container_name, or free this one: flotilla compose -p ${holder.projectName} down ${holder.serviceName}`;
  return [problem({ code: 'CLUSTER_NAME_IN_USE', message: `service ${name}: the container name ${containerName} is taken by a container of ${owner}`, hint, path })];
}

function orphansOf(view: View, deployment: Deployment): ServiceObject[] {
  const known = new Set([...Object.keys(deployment.project.services), ...(deployment.disabledServices ?? [])]);
  return servicesOfProject(view, deployment.project.name).filter((one) => !known.has(one.name) && one.desired !== 'removed');
}

function orphanWarning(orphans: readonly ServiceObject[]): Diagnostic {
  const names = orphans.map((one) => one.name).sort().join(', ');
  return problem({
    severity: 'warning', code: 'CLUSTER_ORPHANS',
    message: `found containers of services that the file does not have: ${names}`,
    hint: 'if you removed or renamed the service, run the command again with --remove-orphans',
    path: 'services',
  });
}

function isSame(a: unknown, b: unknown): boolean {
  return stableText(a) === stableText(b);
}
