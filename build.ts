// Builds what runs: generated code first, then the bundle in dist/. `make build` calls it.
import { bundle } from './build/bundle.ts';
import { generateComposeSchema } from './build/compose-schema.ts';

generateComposeSchema();
await bundle();
