// Builds what runs: generated code first, then the bundle in dist/. `make build` calls it.
import { bundle } from './build/bundle.ts';
import { generateComposeValidator } from './build/compose-validator.ts';

generateComposeValidator();
await bundle();
