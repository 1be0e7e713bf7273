import { bytesFromBase64 } from '../../base/base64.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { sha256Hex } from '../../base/sha256.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { Change } from '../../model/entry.ts';
import type { ConfigObject, NetworkObject, SecretObject, VolumeObject } from '../../model/objects.ts';
import type { ConfigSource, Network, SecretSource, Volume } from '../../model/project.ts';
import { allOf, configsOfProject, networksOfProject, secretsOfProject, volumesOfProject, type View } from '../state/view.ts';
import { patch, put, unstored, type Makers } from './draft.ts';

/** What the objects of a file became in the store: ids by key, what changes, what is wrong. */
export type Resolved = { readonly ids: ReadonlyMap<string, string>; readonly changes: readonly Change[]; readonly diagnostics: readonly Diagnostic[] };

export type StackScene = { readonly view: View; readonly deployment: Deployment; readonly makers: Makers };

export function problem(fields: Pick<Diagnostic, 'code' | 'message' | 'path'> & { readonly hint?: string; readonly severity?: 'error' | 'warning' }): Diagnostic {
  return { severity: 'error', line: 0, column: 0, ...fields };
}

/**
 * Networks by key. One whose definition has changed is made anew beside the old, which goes when nobody is on it any more.
 * In: the keys that the deployed services use.
 */
export function resolveNetworks(scene: StackScene, keys: ReadonlySet<string>): Resolved {
  const { view, deployment: { project }, makers } = scene;
  const ids = new Map<string, string>();
  const changes: Change[] = [];
  const diagnostics: Diagnostic[] = [];
  const own = networksOfProject(view, project.name).filter((one) => one.desired === 'present');
  for (const key of [...keys].sort()) {
    const definition: Network = project.networks?.[key] ?? { ipam: {} };
    const name = definition.name ?? `${project.name}_${key}`;
    const named = allOf(view, 'network').filter((one) => one.name === name && one.desired === 'present');
    if (definition.external === true) {
      const found = named[0];
      if (found !== undefined) ids.set(key, found.id);
      else diagnostics.push(problem({ code: 'CLUSTER_NETWORK_NOT_FOUND', message: `network ${name} is declared as external, but could not be found`, hint: 'networks are made by the applications that own them: start the other one first, or remove `external: true`', path: `networks.${key}` }));
      continue;
    }
    const existing = own.find((one) => one.key === key && one.name === name);
    const foreign = named.find((one) => one.projectName !== project.name);
    if (existing === undefined && foreign !== undefined) {
      diagnostics.push(problem({ code: 'CLUSTER_NAME_IN_USE', message: `network ${name} exists and belongs to ${foreign.projectName ?? 'no project'}`, hint: 'declare it with external: true to use it, or give this one another name', path: `networks.${key}` }));
      continue;
    }
    const wanted = networkObject({ projectName: project.name, key, name, definition, id: makers.id() });
    if (existing !== undefined && existing.specHash === wanted.specHash) {
      ids.set(key, existing.id);
      continue;
    }
    if (existing !== undefined) changes.push(patch<'network'>(existing, { desired: 'removed' }));
    changes.push(put(wanted));
    ids.set(key, wanted.id);
  }
  return { ids, changes, diagnostics };
}

function networkObject(input: { readonly projectName: string; readonly key: string; readonly name: string; readonly definition: Network; readonly id: string }): NetworkObject {
  const { definition, projectName, key, name } = input;
  const shape = {
    driver: definition.driver === undefined || definition.driver === 'default' ? 'bridge' : definition.driver,
    isInternal: definition.internal === true,
    isAttachable: definition.attachable === true,
    enableIpv6: definition.enable_ipv6 === true,
    labels: { ...definition.labels, 'com.docker.compose.network': key, 'com.docker.compose.project': projectName },
    options: definition.driver_opts ?? {},
    ipam: (definition.ipam?.config ?? []).map((pool) => ({ subnet: pool.subnet ?? null, gateway: pool.gateway ?? null, ipRange: pool.ip_range ?? null, auxAddresses: pool.aux_addresses ?? {} })),
  };
  return {
    kind: 'network', id: input.id, ...unstored, name, projectName, key, ...shape,
    subnet: null, gateway: null, subnet6: null, gateway6: null, addressCursor: null, desired: 'present', error: null,
    specHash: sha256Hex(stableText(shape)),
  };
}

/** Volumes by key. One whose definition has changed keeps its data and its old definition, and that is told. */
export function resolveVolumes(scene: StackScene, keys: ReadonlySet<string>): Resolved {
  const { view, deployment: { project }, makers } = scene;
  const ids = new Map<string, string>();
  const changes: Change[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const key of [...keys].sort()) {
    const definition: Volume = project.volumes?.[key] ?? {};
    const name = definition.name ?? `${project.name}_${key}`;
    const existing = volumesOfProject(view, project.name).find((one) => one.name === name) ?? allOf(view, 'volume').find((one) => one.name === name);
    if (definition.external === true) {
      if (existing !== undefined) ids.set(key, existing.id);
      else diagnostics.push(problem({ code: 'CLUSTER_VOLUME_NOT_FOUND', message: `external volume ${name} not found`, hint: 'volumes are made by the applications that own them: start the other one first, or remove `external: true`', path: `volumes.${key}` }));
      continue;
    }
    const shape = { driver: definition.driver ?? 'local', options: definition.driver_opts ?? {}, labels: { ...definition.labels, 'com.docker.compose.project': project.name, 'com.docker.compose.volume': key } };
    const specHash = sha256Hex(stableText(shape));
    if (existing === undefined) {
      const volume: VolumeObject = { kind: 'volume', id: makers.id(), ...unstored, name, projectName: project.name, key, ...shape, nodeId: null, desired: 'present', specHash };
      changes.push(put(volume));
      ids.set(key, volume.id);
      continue;
    }
    ids.set(key, existing.id);
    if (existing.desired === 'removed') changes.push(patch<'volume'>(existing, { desired: 'present' }));
    if (existing.projectName !== project.name) {
      diagnostics.push(problem({ severity: 'warning', code: 'CLUSTER_NAME_IN_USE', message: `volume ${name} exists and belongs to ${existing.projectName ?? 'no project'}; it is used as it is`, hint: 'declare it with external: true', path: `volumes.${key}` }));
    } else if (existing.specHash !== specHash) {
      diagnostics.push(problem({ severity: 'warning', code: 'CLUSTER_VOLUME_DIVERGED', message: `volume ${name} exists with another definition; its data and its definition are kept`, hint: `to make it anew, which deletes its data: flotilla compose down -v`, path: `volumes.${key}` }));
    }
  }
  return { ids, changes, diagnostics };
}

/** Secrets or configs by key. Content addressed: the same content is the same object, so a change of content is a change of the services that use it. */
export function resolveData(scene: StackScene, kind: 'secret' | 'config', keys: ReadonlySet<string>): Resolved {
  const { view, deployment, makers } = scene;
  const { project } = deployment;
  const ids = new Map<string, string>();
  const changes: Change[] = [];
  const diagnostics: Diagnostic[] = [];
  const own: readonly (SecretObject | ConfigObject)[] = kind === 'secret' ? secretsOfProject(view, project.name) : configsOfProject(view, project.name);
  const all: readonly (SecretObject | ConfigObject)[] = kind === 'secret' ? allOf(view, 'secret') : allOf(view, 'config');
  const code = kind === 'secret' ? 'CLUSTER_SECRET_NOT_FOUND' : 'CLUSTER_CONFIG_NOT_FOUND';
  for (const key of [...keys].sort()) {
    const source: SecretSource | ConfigSource | undefined = (kind === 'secret' ? project.secrets : project.configs)?.[key];
    const name = source?.name ?? `${project.name}_${key}`;
    if (source?.external === true) {
      const found = all.find((one) => one.name === name && one.projectName === null);
      if (found !== undefined) ids.set(key, found.id);
      else diagnostics.push(problem({ code, message: `external ${kind} ${name} not found`, hint: `create it with: flotilla ${kind} create ${name} FILE`, path: `${kind}s.${key}` }));
      continue;
    }
    const dataBase64 = (kind === 'secret' ? deployment.secretData : deployment.configData)[key];
    if (dataBase64 === undefined) {
      diagnostics.push(problem({ code, message: `${kind} ${key}: its content was not given`, hint: `define it under ${kind}s with file, environment or external`, path: `${kind}s.${key}` }));
      continue;
    }
    const digest = sha256Hex(bytesFromBase64(dataBase64));
    const existing = own.find((one) => one.key === key && one.digest === digest && one.name === name);
    if (existing !== undefined) {
      ids.set(key, existing.id);
      continue;
    }
    const object = { id: makers.id(), ...unstored, name, projectName: project.name, key, labels: source?.labels ?? {}, dataBase64, digest };
    changes.push(put(kind === 'secret' ? { kind: 'secret', ...object } : { kind: 'config', ...object }));
    ids.set(key, object.id);
  }
  return { ids, changes, diagnostics };
}

/** JSON with sorted keys: equal values, equal text. */
export function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).filter((one) => one[1] !== undefined).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return `{${fields.map(([key, one]) => `${JSON.stringify(key)}:${stableText(one)}`).join(',')}}`;
}
