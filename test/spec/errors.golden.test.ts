import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { printDiagnostics } from '../../src/spec/diagnostics/code-frame.ts';
import { folder, loadFiles } from './load-files.ts';

/** Each file is a mistake that people make; the text beside it is what they read. `make golden` rewrites the texts. */
const dir = join(import.meta.dirname, '../golden/spec-errors');
const names = readdirSync(dir).filter((name) => name.endsWith('.yaml')).sort();
const beside = Object.fromEntries(readdirSync(dir).filter((name) => name.endsWith('.env')).map((name) => [name, readFileSync(join(dir, name), 'utf8')]));

test.for(names)('%s', (name) => {
  const text = readFileSync(join(dir, name), 'utf8');
  const result = loadFiles({ 'compose.yaml': text, ...beside }, { projectName: { name: 'app', isExplicit: false } });
  const shown = (file: string | undefined): string | undefined => file?.replace(`${folder}/`, '');
  const diagnostics = 'diagnostics' in result ? result.diagnostics : [];
  const printed = printDiagnostics(
    diagnostics.map((one) => (one.file === undefined ? one : { ...one, file: shown(one.file) ?? '' })),
    { isColoured: false, sources: new Map([['compose.yaml', text], ...Object.entries(beside)]) },
  );
  const out = result.kind === 'loaded' ? `${printed}(loaded)\n` : printed;
  const golden = join(dir, name.replace('.yaml', '.txt'));
  if (process.env['GOLDEN'] === 'write') writeFileSync(golden, out);
  expect(out).toBe(readFileSync(golden, 'utf8'));
});
