import type { Report } from '../report.ts';
import { descend, ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { isDict, isList, kindOf, newDict, textOf } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** Both sides of one key: what was there, and what the later file says. */
type Sides = { readonly base: Value; readonly over: Value; readonly tree: MergeTree | undefined; readonly path: readonly string[]; readonly report: Report };
type MergeRule = (sides: Sides) => Value;
type MergeTree = RuleTree<MergeRule>;

/**
 * Keys that do not merge as mappings do by key, lists by appending and scalars by the later one.
 * Source: Compose spec, merge; compose-go override (which keys).
 */
const mergeTable: Readonly<Record<string, MergeRule>> = {
  'networks.*.ipam.config': mergePools,
  'networks.*.labels': appendAsLines,
  'volumes.*.labels': appendAsLines,
  'services.*.annotations': appendAsLines,
  'services.*.build': mergeBuild,
  'services.*.build.args': appendAsLines,
  'services.*.build.additional_contexts': appendAsLines,
  'services.*.build.extra_hosts': appendNewLines,
  'services.*.build.labels': appendAsLines,
  'services.*.command': replace,
  'services.*.depends_on': (sides) => mergeNamed(sides, dependencyDefaults),
  'services.*.deploy.labels': appendAsLines,
  'services.*.dns': appendAsLines,
  'services.*.dns_opt': appendAsLines,
  'services.*.dns_search': appendAsLines,
  'services.*.entrypoint': replace,
  'services.*.env_file': appendAsLines,
  'services.*.label_file': appendAsLines,
  'services.*.environment': appendAsLines,
  'services.*.extra_hosts': appendNewLines,
  'services.*.healthcheck.test': replace,
  'services.*.labels': appendAsLines,
  'services.*.volumes.*.volume.labels': appendAsLines,
  'services.*.logging': mergeLogging,
  'services.*.models': (sides) => mergeNamed(sides, nothing),
  'services.*.networks': (sides) => mergeNamed(sides, nothing),
  'services.*.sysctls': appendAsLines,
  'services.*.tmpfs': appendAsLines,
  'services.*.ulimits.*': replace,
};

const mergeRules: MergeTree = ruleTree(mergeTable);
const serviceRules = descend(mergeRules, 'services', '*');

/** Lays the later model over the earlier one, which is changed and answered. */
export function mergeModels(base: Dict, over: Dict, report: Report): Dict {
  return mergeDicts({ base, over, tree: mergeRules, path: [], report }, base, over);
}

/** Lays a service over the one that it extends. */
export function mergeService(base: Dict, over: Dict, name: string, report: Report): Dict {
  return mergeDicts({ base, over, tree: serviceRules, path: ['services', name], report }, base, over);
}

/** Lays one named resource (`services.web`) over another of that name. */
export function mergeResource(base: Value, over: Value, kind: string, name: string, report: Report): Value {
  return mergeValues({ base, over, tree: descend(mergeRules, kind, name), path: [kind, name], report });
}

function mergeValues(sides: Sides): Value {
  const { base, over, tree } = sides;
  if (tree?.rule !== undefined) return tree.rule(sides);
  if (over === null) return base;
  if (isDict(base)) return isDict(over) ? mergeDicts(sides, base, over) : mismatch(sides);
  if (isList(base)) return isList(over) ? append(sides, base, over) : mismatch(sides);
  return over;
}

function mergeDicts(sides: Sides, base: Dict, over: Dict): Dict {
  const { tree, path, report } = sides;
  for (const key of Object.keys(over)) {
    const value = over[key] ?? null;
    const known = key in base;
    const before = base[key] ?? null;
    const merged = known ? mergeValues({ base: before, over: value, tree: step(tree, key), path: [...path, key], report }) : value;
    // A child that was merged in place keeps its origins; one that was taken over brings its own.
    if (merged !== before || !known) report.origins.move(base, key, over, key);
    base[key] = merged;
  }
  return base;
}

function append({ report }: Sides, base: List, over: List): List {
  over.forEach((item, index) => {
    base.push(item);
    report.origins.move(base, base.length - 1, over, index);
  });
  return base;
}

function mismatch({ base, over, path, report }: Sides): Value {
  const place = isDict(over) || isList(over) ? report.origins.whole(over) : undefined;
  report.error({ code: 'SPEC_MERGE_KIND', message: `${path.join('.')} is ${kindOf(base)} in an earlier file and ${kindOf(over)} in a later one`, hint: 'Use the same form in both, or `!override`.', ...place, path: path.join('.') });
  return base;
}

function replace({ over }: Sides): Value {
  return over;
}

function appendAsLines(sides: Sides): Value {
  const base = linesOf(sides.base, sides.report);
  const over = linesOf(sides.over, sides.report);
  return base === undefined ? (over ?? null) : over === undefined ? base : append(sides, base, over);
}

function appendNewLines(sides: Sides): Value {
  const base = linesOf(sides.base, sides.report);
  const over = linesOf(sides.over, sides.report);
  if (base === undefined || over === undefined) return base ?? over ?? null;
  const known = new Set(base);
  over.forEach((line, index) => {
    if (known.has(line)) return;
    base.push(line);
    sides.report.origins.move(base, base.length - 1, over, index);
  });
  return base;
}

/** `KEY=value` lines of a mapping, sorted; a list as it is; undefined where there is nothing. */
function linesOf(value: Value, report: Report): List | undefined {
  if (isList(value)) return value;
  if (typeof value === 'string') return [value];
  if (!isDict(value)) return undefined;
  const pairs: { readonly line: string; readonly key: string }[] = [];
  for (const key of Object.keys(value)) {
    const child = value[key] ?? null;
    if (child === null) pairs.push({ line: key, key });
    else for (const one of isList(child) ? child : [child]) pairs.push({ line: `${key}=${textOf(one)}`, key });
  }
  pairs.sort((a, b) => (a.line < b.line ? -1 : a.line > b.line ? 1 : 0));
  const lines: List = pairs.map((pair) => pair.line);
  pairs.forEach((pair, index) => report.origins.move(lines, index, value, pair.key));
  return lines;
}

function mergeBuild(sides: Sides): Value {
  const base = buildOf(sides.base);
  const over = buildOf(sides.over);
  return base === undefined ? (over ?? null) : over === undefined ? base : mergeDicts(sides, base, over);
}

function buildOf(value: Value): Dict | undefined {
  if (isDict(value)) return value;
  if (typeof value !== 'string') return undefined;
  const build = newDict();
  build['context'] = value;
  return build;
}

/** A list of names and a mapping by name are the same thing here. */
function mergeNamed(sides: Sides, defaults: () => Value): Value {
  const base = namedOf(sides.base, sides.report, defaults);
  const over = namedOf(sides.over, sides.report, defaults);
  return base === undefined ? (over ?? null) : over === undefined ? base : mergeDicts(sides, base, over);
}

function namedOf(value: Value, report: Report, defaults: () => Value): Dict | undefined {
  if (isDict(value)) return value;
  if (!isList(value)) return undefined;
  const named = newDict();
  value.forEach((name, index) => {
    const key = textOf(name);
    const made = defaults();
    named[key] = made;
    report.origins.move(named, key, value, index);
    if (isDict(made)) report.origins.expand(made, value, index);
  });
  return named;
}

function dependencyDefaults(): Value {
  const made = newDict();
  made['condition'] = 'service_started';
  made['required'] = true;
  return made;
}

function nothing(): Value {
  return null;
}

/** Options of a logging driver merge only with options of the same driver, or where one side names none. */
function mergeLogging(sides: Sides): Value {
  const { base, over } = sides;
  if (!isDict(base) || !isDict(over)) return over ?? base;
  const isSame = !('driver' in base) || !('driver' in over) || base['driver'] === over['driver'];
  return isSame ? mergeDicts(sides, base, over) : over;
}

/** Address pools merge by their subnet. */
function mergePools(sides: Sides): Value {
  const { base, over } = sides;
  if (!isList(base) || !isList(over)) return over === null ? base : isList(base) ? mismatch(sides) : over;
  const pools: Dict[] = [];
  for (const original of base.filter(isDict)) {
    for (const later of over.filter(isDict)) {
      if (later['subnet'] !== original['subnet'] && !pools.some((pool) => pool['subnet'] === later['subnet'])) {
        pools.push(later);
        continue;
      }
      const merged = mergeDicts(sides, original, later);
      const known = pools.findIndex((pool) => pool['subnet'] === merged['subnet']);
      if (known >= 0) pools[known] = merged;
      else pools.push(merged);
    }
  }
  return pools;
}
