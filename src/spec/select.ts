import type { Project, Service } from '../model/project.ts';

type Services = Project['services'];
export type Split = { readonly project: Project; readonly disabled: Services };

/** A service without profiles is always on; else one of its profiles, or `*`, must be active. */
export function isEnabled(service: Service, profiles: readonly string[]): boolean {
  const own = service.profiles ?? [];
  return own.length === 0 || profiles.some((profile) => profile === '*' || own.includes(profile));
}

export function splitByProfile(project: Project, profiles: readonly string[]): Split {
  const enabled: [string, Service][] = [];
  const disabled: [string, Service][] = [];
  for (const entry of Object.entries(project.services)) (isEnabled(entry[1], profiles) ? enabled : disabled).push(entry);
  return disabled.length === 0 ? { project, disabled: servicesOf([]) } : { project: { ...project, services: servicesOf(enabled) }, disabled: servicesOf(disabled) };
}

/**
 * Keeps the named services (`*` and `?` stand for characters) and what they depend on; naming a service switches its profiles on.
 * Dependencies on services that are not kept are dropped.
 */
export function selectServices(all: Project, profiles: readonly string[], names: readonly string[]): Split | { readonly unknown: readonly string[] } {
  const named = names.flatMap((name) => all.services[name]?.profiles ?? []);
  const { project, disabled } = splitByProfile(all, [...profiles, ...named]);
  const kept = new Set<string>();
  const unknown: string[] = [];
  const pending: { readonly pattern: string; readonly isRequired: boolean }[] = names.map((pattern) => ({ pattern, isRequired: true }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const matching = matches(next.pattern, Object.keys(project.services));
    if (matching.length === 0 && next.isRequired) unknown.push(next.pattern);
    for (const name of matching) {
      if (kept.has(name)) continue;
      kept.add(name);
      for (const [pattern, dependency] of Object.entries(project.services[name]?.depends_on ?? {})) pending.push({ pattern, isRequired: dependency.required });
    }
  }
  if (unknown.length > 0) return { unknown };
  const enabled: [string, Service][] = [];
  const off: [string, Service][] = Object.entries(disabled);
  for (const [name, service] of Object.entries(project.services)) {
    if (!kept.has(name)) off.push([name, service]);
    else enabled.push([name, withDependencies(service, kept)]);
  }
  return { project: { ...project, services: servicesOf(enabled) }, disabled: servicesOf(off) };
}

/** Leaves out what no enabled service uses. */
export function dropUnused(project: Project): Project {
  const used = { networks: new Set<string>(), volumes: new Set<string>(), secrets: new Set<string>(), configs: new Set<string>(), models: new Set<string>() };
  for (const service of Object.values(project.services)) {
    for (const name of Object.keys(service.networks ?? {})) used.networks.add(name);
    for (const mount of service.volumes ?? []) if (mount.type === 'volume' && mount.source !== undefined) used.volumes.add(mount.source);
    for (const one of [...(service.secrets ?? []), ...(service.build?.secrets ?? [])]) used.secrets.add(one.source ?? '');
    for (const one of service.configs ?? []) used.configs.add(one.source ?? '');
    for (const name of Object.keys(service.models ?? {})) used.models.add(name);
  }
  const { networks, volumes, secrets, configs, models, ...rest } = project;
  return {
    ...rest,
    ...kept('networks', networks, used.networks),
    ...kept('volumes', volumes, used.volumes),
    ...kept('secrets', secrets, used.secrets),
    ...kept('configs', configs, used.configs),
    ...kept('models', models, used.models),
  };
}

function kept<K extends string, T>(key: K, resources: { readonly [name: string]: T } | undefined, used: ReadonlySet<string>): { readonly [P in K]?: { readonly [name: string]: T } } {
  const entries = Object.entries(resources ?? {}).filter(([name]) => used.has(name));
  const made: { [P in K]?: { readonly [name: string]: T } } = {};
  if (entries.length > 0) made[key] = bare(entries);
  return made;
}

function withDependencies(service: Service, names: ReadonlySet<string>): Service {
  const entries = Object.entries(service.depends_on ?? {});
  const left = entries.filter(([name]) => names.has(name));
  if (left.length === entries.length) return service;
  const { depends_on: _, ...rest } = service;
  return left.length === 0 ? rest : { ...rest, depends_on: bare(left) };
}

function matches(pattern: string, names: readonly string[]): string[] {
  if (!/[*?]/.test(pattern)) return names.filter((name) => name === pattern);
  const expression = new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);
  return names.filter((name) => expression.test(name));
}

function servicesOf(entries: readonly (readonly [string, Service])[]): Services {
  return bare(entries);
}

/** A map without prototype, so that any name is only a name. */
function bare<T>(entries: readonly (readonly [string, T])[]): { readonly [name: string]: T } {
  const made: { [name: string]: T } = Object.create(null);
  for (const [name, value] of entries) made[name] = value;
  return made;
}
