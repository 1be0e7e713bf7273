import { exampleHint } from '../schema/example.ts';
import type { Report } from '../report.ts';
import { hasRules, ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { parseVolumeShort } from '../short/volume.ts';
import { isDict, isList, kindOf, textOf } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** What makes an entry of a list unique, or why it can't be told. */
type Identity = { readonly id: string } | { readonly problem: string };
type IdentityRule = (entry: Value, path: string) => Identity;

/** Lists in which a later entry takes the place of the one with the same identity. Source: compose-go override. */
const uniqueTable: Readonly<Record<string, IdentityRule>> = {
  'networks.*.labels': byName,
  'networks.*.ipam.options': byName,
  'services.*.annotations': byName,
  'services.*.build.args': byName,
  'services.*.build.additional_contexts': byName,
  'services.*.build.platform': byName,
  'services.*.build.tags': byName,
  'services.*.build.labels': byName,
  'services.*.cap_add': byName,
  'services.*.cap_drop': byName,
  'services.*.devices': byDeviceTarget,
  'services.*.configs': (entry) => byMountTarget(entry, ''),
  'services.*.deploy.labels': byName,
  'services.*.dns': byName,
  'services.*.dns_opt': byName,
  'services.*.dns_search': byName,
  'services.*.environment': byName,
  'services.*.env_file': byPath,
  'services.*.expose': byNumber,
  'services.*.labels': byName,
  'services.*.links': byName,
  'services.*.networks.*.aliases': byName,
  'services.*.networks.*.link_local_ips': byName,
  'services.*.ports': byPort,
  'services.*.profiles': byName,
  'services.*.secrets': (entry) => byMountTarget(entry, '/run/secrets'),
  'services.*.sysctls': byName,
  'services.*.tmpfs': byName,
  'services.*.volumes': byVolumeTarget,
};

const uniqueRules = ruleTree(uniqueTable);

/** Drops from every such list the entries that later ones redefine, in place. */
export function enforceUnique(model: Dict, report: Report): void {
  walk(model, uniqueRules, [], report);
}

function walk(dict: Dict, tree: RuleTree<IdentityRule>, path: readonly string[], report: Report): void {
  for (const key of Object.keys(dict)) {
    const next = step(tree, key);
    if (!hasRules(next)) continue;
    const value = dict[key] ?? null;
    if (isDict(value)) walk(value, next, [...path, key], report);
    else if (isList(value) && next.rule !== undefined) dict[key] = uniqueList(value, next.rule, [...path, key].join('.'), report);
  }
}

function uniqueList(list: List, rule: IdentityRule, path: string, report: Report): List {
  const kept: List = [];
  const from: number[] = [];
  const places = new Map<string, number>();
  list.forEach((entry, index) => {
    const identity = rule(entry, `${path}[${index}]`);
    if ('problem' in identity) {
      report.errorAt({ container: list, key: index, path: `${path}[${index}]` }, { code: 'SPEC_BAD_VALUE', message: identity.problem, hint: exampleHint(`${path}[${index}]`) });
      return;
    }
    const place = places.get(identity.id);
    if (place === undefined) {
      places.set(identity.id, kept.length);
      kept.push(entry);
      from.push(index);
    } else {
      kept[place] = entry;
      from[place] = index;
    }
  });
  if (kept.length === list.length && from.every((index, place) => index === place)) return list;
  from.forEach((index, place) => report.origins.move(kept, place, list, index));
  return kept;
}

function byName(entry: Value): Identity {
  // What is no text is left for the schema to refuse: it has the better words for it.
  if (typeof entry !== 'string') return { id: `\0${JSON.stringify(entry)}` };
  const equals = entry.indexOf('=');
  return { id: equals < 0 ? entry : entry.slice(0, equals) };
}

function byVolumeTarget(entry: Value, path: string): Identity {
  if (isDict(entry)) {
    const target = entry['target'];
    return typeof target === 'string' ? { id: target } : { problem: `${path}: the mount has no target` };
  }
  if (typeof entry !== 'string') return { id: '' };
  const volume = parseVolumeShort(entry);
  return volume.ok ? { id: volume.value.target } : { problem: `${path}: ${volume.message}` };
}

function byDeviceTarget(entry: Value, path: string): Identity {
  if (isDict(entry)) {
    const target = entry['target'];
    return typeof target === 'string' ? { id: target } : { problem: `${path}: the device has no target` };
  }
  if (typeof entry !== 'string') return { id: '' };
  const parts = entry.split(':');
  return { id: parts[1] ?? parts[0] ?? '' };
}

function byNumber(entry: Value, path: string): Identity {
  if (typeof entry === 'string') return { id: entry };
  if (typeof entry === 'number' && Number.isInteger(entry)) return { id: String(entry) };
  return { problem: `${path}: ${textOf(entry)} is no port` };
}

function byMountTarget(entry: Value, folder: string): Identity {
  if (typeof entry === 'string') return { id: `${folder}/${entry}` };
  if (!isDict(entry)) return { problem: `a name or a mapping is expected, not ${kindOf(entry)}` };
  return { id: typeof entry['target'] === 'string' ? entry['target'] : `${folder}/${textOf(entry['source'] ?? null)}` };
}

function byPort(entry: Value, path: string): Identity {
  if (typeof entry === 'string') return { id: entry };
  if (!isDict(entry)) return { id: typeof entry === 'number' ? String(entry) : '' };
  if (!('target' in entry)) return { problem: `${path}: the port has no target` };
  // NOTE: a number and a text are different here, as in the reference: `published: 80` does not replace `published: "80"`.
  const typed = (value: Value | undefined): string => `${typeof value}:${textOf(value ?? null)}`;
  return { id: `${textOf(entry['host_ip'] ?? '0.0.0.0')}|${typed(entry['published'])}|${typed(entry['target'])}/${textOf(entry['protocol'] ?? 'tcp')}` };
}

function byPath(entry: Value, path: string): Identity {
  if (typeof entry === 'string') return { id: entry };
  if (!isDict(entry)) return { id: '' };
  return typeof entry['path'] === 'string' ? { id: entry['path'] } : { problem: `${path}: the env file has no path` };
}
