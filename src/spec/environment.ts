import type { Diagnostic } from '../base/diagnostic.ts';
import { parseDotenv } from './dotenv/parse.ts';

export type EnvironmentInput = {
  /** The process's own environment: it wins over the files. */
  readonly own: ReadonlyMap<string, string>;
  /** Env files of the project, in order; a later one wins. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
};

/** The environment that interpolation sees: the process's, and below it `.env` or the files of `--env-file`. */
export function projectEnvironment(input: EnvironmentInput): { readonly environment: ReadonlyMap<string, string>; readonly diagnostics: readonly Diagnostic[] } {
  const values = new Map<string, string>();
  const diagnostics: Diagnostic[] = [];
  for (const { path, text } of input.files) {
    const read = parseDotenv(text, { lookup: (name) => input.own.get(name), earlier: values });
    if (!read.ok) diagnostics.push({ severity: 'error', code: 'SPEC_ENV_FILE', message: read.error.message, hint: 'One KEY=value a line.', file: path, line: read.error.line, column: read.error.column });
    for (const [name, value] of read.values) values.set(name, value);
  }
  for (const [name, value] of input.own) values.set(name, value);
  return { environment: values, diagnostics };
}
