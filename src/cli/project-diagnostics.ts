import { relative } from 'node:path';
import { AppError } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Provided } from '../spec/input.ts';
import type { Reader, ReadHost } from './read-project.ts';

/** Where findings are printed, and what of the process the printing needs. */
export type DiagnosticsHost = ReadHost & { readonly err: { readonly write: (text: string) => void; readonly isTty: boolean } };

export function hasError(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((one) => one.severity === 'error');
}

/** Prints findings that don't stop a load. */
export async function warn(host: DiagnosticsHost, diagnostics: readonly Diagnostic[], reader: Reader): Promise<void> {
  if (diagnostics.length > 0) host.err.write(await printed(host, diagnostics, reader));
}

/** Prints all findings, then ends with CLI_INVALID_PROJECT. */
export async function refuse(host: DiagnosticsHost, diagnostics: readonly Diagnostic[], reader: Reader): Promise<never> {
  host.err.write(await printed(host, diagnostics, reader));
  const errors = diagnostics.filter((one) => one.severity === 'error');
  throw new AppError({ code: 'CLI_INVALID_PROJECT', message: errors.length === 1 ? 'the project has an error' : `the project has ${errors.length} errors` });
}

async function printed(host: DiagnosticsHost, diagnostics: readonly Diagnostic[], reader: Reader): Promise<string> {
  const { printDiagnostics } = await import('../spec/diagnostics/code-frame.ts');
  const sources = new Map<string, string>();
  const shown = diagnostics.map((one) => {
    if (one.file === undefined) return one;
    const file = one.file === '-' ? 'standard input' : shortest(host.cwd, one.file);
    const found: Provided | undefined = reader.provided.get(one.file);
    if (found?.kind === 'file') sources.set(file, typeof found.content === 'string' ? found.content : new TextDecoder().decode(found.content));
    return { ...one, file };
  });
  return printDiagnostics(shown, { isColoured: host.err.isTty && (host.env['NO_COLOR'] ?? '') === '', sources });
}

/** A path as people type it: from the current folder where it is below that. */
function shortest(cwd: string, path: string): string {
  const way = relative(cwd, path);
  return way === '' || way.startsWith('..') ? path : way;
}
