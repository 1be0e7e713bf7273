// Writes docs/compose-support.md. `make docs` calls it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { supportPage } from '../src/spec/targets/print.ts';

const docs = join(import.meta.dirname, '..', 'docs');
mkdirSync(docs, { recursive: true });
writeFileSync(join(docs, 'compose-support.md'), supportPage());
