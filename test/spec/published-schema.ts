import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';

type Node = { [key: string]: Node };

/** Adds what the published schema has and dclint's copy lacks. */
function complete(schema: Node): Node {
  const definitions = child(schema, 'definitions');
  const service = child(child(definitions, 'service'), 'properties');
  const text: unknown = { type: 'string' };
  const flag: unknown = { type: ['boolean', 'string'] };
  const pairs: unknown = { $ref: '#/definitions/list_or_dict' };
  const command: unknown = { $ref: '#/definitions/command' };
  const hook: unknown = {
    type: 'object',
    properties: { command, image: text, user: text, privileged: flag, working_dir: text, environment: pairs, per_replica: flag },
    additionalProperties: false,
    patternProperties: { '^x-': {} },
  };
  Object.assign(definitions, { pre_start_hook: hook });
  Object.assign(service, { pre_start: { type: 'array', items: { $ref: '#/definitions/pre_start_hook' } } });
  const build = child(child(child(service, 'build'), 'oneOf'), '1');
  Object.assign(child(build, 'properties'), { sbom: flag, provenance: flag, no_cache_filter: { $ref: '#/definitions/string_or_list' } });
  const models = child(child(child(service, 'models'), 'oneOf'), '1');
  const use = child(child(models, 'patternProperties'), '^[a-zA-Z0-9._-]+$');
  Object.assign(child(models, 'patternProperties'), { '^[a-zA-Z0-9._-]+$': { oneOf: [use, { type: 'null' }] } });
  const watch = child(child(child(definitions, 'development'), 'properties'), 'watch');
  Object.assign(child(child(watch, 'items'), 'properties'), { initial_sync: { type: 'boolean' } });
  return schema;
}

function child(node: Node, key: string): Node {
  const found = node[key];
  if (found === undefined) throw new Error(`dclint's schema has no ${key} where it was expected`);
  return found;
}

/** The verdict of the published Compose schema. */
export function publishedVerdict(): (model: unknown) => boolean {
  const path = createRequire(import.meta.url).resolve('dclint').replace(/node_modules\/dclint\/.*/, 'node_modules/dclint/schemas/compose.schema.json');
  const { $schema: _, ...schema } = complete(JSON.parse(readFileSync(path, 'utf8')));
  const validate = new Ajv({ strict: false, logger: false }).compile(schema);
  return (model) => validate(model);
}
