// Writes the pages that are made from tables. `make docs` calls it; tests fail where a page is not what its table says.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { supportPage } from '../src/spec/targets/print.ts';
import { errorsPage } from './errors-page.ts';

const docs = join(import.meta.dirname, '..', 'docs');
writeFileSync(join(docs, 'compose-support.md'), supportPage());
writeFileSync(join(docs, 'errors.md'), errorsPage());
