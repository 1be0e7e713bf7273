import type { ErrorCode } from '../../base/error-codes.ts';

export type ModelPath = readonly (string | number)[];

/** One thing that is wrong with a model, and where. */
export type SchemaError = {
  readonly path: ModelPath;
  /** Whether the key itself is wrong (unknown, badly named), or what it holds. */
  readonly on: 'key' | 'value';
  readonly keyword: 'additionalProperties' | 'type' | 'required' | 'enum' | 'pattern' | 'minimum' | 'maximum' | 'uniqueItems';
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
};

/** The part of JSON Schema that schemas/compose.json uses. */
export type Schema = {
  /** What a value here must be, as it ends the sentence "X must be …". */
  readonly title?: string;
  /** What it is for. */
  readonly description?: string;
  /** How it is written. */
  readonly examples?: readonly unknown[];
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly type?: JsonType | readonly JsonType[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly uniqueItems?: boolean;
  readonly oneOf?: readonly Schema[];
};

export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/** A schema with its reference followed; words beside the reference win over those behind it. */
export function resolveSchema(schema: Schema, root: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  const { $ref, ...words } = schema;
  const target = root.definitions?.[$ref.slice('#/definitions/'.length)];
  return target === undefined ? words : { ...resolveSchema(target, root), ...words };
}

/** The schema of a key in a map, whether it is named or fits a pattern. */
export function schemaOfKey(schema: Schema, key: string): Schema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  for (const [pattern, inner] of Object.entries(schema.patternProperties ?? {})) if (patternOf(pattern).test(key)) return inner;
  return undefined;
}

const patterns = new Map<string, RegExp>();

export function patternOf(source: string): RegExp {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  const pattern = new RegExp(source, 'u');
  patterns.set(source, pattern);
  return pattern;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function typesOf(schema: Schema): readonly JsonType[] {
  if (schema.type === undefined) return [];
  return typeof schema.type === 'string' ? [schema.type] : schema.type;
}

export function fitsType(value: unknown, type: JsonType): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'boolean':
    case 'string':
      return typeof value === type;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isMap(value);
  }
}
