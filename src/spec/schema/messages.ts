import { nearestWord } from '../../base/nearest.ts';
import { isMap, resolveSchema, schemaOfKey, typesOf } from './schema.ts';
import type { JsonType, ModelPath, Schema, SchemaError } from './schema.ts';

type Finding = { readonly schema: Schema; readonly value: unknown; readonly path: ModelPath };
type KeyFinding = { readonly schema: Schema; readonly root: Schema; readonly key: string; readonly path: ModelPath };

const typeWords: Readonly<Record<JsonType, string>> = {
  null: 'nothing',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  string: 'text',
  array: 'a list',
  object: 'a map',
};

/** `services.web.ports[0]`; the whole file for the empty path. */
export function pathText(path: ModelPath): string {
  if (path.length === 0) return 'the file';
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

export function wrongType({ schema, value, path }: Finding): SchemaError {
  const wanted = schema.title ?? listOfWords([...new Set(typesOf(schema))].map((type) => typeWords[type]));
  const where = pathText(path);
  const message = value === null ? `${where} is empty: it must be ${wanted}` : `${where} must be ${wanted}, not ${valueWords(value)}`;
  return { path, on: 'value', keyword: 'type', code: 'SPEC_WRONG_TYPE', message, ...withHint(typeHint(schema, value, path)) };
}

export function badText({ schema, value, path }: Finding): SchemaError {
  const text = String(value);
  const choices = schema.enum ?? [];
  const wanted = choices.length > 0 ? listOfWords(choices.map((one) => `\`${one}\``)) : (schema.title ?? 'another text');
  // A word that is the end of just one choice is meant to be it: `healthy` for `service_healthy`.
  const ends = text === '' ? [] : choices.filter((one) => one.endsWith(text));
  const near = ends.length === 1 ? ends[0] : nearestWord(text, choices);
  const hint = near === undefined ? exampleHint(schema, path) : `Did you mean \`${near}\`?`;
  return {
    path,
    on: 'value',
    keyword: schema.enum === undefined ? 'pattern' : 'enum',
    code: 'SPEC_BAD_VALUE',
    message: `${pathText(path)} must be ${wanted}, not ${valueWords(text)}`,
    ...withHint(hint),
  };
}

export function badNumber({ schema, value, path }: Finding): SchemaError {
  const { minimum, maximum } = schema;
  const range = minimum !== undefined && maximum !== undefined ? `from ${minimum} to ${maximum}` : minimum !== undefined ? `${minimum} or more` : `${maximum} or less`;
  const keyword = typeof value === 'number' && minimum !== undefined && value < minimum ? 'minimum' : 'maximum';
  return { path, on: 'value', keyword, code: 'SPEC_BAD_VALUE', message: `${pathText(path)} must be ${range}, not ${String(value)}` };
}

export function duplicateItem({ value, path, first }: { readonly value: unknown; readonly path: ModelPath; readonly first: number }): SchemaError {
  const list = path.slice(0, -1);
  return {
    path,
    on: 'value',
    keyword: 'uniqueItems',
    code: 'SPEC_DUPLICATE_ITEM',
    message: `${pathText(path)} repeats ${pathText([...list, first])}: ${valueWords(value)}`,
    hint: 'Keep one of the two.',
  };
}

export function missingKey({ schema, root, key, path }: KeyFinding): SchemaError {
  const inner = schema.properties?.[key];
  const words = inner === undefined ? undefined : resolveSchema(inner, root);
  const choices = words?.enum === undefined ? '' : `: ${listOfWords(words.enum)}`;
  return {
    path,
    on: 'value',
    keyword: 'required',
    code: 'SPEC_MISSING_KEY',
    message: `${pathText(path)} must have the key \`${key}\``,
    hint: `Add \`${key}:\`${choices === '' && words?.title !== undefined ? ` with ${words.title}` : choices}.`,
  };
}

export function unknownKey(finding: KeyFinding & { readonly value: unknown }): SchemaError {
  const { schema, key, path } = finding;
  const at: ModelPath = [...path, key];
  const names = Object.keys(schema.patternProperties ?? {}).find((pattern) => pattern.startsWith('^[a-z'));
  if (schema.properties === undefined && names !== undefined) {
    const message = `\`${key}\` is not a valid name in ${pathText(path)}`;
    const hint = 'Use letters, digits, `.`, `_` and `-`.';
    return { path: at, on: 'key', keyword: 'additionalProperties', code: 'SPEC_BAD_NAME', message, hint };
  }
  const where = path.length === 0 ? 'at the top of the file' : `in ${pathText(path)}`;
  return { path: at, on: 'key', keyword: 'additionalProperties', code: 'SPEC_UNKNOWN_KEY', message: `\`${key}\` is not a known key ${where}`, hint: unknownKeyHint(finding) };
}

function unknownKeyHint({ schema, root, key, value, path }: KeyFinding & { readonly value: unknown }): string {
  const known = Object.keys(schema.properties ?? {});
  const service = root.definitions?.['service'];
  const near = nearestWord(key, known);
  if (path.length === 0 && isMap(value) && (Object.hasOwn(value, 'image') || Object.hasOwn(value, 'build'))) {
    return `A service belongs under \`services:\`: indent \`${key}:\` and its settings below it.`;
  }
  if (near !== undefined) return `Did you mean \`${near}\`?`;
  if (path.length === 0 && service !== undefined && schemaOfKey(service, key) !== undefined) {
    return `\`${key}\` belongs to a service: put it under \`services:\`, below the service's name.`;
  }
  if (isServicePath(path) && root.properties !== undefined && Object.hasOwn(root.properties, key)) return `\`${key}:\` belongs at the top of the file: remove its indent.`;
  const parents = known.filter((parent) => holdsKey(schema.properties?.[parent], { root, key }));
  if (parents.length > 0 && parents.length <= 3) return `\`${key}\` belongs under ${listOfWords(parents.map((parent) => `\`${parent}:\``))}.`;
  const service2 = service === undefined ? undefined : schemaOfKey(service, key);
  if (path.length > 2 && path[0] === 'services' && service2 !== undefined) return `\`${key}\` belongs to the service itself: indent it less.`;
  if (known.length > 0 && known.length <= 12) return `The keys here are ${listOfWords(known, 'and')}; a key of your own begins with \`x-\`.`;
  return 'A key of your own begins with `x-`.';
}

function holdsKey(schema: Schema | undefined, { root, key }: { readonly root: Schema; readonly key: string }): boolean {
  if (schema === undefined) return false;
  const resolved = resolveSchema(schema, root);
  if (resolved.properties !== undefined && Object.hasOwn(resolved.properties, key)) return true;
  return (resolved.oneOf ?? []).some((branch) => holdsKey(branch, { root, key }));
}

function isServicePath(path: ModelPath): boolean {
  return path.length === 2 && path[0] === 'services';
}

function typeHint(schema: Schema, value: unknown, path: ModelPath): string | undefined {
  const types = typesOf(schema);
  const key = String(path.findLast((step) => typeof step === 'string') ?? '');
  const isItem = typeof path[path.length - 1] === 'number';
  if (isItem && isMap(value) && types.includes('string')) return pairHint(value);
  if (typeof value === 'number' && schema.title?.startsWith('a duration') === true) return `Say in which unit: ${value}s or ${value}m.`;
  if (types.includes('string') && !types.includes('boolean') && (typeof value === 'number' || typeof value === 'boolean')) return `Put it in quotes: "${String(value)}".`;
  if (types.includes('array') && typeof value === 'string') return listHint(key, value);
  if (value === null && types.includes('object')) return isServicePath(path) ? `Indent the settings of \`${key}\` below its name, or give it an image:\n${key}:\n  image: nginx` : exampleHint(schema, path);
  if (types.includes('object') && Array.isArray(value) && !types.includes('array')) return 'Write it without dashes, as `key: value`.';
  return exampleHint(schema, path);
}

function listHint(key: string, value: string): string {
  const isDashStuck = /^-\S/.test(value);
  return isDashStuck ? `Put a space behind the dash:\n${key}:\n  - "${value.slice(1)}"` : `Begin each item with a dash:\n${key}:\n  - ${JSON.stringify(value)}`;
}

/** `- KEY: value` makes a map of one key where a text was meant; so does a port with a space behind its colon. */
function pairHint(value: Readonly<Record<string, unknown>>): string | undefined {
  const [first] = Object.entries(value);
  if (first === undefined || isMap(first[1]) || Array.isArray(first[1])) return undefined;
  const isPort = /^\d+$/.test(first[0]);
  return isPort ? `Write "${first[0]}:${String(first[1])}" in quotes, without a space behind the colon.` : `Write \`- ${first[0]}=${String(first[1] ?? '')}\`, or drop the dashes and keep \`${first[0]}: ${String(first[1] ?? '')}\`.`;
}

function exampleHint(schema: Schema, path: ModelPath): string | undefined {
  const example = schema.examples?.[0];
  const key = path[path.length - 1];
  return example === undefined || typeof key !== 'string' ? undefined : `For example:\n${yamlText(key, example, 0)}`;
}

/** An example as a few lines of YAML. */
function yamlText(key: string, value: unknown, depth: number): string {
  const pad = '  '.repeat(depth);
  if (Array.isArray(value)) return `${pad}${key}:\n${value.map((item) => `${pad}  - ${isMap(item) ? flow(item) : JSON.stringify(item)}`).join('\n')}`;
  if (!isMap(value)) return `${pad}${key}: ${typeof value === 'string' && /^[\w./:-]*[a-z][\w./-]*$/i.test(value) ? value : JSON.stringify(value)}`;
  const inner = Object.entries(value);
  return inner.length === 0 ? `${pad}${key}: {}` : `${pad}${key}:\n${inner.map(([name, one]) => yamlText(name, one, depth + 1)).join('\n')}`;
}

function flow(map: Readonly<Record<string, unknown>>): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}: ${String(value)}`)
    .join(', ');
}

function valueWords(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)}`;
  return typeof value === 'object' ? 'a map' : String(value);
}

function listOfWords(words: readonly string[], last = 'or'): string {
  if (words.length <= 1) return words[0] ?? '';
  return `${words.slice(0, -1).join(', ')} ${last} ${words[words.length - 1] ?? ''}`;
}

function withHint(hint: string | undefined): { readonly hint?: string } {
  return hint === undefined ? {} : { hint };
}
