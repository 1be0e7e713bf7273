import { composeSchema } from '../generated/compose-schema.js';
import { makeFits } from './fits.ts';
import { badNumber, badText, duplicateItem, missingKey, unknownKey, wrongType } from './messages.ts';
import { fitsType, isMap, patternOf, resolveSchema, schemaOfKey, typesOf } from './schema.ts';
import type { ModelPath, Schema, SchemaError } from './schema.ts';
import { duplicateOf } from './unique.ts';

const validate = makeFits(composeSchema);

/** As many as anyone reads; a hostile file could make millions. */
const errorsMax = 100;

/**
 * Checks a model against schemas/compose.json.
 * Out: nothing where it is valid; else every finding, one a place, in the order of the model. Of a union, the branch that
 * fits the value's type is the one that is explained.
 */
export function validateModel(model: unknown): SchemaError[] {
  if (validate(model)) return [];
  const errors: SchemaError[] = [];
  explain({ schema: composeSchema, value: model, path: [] }, errors);
  return errors;
}

type Visit = { readonly schema: Schema; readonly value: unknown; readonly path: ModelPath };

function explain(visit: Visit, errors: SchemaError[]): void {
  if (errors.length >= errorsMax) return;
  const { value, path } = visit;
  const schema = resolveSchema(visit.schema, composeSchema);
  if (schema.oneOf !== undefined) {
    explainUnion({ schema, value, path }, errors);
    return;
  }
  const types = typesOf(schema);
  if (types.length > 0 && !types.some((type) => fitsType(value, type))) {
    errors.push(wrongType({ schema, value, path }));
    return;
  }
  if (typeof value === 'string') {
    const isBad = (schema.enum !== undefined && !schema.enum.includes(value)) || (schema.pattern !== undefined && !patternOf(schema.pattern).test(value));
    if (isBad) errors.push(badText({ schema, value, path }));
  } else if (typeof value === 'number') {
    if (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)) errors.push(badNumber({ schema, value, path }));
  } else if (Array.isArray(value)) {
    explainList(schema, value, path, errors);
  } else if (isMap(value)) {
    explainMap(schema, value, path, errors);
  }
}

function explainUnion({ schema, value, path }: Visit, errors: SchemaError[]): void {
  const branches = (schema.oneOf ?? []).map((branch) => resolveSchema(branch, composeSchema));
  const fitting = branches.filter((branch) => typesOf(branch).some((type) => fitsType(value, type)));
  let best: SchemaError[] | undefined;
  for (const branch of fitting) {
    const found: SchemaError[] = [];
    // The union's own words say what is wanted; a branch adds its rules.
    const { title: _, ...rules } = branch;
    const { oneOf: __, ...words } = schema;
    explain({ schema: { ...rules, ...words }, value, path }, found);
    if (best === undefined || found.length < best.length) best = found;
  }
  if (best === undefined) errors.push(wrongType({ schema: { ...schema, type: branches.flatMap(typesOf) }, value, path }));
  else errors.push(...best);
}

function explainList(schema: Schema, items: readonly unknown[], path: ModelPath, errors: SchemaError[]): void {
  const before = errors.length;
  if (schema.items !== undefined) for (const [index, item] of items.entries()) explain({ schema: schema.items, value: item, path: [...path, index] }, errors);
  if (schema.uniqueItems !== true || errors.length > before) return;
  const duplicate = duplicateOf(items);
  if (duplicate !== undefined) errors.push(duplicateItem({ value: items[duplicate.index], path: [...path, duplicate.index], first: duplicate.first }));
}

function explainMap(schema: Schema, map: Readonly<Record<string, unknown>>, path: ModelPath, errors: SchemaError[]): void {
  for (const [key, value] of Object.entries(map)) {
    const inner = schemaOfKey(schema, key);
    if (inner !== undefined) explain({ schema: inner, value, path: [...path, key] }, errors);
    else if (schema.additionalProperties === false && errors.length < errorsMax) errors.push(unknownKey({ schema, root: composeSchema, key, value, path }));
  }
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(map, key) && errors.length < errorsMax) errors.push(missingKey({ schema, root: composeSchema, key, path }));
  }
}
