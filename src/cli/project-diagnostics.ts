import { relative } from 'node:path';
import { AppError } from '../base/app-error.ts';
import { type Diagnostic, sortDiagnostics } from '../base/diagnostic.ts';
import type { Project } from '../model/project.ts';
import type { Loaded, Provided } from '../spec/input.ts';
import { ExitWith } from './context.ts';
import { diagnosticLine } from './print/error.ts';
import type { Reader, ReadHost } from './read-project.ts';

/** Where findings are printed, and what of the process the printing needs. */
export type DiagnosticsHost = ReadHost & { readonly err: { readonly write: (text: string) => void; readonly isTty: boolean }; readonly messages?: { readonly isJson: boolean; readonly isColoured: boolean } };

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

/**
 * Prints why the daemon refused, each reason at its place in the files, and ends with 1. In: the project as it was sent, to read the paths by.
 */
export async function refuseByFile(host: DiagnosticsHost, error: AppError, loaded: { readonly project: Project; readonly locate: Loaded['locate']; readonly reader: Reader }): Promise<never> {
  const diagnostics = error.reasons.map((one): Diagnostic => (one.path === undefined ? one : { ...one, ...loaded.locate(segmentsOf(one.path, loaded.project)) }));
  host.err.write(await printed(host, diagnostics, loaded.reader));
  if (error.code === 'CLUSTER_DEPLOYMENT_REFUSED') throw new AppError({ code: error.code, message: `the application was refused for ${diagnostics.length} reasons; nothing was changed` });
  throw new ExitWith(1);
}

/** `services.web.ports[0]` as its parts. A name may have dots in it, so the model is asked which part is a name. */
export function segmentsOf(path: string, model: unknown): string[] {
  const parts: string[] = [];
  let rest = path;
  let node: unknown = model;
  while (rest !== '') {
    const index = /^\[([^\]]*)\]\.?/.exec(rest);
    const names = typeof node === 'object' && node !== null ? Object.keys(node) : [];
    const known = names.filter((name) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}[`)).sort((a, b) => b.length - a.length)[0];
    const part = index === null ? (known ?? rest.split(/[.[]/, 1)[0] ?? rest) : (index[1] ?? '');
    rest = index === null ? rest.slice(part.length).replace(/^\./, '') : rest.slice(index[0].length);
    parts.push(part);
    node = typeof node === 'object' && node !== null ? Object.entries(node).find(([name]) => name === part)?.[1] : undefined;
    if (part === '' && index === null) break;
  }
  return parts;
}

/** Findings as text, each with its place and the lines around it. */
export async function printed(host: DiagnosticsHost, diagnostics: readonly Diagnostic[], reader: Reader): Promise<string> {
  if (host.messages?.isJson === true) return sortDiagnostics(diagnostics).map(diagnosticLine).join('');
  const { printDiagnostics } = await import('../spec/diagnostics/code-frame.ts');
  const sources = new Map<string, string>();
  const shown = diagnostics.map((one) => {
    if (one.file === undefined) return one;
    const file = one.file === '-' ? 'standard input' : shortest(host.cwd, one.file);
    const found: Provided | undefined = reader.provided.get(one.file);
    if (found?.kind === 'file') sources.set(file, typeof found.content === 'string' ? found.content : new TextDecoder().decode(found.content));
    return { ...one, file };
  });
  return printDiagnostics(shown, { isColoured: host.messages?.isColoured ?? (host.err.isTty && (host.env['NO_COLOR'] ?? '') === ''), sources });
}

/** A path as people type it: from the current folder where it is below that. */
function shortest(cwd: string, path: string): string {
  const way = relative(cwd, path);
  return way === '' || way.startsWith('..') ? path : way;
}
