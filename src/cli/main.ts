import { enableCompileCache } from 'node:module';

enableCompileCache();

// After the cache is on: what follows is loaded through it.
const { run } = await import('./run.ts');
process.exitCode = await run(process.argv.slice(2));
