import { fitsType, isMap, patternOf, typesOf } from './schema.ts';
import type { JsonType, Schema } from './schema.ts';
import { hasOnlyUnique } from './unique.ts';

/** A schema made ready for many values: references followed, patterns compiled. Made once for each part that is met. */
type Ready = {
  readonly schema: Schema;
  readonly types: readonly JsonType[];
  /** What `$ref` leads to; it counts beside the words next to it. */
  readonly target: Ready | null;
  readonly patterns: readonly { readonly pattern: RegExp; readonly inner: Schema }[];
};

/**
 * Whether a value is valid, and nothing else. The schema is walked, not turned into code: valid files then load 400 KB of code less,
 * and only the parts that a file uses are ever touched.
 */
export function makeFits(root: Schema): (value: unknown) => boolean {
  const known = new Map<Schema, Ready>();
  const readyOf = (schema: Schema): Ready => {
    const found = known.get(schema);
    if (found !== undefined) return found;
    const target = schema.$ref === undefined ? undefined : root.definitions?.[schema.$ref.slice('#/definitions/'.length)];
    const made: Ready = {
      schema,
      types: typesOf(schema),
      target: target === undefined ? null : readyOf(target),
      patterns: Object.entries(schema.patternProperties ?? {}).map(([source, inner]) => ({ pattern: patternOf(source), inner })),
    };
    known.set(schema, made);
    return made;
  };
  const fits = ({ schema, types, target, patterns }: Ready, value: unknown): boolean => {
    if (target !== null && !fits(target, value)) return false;
    if (types.length > 0 && !types.some((type) => fitsType(value, type))) return false;
    if (schema.enum !== undefined && !schema.enum.some((one) => one === value)) return false;
    if (schema.oneOf !== undefined && !fitsExactlyOne(schema.oneOf, value)) return false;
    if (typeof value === 'string') return schema.pattern === undefined || patternOf(schema.pattern).test(value);
    if (typeof value === 'number') return value >= (schema.minimum ?? value) && value <= (schema.maximum ?? value);
    if (Array.isArray(value)) return fitsList(schema, value);
    return !isMap(value) || fitsMap(schema, patterns, value);
  };
  const fitsExactlyOne = (branches: readonly Schema[], value: unknown): boolean => {
    let fitting = 0;
    for (const branch of branches) if (fits(readyOf(branch), value)) fitting += 1;
    return fitting === 1;
  };
  const fitsList = (schema: Schema, items: readonly unknown[]): boolean => {
    if (schema.items !== undefined) {
      const ready = readyOf(schema.items);
      for (const item of items) if (!fits(ready, item)) return false;
    }
    return schema.uniqueItems !== true || hasOnlyUnique(items);
  };
  const fitsMap = (schema: Schema, patterns: Ready['patterns'], map: Readonly<Record<string, unknown>>): boolean => {
    for (const key of schema.required ?? []) if (!Object.hasOwn(map, key)) return false;
    const { properties } = schema;
    for (const key of Object.keys(map)) {
      const named = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
      let isKnown = named !== undefined;
      if (named !== undefined && !fits(readyOf(named), map[key])) return false;
      for (const { pattern, inner } of patterns) {
        if (!pattern.test(key)) continue;
        isKnown = true;
        if (!fits(readyOf(inner), map[key])) return false;
      }
      if (!isKnown && schema.additionalProperties === false) return false;
    }
    return true;
  };
  const top = readyOf(root);
  return (value) => fits(top, value);
}
