import { SimFailure } from './oracles.ts';
import type { RunOptions } from './run-seed.ts';

/** A short story with a known end; null when it ends so. Told clean in the tests, and with every mistake in `make mutations`. */
export type Scenario = { readonly name: string; readonly run: (options: RunOptions) => string | null };

export function told(name: string, story: (options: RunOptions) => string | null): Scenario {
  return {
    name,
    run: (options) => {
      try {
        return story(options);
      } catch (error) {
        if (error instanceof SimFailure || error instanceof Error) return error.message;
        throw error;
      }
    },
  };
}
