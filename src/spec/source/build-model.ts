import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Document, Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { limits } from '../../base/limits.ts';
import type { Report } from '../report.ts';
import type { Origins, SourceText } from './origins.ts';
import { positionAt } from './origins.ts';
import { resolvePlain, resolveTagged, tagOf } from './scalar.ts';
import { isDict, newDict } from './values.ts';
import type { Dict, Value } from './values.ts';

export type BuiltModel = {
  readonly value: Value;
  /** Paths tagged `!reset` or `!override`, as segments: what earlier files said there is forgotten. */
  readonly resets: readonly (readonly string[])[];
};

type Build = {
  readonly source: SourceText;
  readonly origins: Origins;
  readonly report: Report;
  readonly targets: ReadonlyMap<Alias, Node | undefined>;
  readonly resets: string[][];
  readonly path: string[];
  readonly open: Set<Node>;
  built: number;
};

/** Thrown inside this file only: the document is over, its diagnostic is written. */
class GiveUp extends Error {}

/**
 * Makes the value of a document: aliases copied in, merge keys merged, scalars resolved, `!reset` left out.
 * Every container is fresh, so that later phases may change it. Undefined where the document is refused.
 */
export function buildModel(options: { readonly source: SourceText; readonly document: Document; readonly origins: Origins; readonly report: Report }): BuiltModel | undefined {
  const { source, document, origins, report } = options;
  const fail = (node: Node, code: 'SPEC_TOO_LARGE' | 'SPEC_TOO_DEEP' | 'SPEC_YAML_ALIAS', message: string): never => {
    const hint = code === 'SPEC_YAML_ALIAS' && message.startsWith('no anchor') ? 'Mark what it stands for, above: `key: &name`.' : undefined;
    report.error({ code, message, hint, ...placeOf(source, node) });
    throw new GiveUp();
  };
  try {
    const targets = pairAliases(document.contents, fail);
    const build: Build = { source, origins, report, targets, resets: [], path: [], open: new Set(), built: 0 };
    const value = document.contents === null ? null : valueOf(build, document.contents, fail);
    return { value: value ?? null, resets: build.resets };
  } catch (error) {
    if (error instanceof GiveUp) return undefined;
    throw error;
  }
}

type Fail = (node: Node, code: 'SPEC_TOO_LARGE' | 'SPEC_TOO_DEEP' | 'SPEC_YAML_ALIAS', message: string) => never;

/** Finds the anchor of each alias: the last one of that name before it. Bound: one visit a node. */
function pairAliases(root: Node | null, fail: Fail): Map<Alias, Node | undefined> {
  const targets = new Map<Alias, Node | undefined>();
  const anchors = new Map<string, Node>();
  let visits = 0;
  const visit = (node: unknown, depth: number): void => {
    if (isAlias(node)) {
      visits += 1;
      targets.set(node, anchors.get(node.source));
      return;
    }
    if (!isMap(node) && !isSeq(node) && !isScalar(node)) return;
    visits += 1;
    if (visits > limits.composeNodesMax) fail(node, 'SPEC_TOO_LARGE', `the file holds more than ${limits.composeNodesMax} values`);
    if (depth > limits.composeDepthMax) fail(node, 'SPEC_TOO_DEEP', `the file is nested more than ${limits.composeDepthMax} levels deep`);
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isSeq(node)) for (const item of node.items) visit(item, depth + 1);
    else if (isMap(node)) {
      for (const pair of node.items) {
        // Keys that are texts cost nothing more; others are looked at, for their anchors.
        if (!isScalar(pair.key)) visit(pair.key, depth + 1);
        else if (pair.key.anchor !== undefined) anchors.set(pair.key.anchor, pair.key);
        visit(pair.value, depth + 1);
      }
    }
  };
  visit(root, 0);
  return targets;
}

/** The value of a node, or undefined where it is tagged `!reset`. */
function valueOf(build: Build, node: unknown, fail: Fail): Value | undefined {
  if (node === null || node === undefined) return null;
  if (isAlias(node)) return aliasValue(build, node, fail);
  if (!isMap(node) && !isSeq(node) && !isScalar(node)) return null;
  build.built += 1;
  if (build.built > limits.composeValuesMax) fail(node, 'SPEC_TOO_LARGE', `aliases blow the file up to more than ${limits.composeValuesMax} values`);
  if (node.tag === '!reset') {
    build.resets.push([...build.path]);
    return undefined;
  }
  if (node.tag === '!override') build.resets.push([...build.path]);
  if (isScalar(node)) return scalarValue(build, node);
  if (build.open.size > limits.composeDepthMax) fail(node, 'SPEC_TOO_DEEP', `the file is nested more than ${limits.composeDepthMax} levels deep`);
  build.open.add(node);
  const value = isMap(node) ? dictOf(build, node, fail) : listOf(build, node, fail);
  build.open.delete(node);
  return value;
}

function aliasValue(build: Build, alias: Alias, fail: Fail): Value | undefined {
  const target = build.targets.get(alias);
  if (target === undefined) return fail(alias, 'SPEC_YAML_ALIAS', `no anchor \`&${alias.source}\` comes before this alias`);
  if (build.open.has(target)) return fail(alias, 'SPEC_YAML_ALIAS', `the anchor \`&${alias.source}\` contains itself`);
  return valueOf(build, target, fail);
}

function scalarValue(build: Build, node: Scalar): Value {
  const text = typeof node.value === 'string' ? node.value : String(node.value ?? '');
  const isPlain = node.type === 'PLAIN' || node.type === undefined;
  if (node.tag === undefined) return isPlain ? resolvePlain(text) : text;
  const tag = node.tag.startsWith('tag:yaml.org,2002:') ? node.tag.slice('tag:yaml.org,2002:'.length) : node.tag;
  const tagged = resolveTagged(tag, text, !isPlain);
  if (tagged !== undefined) return tagged.value;
  build.report.error({ code: 'SPEC_YAML_SYNTAX', message: `\`${text}\` is no !!${tag}, it reads as !!${tagOf(isPlain ? resolvePlain(text) : text)}`, ...placeOf(build.source, node) });
  return text;
}

function listOf(build: Build, node: YAMLSeq, fail: Fail): Value {
  const list: Value[] = [];
  build.origins.note(list, build.source, node);
  let isShifted = false;
  node.items.forEach((item, index) => {
    build.path.push(String(index));
    const value = valueOf(build, item, fail);
    build.path.pop();
    if (value === undefined) isShifted = true;
    else {
      list.push(value);
      if (isShifted) build.origins.move(list, list.length - 1, list, index);
    }
  });
  return list;
}

function dictOf(build: Build, node: YAMLMap, fail: Fail): Value {
  const dict = newDict();
  build.origins.note(dict, build.source, node);
  const seen = new Map<string, Node>();
  const merges: unknown[] = [];
  for (const pair of node.items) {
    const key = keyOf(build, pair.key, fail);
    if (key === undefined) continue;
    const keyNode = isScalar(pair.key) ? pair.key : node;
    const earlier = seen.get(key);
    if (earlier !== undefined && build.report.isFull) continue;
    if (earlier !== undefined) {
      const first = placeOf(build.source, earlier);
      build.report.error({ code: 'SPEC_DUPLICATE_KEY', message: `the key \`${key}\` is already defined on line ${first.line}`, hint: 'Keep one of them.', ...placeOf(build.source, keyNode) });
      continue;
    }
    seen.set(key, keyNode);
    if (key === '<<' && isScalar(pair.key) && (pair.key.type === 'PLAIN' || pair.key.type === undefined)) {
      merges.push(pair.value);
      continue;
    }
    build.path.push(key);
    const value = valueOf(build, pair.value, fail);
    build.path.pop();
    if (value !== undefined) dict[key] = value;
  }
  for (const one of merges) mergeInto(build, dict, one, fail);
  return dict;
}

/** Merge keys: what the mapping says itself wins; of several merged mappings the first. */
function mergeInto(build: Build, dict: Dict, node: unknown, fail: Fail): void {
  const target = isAlias(node) ? build.targets.get(node) : node;
  const sources = isSeq(target) ? target.items : [node];
  for (const one of sources) {
    const value = valueOf(build, one, fail);
    if (value === undefined) continue;
    if (!isDict(value)) {
      const at = isAlias(one) || isScalar(one) || isMap(one) || isSeq(one) ? placeOf(build.source, one) : { line: 0, column: 0 };
      build.report.error({ code: 'SPEC_YAML_MERGE', message: 'a merge key `<<` takes a mapping or a list of mappings', hint: 'Write `<<: *anchor`.', ...at });
      continue;
    }
    for (const key of Object.keys(value)) {
      if (key in dict) continue;
      dict[key] = value[key] ?? null;
      build.origins.move(dict, key, value, key);
    }
  }
}

function keyOf(build: Build, key: unknown, fail: Fail): string | undefined {
  const value = isScalar(key) && (key.type === 'QUOTE_DOUBLE' || key.type === 'QUOTE_SINGLE') ? String(key.value) : isScalar(key) ? keyScalar(build, key) : valueOf(build, key, fail);
  if (typeof value === 'string') return value;
  const node = isScalar(key) || isMap(key) || isSeq(key) || isAlias(key) ? key : undefined;
  const where = build.path.length === 0 ? 'at top level' : `in ${build.path.join('.').replace(/\.(\d+)(?=\.|$)/g, '[$1]')}`;
  const shown = isScalar(key) ? String(key.source ?? key.value) : 'a mapping or list';
  build.report.error({
    code: 'SPEC_KEY_NOT_TEXT',
    message: `a key must be text, and ${shown} ${where} is none`,
    hint: !isScalar(key) ? 'Keys are plain texts.' : build.path.includes('ports') ? `Write a port in quotes, without a space behind the colon: "${shown}:80".` : `Put quotes around it: "${shown}".`,
    ...(node === undefined ? { line: 0, column: 0 } : placeOf(build.source, node)),
  });
  return undefined;
}

/** A plain key; `!reset` before a key, instead of before its value, means nothing. */
function keyScalar(build: Build, key: Scalar): Value {
  const isOurs = key.tag === '!reset' || key.tag === '!override';
  return isOurs ? String(key.value) : scalarValue(build, key);
}

function placeOf(source: SourceText, node: Node): { readonly file: string; readonly line: number; readonly column: number; readonly length: number } {
  return positionAt(source, node.range?.[0] ?? 0, node.range?.[1] ?? 1);
}
