import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, _ } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';

const root = join(import.meta.dirname, '..');
const schemaFile = join(root, 'schemas/compose.json');
const outDir = join(root, 'src/spec/generated');

/**
 * Writes src/spec/generated: the compose schema as a validator in plain JavaScript, and as a value for the messages.
 * No schema is compiled at run time. Does nothing while schema and generator are those of the last run.
 */
export function generateComposeValidator(): void {
  const text = readFileSync(schemaFile, 'utf8');
  const version = createHash('sha256').update(text).update(readFileSync(import.meta.filename)).digest('hex');
  const mark = `// ${version}\n`;
  const out = join(outDir, 'compose-validator.js');
  if (existsSync(out) && readFileSync(out, 'utf8').startsWith(mark)) return;
  const schema: object = JSON.parse(text);
  mkdirSync(outDir, { recursive: true });
  writeFileSync(join(outDir, 'compose-schema.js'), `export const composeSchema = JSON.parse(${JSON.stringify(JSON.stringify(schema))});\n`);
  writeFileSync(join(outDir, 'compose-schema.d.ts'), `import type { Schema } from '../schema/schema.ts';\nexport declare const composeSchema: Schema;\n`);
  writeFileSync(join(outDir, 'compose-validator.d.ts'), 'export declare function validate(model: unknown): boolean;\n');
  writeFileSync(out, mark + validatorCode(schema));
}

function validatorCode(schema: object): string {
  // Only the verdict is wanted here: the messages are made from the schema, where something is wrong.
  const ajv = new Ajv({ allErrors: false, messages: false, allowUnionTypes: true, inlineRefs: false, code: { source: true, esm: true, optimize: 2 } });
  // NOTE: ajv compares list items pairwise; ours is linear, because the lists come from strangers.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    code(context) {
      const check = context.gen.scopeValue('func', { ref: () => true, code: _`hasOnlyUnique` });
      context.pass(_`${check}(${context.data})`);
    },
  });
  const validate = ajv.compile(JSON.parse(JSON.stringify(schema, withoutWords)));
  const make = typeof standalone === 'function' ? standalone : standalone.default;
  return `import { hasOnlyUnique } from '../schema/unique.ts';\n${make(ajv, validate)}\n`;
}

/** Leaves out what only people read. A property that is called so is a schema, not a text, and stays. */
function withoutWords(key: string, value: unknown): unknown {
  if ((key === 'title' || key === 'description') && typeof value === 'string') return undefined;
  return key === 'examples' && Array.isArray(value) ? undefined : value;
}
