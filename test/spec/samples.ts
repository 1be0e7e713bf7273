import { randomBelow, seededRandom } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import { composeSchema } from '../../src/spec/generated/compose-schema.js';
import { resolveSchema, typesOf } from '../../src/spec/schema/schema.ts';
import type { JsonType, Schema } from '../../src/spec/schema/schema.ts';
import { fc } from '../property.ts';

/** Any value a file can hold, small. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, '', 'x', 'all', '80:80', '${V}', 0, 1, -1, 1.5, 2000),
  fc.constantFrom<unknown>([], {}, ['a'], ['a', 'a'], [1], [null], [[]], { a: 'b' }, { a: 1 }, { a: null }, { a: [] }, { 'x-a': 1 }, { '': 'a' }, { source: 'a' }, { type: 'bind' }, { condition: 'x' }),
);

/** A model that mostly fits the schema: every key can appear, with a value of one of its types. The same seed gives the same model. */
export function sampleModel(seed: number): unknown {
  return sample(composeSchema, { random: seededRandom(seed), depth: 0 });
}

type Draw = { readonly random: Random; readonly depth: number };

function sample(schema: Schema, draw: Draw): unknown {
  const resolved = resolveSchema(schema, composeSchema);
  if (resolved.oneOf !== undefined) return sample(pick(resolved.oneOf, draw), draw);
  const types = typesOf(resolved);
  return types.length === 0 ? pick(['a', 1, null, { b: 'c' }], draw) : sampleTyped(resolved, pick(types, draw), draw);
}

function sampleTyped(schema: Schema, type: JsonType, draw: Draw): unknown {
  switch (type) {
    case 'null':
      return null;
    case 'boolean':
      return pick([true, false], draw);
    case 'integer':
      return pick([0, 1, 7, 100, -1000, 1000, 1001], draw);
    case 'number':
      return pick([0, 1.5, -2, 8080], draw);
    case 'string':
      return pick(schema.enum ?? ['', 'a', 'web', '80:80', 'always', '10s', 'A=b'], draw);
    case 'array':
      return Array.from({ length: randomBelow(draw.random, 3) }, () => sample(schema.items ?? {}, { ...draw, depth: draw.depth + 1 }));
    case 'object':
      return sampleMap(schema, { ...draw, depth: draw.depth + 1 });
  }
}

function sampleMap(schema: Schema, draw: Draw): object {
  const out: { [key: string]: unknown } = {};
  const properties = Object.entries(schema.properties ?? {});
  const chance = Math.min(1, 6 / Math.max(1, properties.length));
  for (const [key, inner] of properties) {
    if (schema.required?.includes(key) === true || draw.random.float() < chance) out[key] = sample(inner, draw);
  }
  for (const [pattern, inner] of Object.entries(schema.patternProperties ?? {})) {
    const names = pattern.startsWith('^x-') ? ['x-a'] : ['a', 'web', 'nofile', 'KEY'];
    for (const name of names) if (draw.random.float() < 0.3) out[name] = sample(inner, draw);
  }
  return out;
}

function pick<T>(choices: readonly T[], draw: Draw): T {
  const choice = choices[randomBelow(draw.random, choices.length)];
  if (choice === undefined) throw new Error('nothing to choose from');
  return choice;
}

export type Mutation = { readonly at: number; readonly how: 'replace' | 'delete' | 'rename' | 'add' | 'repeat'; readonly value: unknown; readonly name: string };

export const anyMutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('replace', 'delete', 'rename', 'add', 'repeat'),
  value: anyValue,
  name: fc.constantFrom('image', 'imag', 'x-y', 'web', 'my web', '__proto__', 'constructor', '', 'ports', 'target', 'soft'),
});

/** A copy of a model with one thing changed somewhere. */
export function mutate(model: unknown, mutation: Mutation): unknown {
  const copy: unknown = structuredClone(model);
  const places = placesOf(copy);
  const place = places[mutation.at % Math.max(1, places.length)];
  if (place === undefined) return mutation.value;
  const { holder, key } = place;
  if (Array.isArray(holder)) {
    const index = Number(key);
    if (mutation.how === 'delete') holder.splice(index, 1);
    else if (mutation.how === 'repeat' || mutation.how === 'rename') holder.push(structuredClone(holder[index]));
    else if (mutation.how === 'add') holder.push(mutation.value);
    else holder[index] = mutation.value;
    return copy;
  }
  const old = holder[key];
  if (mutation.how === 'replace' || mutation.how === 'repeat') set(holder, key, mutation.value);
  else if (mutation.how === 'add') set(holder, mutation.name, mutation.value);
  else {
    delete holder[key];
    if (mutation.how === 'rename') set(holder, mutation.name, old);
  }
  return copy;
}

type Place = { readonly holder: { [key: string]: unknown } | unknown[]; readonly key: string };

function placesOf(model: unknown): { holder: { [key: string]: unknown } | (unknown[] & { [key: string]: unknown }); key: string }[] {
  const places: Place[] = [];
  const pending: unknown[] = [model];
  while (pending.length > 0) {
    const holder = pending.pop();
    if (typeof holder !== 'object' || holder === null) continue;
    for (const [key, inner] of Object.entries(holder)) {
      places.push({ holder: holder as Place['holder'], key });
      pending.push(inner);
    }
  }
  return places as ReturnType<typeof placesOf>;
}

function set(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}
