import { composeSchema } from '../generated/compose-schema.js';
import { isMap, resolveSchema, schemaOfKey } from './schema.ts';
import type { Schema } from './schema.ts';

/**
 * How a value at a place is written, from the schema's examples: `For example: "8080:80"`; else what it must be.
 * In: a path as `services.web.ports[0]`. Nothing where the schema says nothing about the place.
 */
export function exampleHint(path: string): string | undefined {
  let schema: Schema = composeSchema;
  let example: unknown;
  for (const step of path.match(/\[\d+\]|[^.[\]]+/g) ?? []) {
    const isIndex = step.startsWith('[');
    const next = stepInto(schema, step, isIndex);
    if (next === undefined) return undefined;
    schema = next;
    const inherited = isIndex && Array.isArray(example) ? example[0] : undefined;
    example = schema.examples?.[0] ?? inherited;
  }
  if (typeof example === 'string' || typeof example === 'number') return `For example: ${typeof example === 'string' && /[:\s]/.test(example) ? JSON.stringify(example) : String(example)}`;
  if (Array.isArray(example) || isMap(example) || schema.title === undefined) return undefined;
  return `It must be ${schema.title}.`;
}

function stepInto(schema: Schema, step: string, isIndex: boolean): Schema | undefined {
  const branches = schema.oneOf === undefined ? [schema] : schema.oneOf.map((branch) => resolveSchema(branch, composeSchema));
  for (const branch of branches) {
    const inner = isIndex ? branch.items : schemaOfKey(branch, step);
    if (inner !== undefined) return resolveSchema(inner, composeSchema);
  }
  return undefined;
}
