import type { Project, Service } from './project.ts';
import { serviceKeySupport, serviceSubkeySupport, topLevelKeySupport, type KeySupport } from './support.ts';
import { valueRules } from './support-values.ts';

/** A key of an application that is not honoured here. */
export type KeyRefusal = {
  /** `unheeded`: the application runs without it, and a warning says so. */
  readonly kind: 'refused' | 'unheeded';
  readonly path: readonly string[];
  /** `service web: privileged`, to begin a sentence with. */
  readonly what: string;
  readonly reason: string;
  readonly hint: string;
};

/**
 * Every key of the selected services, and of the networks, volumes, secrets and configs that they use, which this version does
 * not honour: all at once, in the order of the model. A key that is absent, empty or false asks for nothing.
 */
export function keyRefusals(project: Project, serviceNames: readonly string[]): KeyRefusal[] {
  const found: KeyRefusal[] = [];
  const used = { networks: new Set<string>(), volumes: new Set<string>(), secrets: new Set<string>(), configs: new Set<string>() };
  for (const name of serviceNames) {
    const service = project.services[name];
    if (service === undefined) continue;
    found.push(...inService(name, service));
    for (const key of Object.keys(service.networks ?? {})) used.networks.add(key);
    for (const mount of service.volumes ?? []) if (mount.type === 'volume' && mount.source !== undefined) used.volumes.add(mount.source);
    for (const one of service.secrets ?? []) if (one.source !== undefined) used.secrets.add(one.source);
    for (const one of service.configs ?? []) if (one.source !== undefined) used.configs.add(one.source);
  }
  for (const section of ['networks', 'volumes', 'secrets', 'configs'] as const) {
    for (const key of [...used[section]].sort()) {
      found.push(...below(project[section]?.[key], { pattern: [section, '*'], path: [section, key], what: `${section.slice(0, -1)} ${key}:` }, { table: topLevelKeySupport, service: null }));
    }
  }
  return found;
}

function inService(name: string, service: Service): KeyRefusal[] {
  return Object.entries(service).flatMap(([key, value]) => {
    const support = Object.hasOwn(serviceKeySupport, key) ? serviceKeySupport[key] : undefined;
    if (support === undefined || asksNothing(value, key)) return [];
    const place: Place = { pattern: [key], path: ['services', name, key], what: `service ${name}: ${key}` };
    const refusal = judge(support, value, place, service);
    return refusal === null ? below(value, place, { table: serviceSubkeySupport, service }) : [refusal];
  });
}

type Place = { readonly pattern: readonly string[]; readonly path: readonly string[]; readonly what: string };
type Lookup = { readonly table: Readonly<Record<string, KeySupport>>; readonly service: Service | null };

/** Looks up every place below `value` in the table; names and indexes also match `*`. */
function below(value: unknown, place: Place, lookup: Lookup): KeyRefusal[] {
  if (typeof value !== 'object' || value === null) return [];
  const isList = Array.isArray(value);
  const found: KeyRefusal[] = [];
  for (const [key, inner] of Object.entries(value)) {
    for (const segment of isList ? ['*'] : [key, '*']) {
      const next: Place = { pattern: [...place.pattern, segment], path: [...place.path, key], what: isList ? place.what : `${place.what} ${key}` };
      const name = next.pattern.join('.');
      if (key.startsWith('x-') || asksNothing(inner, name)) continue;
      const support = Object.hasOwn(lookup.table, name) ? lookup.table[name] : undefined;
      const refusal = support === undefined ? null : judge(support, inner, next, lookup.service);
      if (refusal !== null) found.push(refusal);
      else if (Object.keys(lookup.table).some((one) => one.startsWith(`${name}.`))) found.push(...below(inner, next, lookup));
    }
  }
  return found;
}

function judge(support: KeySupport, value: unknown, place: Place, service: Service | null): KeyRefusal | null {
  const { path, what } = place;
  switch (support.kind) {
    case 'honoured':
    case 'resolved':
      return null;
    case 'unheeded':
      return { kind: 'unheeded', path, what, reason: support.reason, hint: 'remove the key to silence this' };
    case 'partly': {
      const rule = valueRules[place.pattern.join('.')];
      if (rule !== undefined && !rule.isRefused(value, service)) return null;
      return { kind: 'refused', path, what, reason: support.reason, hint: support.hint };
    }
    case 'refused':
      return { kind: 'refused', path, what, reason: support.reason, hint: support.hint };
  }
}

/** NOTE: `false` asks for something where the key's own rule may refuse it (`enable_ipv4`). */
function asksNothing(value: unknown, name: string): boolean {
  if (value === false) return valueRules[name] === undefined;
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
