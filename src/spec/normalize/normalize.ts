import { isDict, isList, newDict, textOf } from '../source/values.ts';
import type { Dict, Value } from '../source/values.ts';
import { cleanPath } from '../short/volume.ts';

/** Answers a variable of the project's environment. */
type Lookup = (name: string) => string | undefined;

/**
 * Says what the file leaves unsaid: the default network, names of resources, dependencies that links, shared namespaces and
 * shared volumes imply, the Dockerfile. In place; the model has its long form.
 */
export function normalize(model: Dict, lookup: Lookup): void {
  const services = model['services'];
  if (isDict(services)) {
    for (const service of Object.values(services)) if (isDict(service)) normalizeService(service, lookup);
    addDefaultNetwork(model, services);
  }
  for (const kind of ['networks', 'volumes', 'configs', 'secrets']) nameResources(model, kind);
}

function normalizeService(service: Dict, lookup: Lookup): void {
  if (service['pull_policy'] === 'if_not_present') service['pull_policy'] = 'missing';
  const build = service['build'];
  if (isDict(build)) {
    if (build['context'] == null) build['context'] = '.';
    if (build['dockerfile'] == null && build['dockerfile_inline'] == null) build['dockerfile'] = 'Dockerfile';
    if ('args' in build) build['args'] = fillValues(build['args'] ?? null, lookup, false);
  }
  if ('environment' in service) service['environment'] = fillValues(service['environment'] ?? null, lookup, true);
  addDependencies(service);
  const volumes = service['volumes'];
  if (isList(volumes)) for (const mount of volumes) if (isDict(mount) && typeof mount['target'] === 'string') mount['target'] = cleanPath(mount['target']);
  const hooks = service['pre_start'];
  const image = service['image'];
  if (isList(hooks) && typeof image === 'string' && image !== '') for (const hook of hooks) if (isDict(hook) && !('image' in hook)) hook['image'] = image;
}

function addDependencies(service: Dict): void {
  const known = service['depends_on'];
  const dependsOn = isDict(known) ? known : newDict();
  const add = (name: string, restart: boolean): void => {
    if (name in dependsOn) return;
    const made = newDict();
    made['condition'] = 'service_started';
    made['restart'] = restart;
    made['required'] = true;
    dependsOn[name] = made;
  };
  for (const link of textsOf(service['links'])) {
    const parts = link.split(':');
    add(parts.length === 2 ? (parts[0] ?? link) : link, true);
  }
  for (const namespace of ['network_mode', 'ipc', 'pid', 'uts', 'cgroup']) {
    const mode = service[namespace];
    if (typeof mode === 'string' && mode.startsWith('service:')) add(mode.slice('service:'.length), true);
  }
  for (const from of textsOf(service['volumes_from'])) if (!from.startsWith('container:')) add(from.split(':')[0] ?? from, false);
  if (Object.keys(dependsOn).length > 0) service['depends_on'] = dependsOn;
}

/** A service that names no network is on `default`; the network exists where a service is on it. */
function addDefaultNetwork(model: Dict, services: Dict): void {
  const known = model['networks'];
  const networks = isDict(known) ? known : newDict();
  let isUsed = false;
  for (const service of Object.values(services)) {
    if (!isDict(service) || 'provider' in service || 'network_mode' in service) continue;
    const joined = service['networks'];
    if (!isDict(joined) || Object.keys(joined).length === 0) {
      const only = newDict();
      only['default'] = null;
      service['networks'] = only;
      isUsed = true;
    } else if ('default' in joined) isUsed = true;
  }
  if (isUsed && !('default' in networks)) networks['default'] = null;
  if (Object.keys(networks).length > 0) model['networks'] = networks;
}

function nameResources(model: Dict, kind: string): void {
  const resources = model[kind];
  if (!isDict(resources)) return;
  for (const key of Object.keys(resources)) {
    const resource = resources[key] ?? null;
    const named = isDict(resource) ? resource : newDict();
    if (named['name'] == null) named['name'] = isTrue(named['external']) ? key : `${textOf(model['name'] ?? '')}_${key}`;
    resources[key] = named;
  }
}

/** Gives keys without a value the environment's; those it has none for stay (`keepUnset`) or go. */
function fillValues(value: Value, lookup: Lookup, keepUnset: boolean): Value {
  if (isDict(value)) {
    const filled = newDict();
    for (const key of Object.keys(value)) {
      const one = value[key] ?? null;
      const found = one === null ? lookup(key) : undefined;
      if (one !== null || found !== undefined) filled[key] = found ?? one;
      else if (keepUnset) filled[key] = null;
    }
    return filled;
  }
  if (!isList(value)) return value;
  return value.flatMap((line) => {
    if (typeof line !== 'string') return [];
    if (line.includes('=')) return [line];
    const found = lookup(line);
    return found !== undefined ? [`${line}=${found}`] : keepUnset ? [line] : [];
  });
}

function textsOf(value: Value | undefined): string[] {
  return isList(value) ? value.filter((one) => typeof one === 'string') : [];
}

function isTrue(value: Value | undefined): boolean {
  return value === true || (value != null && ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(textOf(value)));
}
