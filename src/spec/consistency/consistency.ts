import { cycleText, findCycles } from '../../base/cycles.ts';
import { limits } from '../../base/limits.ts';
import type { Project, Service } from '../../model/project.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { suggestion } from '../suggest.ts';

/** One contradiction between parts of a project; `path` is in the model. */
export type Contradiction = { readonly path: readonly string[]; readonly message: string; readonly code: Diagnostic['code']; readonly hint?: string };
type Services = Project['services'];
type Add = (path: readonly string[], message: string, hint?: string, code?: Diagnostic['code']) => void;

/**
 * Finds what can't be run as it is written: references to what is not there, keys that exclude each other, cycles.
 * In: the enabled services, and those that a profile disables. Out: all findings, in the order of services and keys.
 * Source: Compose spec; compose-go (which rules).
 */
export function findContradictions(project: Project, disabled: Services): Contradiction[] {
  const found: Contradiction[] = [];
  for (const [name, service] of Object.entries(project.services)) {
    if (found.length >= limits.diagnosticsMax) break;
    const add: Add = (path, message, hint, code = 'SPEC_CONFLICT') => {
      found.push({ path: ['services', name, ...path], message: `service \`${name}\`: ${message}`, code, ...(hint === undefined ? {} : { hint }) });
    };
    checkSource(project, service, add);
    checkReferences(project, service, disabled, add);
    checkNumbers(service, add);
    checkPorts(service, add);
    checkMounts(service, add);
    checkRest(service, add);
  }
  const needs = new Map(Object.entries(project.services).map(([name, service]) => [name, Object.keys(service.depends_on ?? {})]));
  for (const cycle of findCycles(needs, limits.diagnosticsMax)) {
    const [first = '', second = first] = cycle;
    const message = cycle.length === 1 ? `service \`${first}\` depends on itself` : `services depend on each other in a circle: ${cycleText(cycle)}`;
    found.push({ path: ['services', first, 'depends_on', second], message, code: 'GRAPH_CYCLE', hint: 'Take one of these dependencies away: none of the services could start first.' });
  }
  return found;
}

function checkSource(project: Project, service: Service, add: Add): void {
  const { build } = service;
  if (build === undefined && service.image === undefined && service.provider === undefined) add([], 'neither an image nor a build is given', 'Add `image:` or `build:`.');
  if (build === undefined) return;
  if (build.dockerfile !== undefined && build.dockerfile_inline !== undefined) add(['build', 'dockerfile_inline'], '`dockerfile` and `dockerfile_inline` exclude each other');
  for (const [key, context] of Object.entries(build.additional_contexts ?? {})) {
    if (!context.startsWith('service:')) continue;
    const target = context.slice('service:'.length);
    if (project.services[target] === undefined) add(['build', 'additional_contexts', key], `the context \`${key}\` names an unknown service \`${target}\``, suggestion(target, Object.keys(project.services)), 'SPEC_UNDEFINED');
    else if (project.services[target].build === undefined) add(['build', 'additional_contexts', key], `the context \`${key}\` names the service \`${target}\`, which is not built`);
  }
  if (build.platforms !== undefined && service.platform !== undefined && !build.platforms.includes(service.platform)) add(['build', 'platforms'], `\`build.platforms\` must hold the service's platform \`${service.platform}\``);
  for (const [index, secret] of (build.secrets ?? []).entries()) {
    if (!has(project.secrets, secret.source)) add(['build', 'secrets', String(index)], `the build secret \`${secret.source ?? ''}\` is not defined`, undefinedHint('secrets', secret.source, project.secrets), 'SPEC_UNDEFINED');
  }
}

function checkReferences(project: Project, service: Service, disabled: Services, add: Add): void {
  if (service.network_mode !== undefined && Object.keys(service.networks ?? {}).length > 0) add(['network_mode'], '`network_mode` and `networks` exclude each other', 'Keep one of them.');
  for (const name of Object.keys(service.networks ?? {})) {
    if (!has(project.networks, name)) add(['networks', name], `the network \`${name}\` is not defined`, undefinedHint('networks', name, project.networks), 'SPEC_UNDEFINED');
  }
  for (const [name, dependency] of Object.entries(service.depends_on ?? {})) {
    if (project.services[name] !== undefined) continue;
    const profiles = disabled[name]?.profiles;
    if (profiles !== undefined && !dependency.required) continue;
    if (profiles !== undefined) add(['depends_on', name], `it depends on \`${name}\`, which is off: it has the profiles ${profiles.join(', ')}`, `Use --profile ${profiles[0] ?? ''}, or write \`required: false\`.`, 'SPEC_UNDEFINED');
    else add(['depends_on', name], `it depends on an undefined service \`${name}\``, suggestion(name, Object.keys(project.services)), 'SPEC_UNDEFINED');
  }
  const shared = service.network_mode?.startsWith('service:') === true ? service.network_mode.slice('service:'.length) : undefined;
  if (shared !== undefined && project.services[shared] === undefined && service.depends_on?.[shared] === undefined) add(['network_mode'], `it uses the network of an unknown service \`${shared}\``, suggestion(shared, Object.keys(project.services)), 'SPEC_UNDEFINED');
  for (const [index, mount] of (service.volumes ?? []).entries()) {
    if (mount.type === 'volume' && mount.source !== undefined && !has(project.volumes, mount.source)) add(['volumes', String(index)], `the volume \`${mount.source}\` is not defined`, undefinedHint('volumes', mount.source, project.volumes), 'SPEC_UNDEFINED');
  }
  for (const kind of ['configs', 'secrets'] as const) {
    for (const [index, reference] of (service[kind] ?? []).entries()) {
      if (!has(project[kind], reference.source)) add([kind, String(index)], `the ${kind.slice(0, -1)} \`${reference.source ?? ''}\` is not defined`, undefinedHint(kind, reference.source, project[kind]), 'SPEC_UNDEFINED');
    }
  }
  for (const name of Object.keys(service.models ?? {})) {
    if (!has(project.models, name)) add(['models', name], `the model \`${name}\` is not defined`, undefinedHint('models', name, project.models), 'SPEC_UNDEFINED');
  }
}

function checkPorts(service: Service, add: Add): void {
  service.ports?.forEach((port, index) => {
    if (!port.target) add(['ports', String(index)], 'a port names no port of the container', 'Write published:target, as "8080:80".', 'SPEC_BAD_VALUE');
  });
}

function checkNumbers(service: Service, add: Add): void {
  const { deploy, scale } = service;
  if (scale !== undefined && deploy?.replicas !== undefined && scale !== deploy.replicas) add(['scale'], '`scale` and `deploy.replicas` differ', 'Keep one of them.');
  if (scale !== undefined && scale < 0) add(['scale'], '`scale` must be 0 or more');
  if (deploy?.replicas !== undefined && deploy.replicas < 0) add(['deploy', 'replicas'], '`deploy.replicas` must be 0 or more');
  const limits = deploy?.resources.limits;
  const reservations = deploy?.resources.reservations;
  const pairs: readonly (readonly [string, string, unknown, unknown, boolean])[] = [
    ['cpus', 'deploy.resources.limits.cpus', service.cpus, limits?.cpus, limits !== undefined],
    ['mem_limit', 'deploy.resources.limits.memory', service.mem_limit, limits?.memory, limits !== undefined],
    ['mem_reservation', 'deploy.resources.reservations.memory', service.mem_reservation, reservations?.memory, reservations !== undefined],
    ['pids_limit', 'deploy.resources.limits.pids', service.pids_limit, limits?.pids, limits !== undefined],
  ];
  for (const [key, other, value, deployed, isSaid] of pairs) if (value !== undefined && isSaid && value !== deployed) add([key], `\`${key}\` and \`${other}\` differ`, 'Keep one of them.');
  if ((scale ?? deploy?.replicas ?? 1) > 1 && service.container_name !== undefined) add(['container_name'], '`container_name` allows only one container, but there are to be several', 'Take `container_name` away.');
}

function checkMounts(service: Service, add: Add): void {
  const targets = new Map<string, string>();
  const take = (target: string, path: readonly string[]): void => {
    const earlier = targets.get(target);
    if (earlier !== undefined) add(path, `the target \`${target}\` is already mounted by ${earlier}`, 'Each target can be mounted once.');
    else targets.set(target, path.join('.'));
  };
  service.tmpfs?.forEach((mount, index) => take(mount.split(':')[0] ?? mount, ['tmpfs', String(index)]));
  service.volumes?.forEach((mount, index) => take(mount.target ?? '', ['volumes', String(index)]));
}

function checkRest(service: Service, add: Add): void {
  const first = service.healthcheck?.test?.[0];
  if (first !== undefined && !['CMD', 'CMD-SHELL', 'NONE'].includes(first)) add(['healthcheck', 'test'], `\`healthcheck.test\` begins with \`${first}\``, 'As a list it begins with CMD, CMD-SHELL or NONE; or write it as one text.');
  service.develop?.watch?.forEach((rule, index) => {
    if (rule.target === undefined && rule.action !== 'rebuild' && rule.action !== 'restart') add(['develop', 'watch', String(index)], `the action \`${rule.action}\` needs a target`, 'Add `target:` with a path of the container.');
  });
}

/** Two services of one project can't have one container name. */
export function findSameNames(services: Services): Contradiction[] {
  const found: Contradiction[] = [];
  const owners = new Map<string, string>();
  for (const [name, service] of Object.entries(services)) {
    const container = service.container_name;
    if (container === undefined) continue;
    const owner = owners.get(container);
    if (owner === undefined) owners.set(container, name);
    else found.push({ path: ['services', name, 'container_name'], message: `service \`${name}\`: the container name \`${container}\` is already that of \`${owner}\``, code: 'SPEC_CONFLICT' });
  }
  return found;
}

function has(map: { readonly [name: string]: unknown } | undefined, name: string | undefined): boolean {
  return map !== undefined && name !== undefined && map[name] !== undefined;
}

function undefinedHint(kind: string, name: string | undefined, known: { readonly [name: string]: unknown } | undefined): string {
  return suggestion(name ?? '', Object.keys(known ?? {})) ?? `Add it below the top-level \`${kind}:\`.`;
}
