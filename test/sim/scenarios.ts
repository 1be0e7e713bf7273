import type { RunOptions } from './run-seed.ts';

/** A short story with a known end; null when it ends so. Run clean in the tests, and against every mistake in `make mutations`. */
export type Scenario = { readonly name: string; readonly run: (options: RunOptions) => string | null };

export const scenarios: readonly Scenario[] = [];
