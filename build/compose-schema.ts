import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const outDir = join(root, 'src/spec/generated');

/** Writes src/spec/generated: schemas/compose.json as a value that the bundle carries. The loader walks it; nothing is compiled. */
export function generateComposeSchema(): void {
  const schema: unknown = JSON.parse(readFileSync(join(root, 'schemas/compose.json'), 'utf8'));
  mkdirSync(outDir, { recursive: true });
  // NOTE: as text to be parsed: that is quicker than the same as code.
  writeFileSync(join(outDir, 'compose-schema.js'), `export const composeSchema = JSON.parse(${JSON.stringify(JSON.stringify(schema))});\n`);
  writeFileSync(join(outDir, 'compose-schema.d.ts'), `import type { Schema } from '../schema/schema.ts';\nexport declare const composeSchema: Schema;\n`);
}
