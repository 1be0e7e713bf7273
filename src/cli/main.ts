import { keepCompiledCode } from '../os/compiled-code.ts';

// The sources are run in development only, where every file may have changed.
if (!import.meta.filename.endsWith('.ts')) keepCompiledCode(import.meta.dirname, process.env);

// After the cache is on: what follows is loaded through it.
void import('./run.ts').then(async ({ run }) => {
  const exitCode = await run(process.argv.slice(2));
  // Nothing is waited for: what was printed is out, and an idle connection need not be closed politely.
  process.exit(exitCode);
});
