import { AppError, type Place } from '../../base/app-error.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Output } from '../context.ts';
import { plainText } from './plain-text.ts';

/** A line of `--progress json`, as Compose's with more in it: programs read the code, not the words. */
export function errorLine(error: unknown): string {
  if (!(error instanceof AppError)) return `${JSON.stringify({ error: true, code: 'BASE_INTERNAL', message: error instanceof Error ? error.message : String(error) })}\n`;
  const { code, message, hint, at } = error;
  const place = at === undefined ? {} : at.kind === 'object' ? { object: at.object } : { file: at.file, line: at.line, column: at.column };
  return `${JSON.stringify({ error: true, code, message, hint, ...place })}\n`;
}

/** As above, for what was found in a file; those of a lower rank are warnings. */
export function diagnosticLine({ severity, code, message, hint, file, line, column, path }: Diagnostic): string {
  return `${JSON.stringify({ [severity]: true, code, message, hint, file, ...(line === 0 ? {} : { line, column }), path })}\n`;
}

/** `code: message`, the place, and what to do: on stderr, in the words of the error. */
export function printError(err: Output, error: unknown, options: { readonly isColoured: boolean }): void {
  const red = (text: string): string => (options.isColoured ? `\u001b[31m${text}\u001b[39m` : text);
  if (!(error instanceof AppError)) {
    err.write(`${red('error')} BASE_INTERNAL: ${plainText(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
    return;
  }
  const place = error.at === undefined ? '' : `${plainText(placeText(error.at))}: `;
  err.write(`${place}${red('error')} ${error.code}: ${plainText(error.message)}\n`);
  if (error.hint !== undefined) err.write(`  hint: ${plainText(error.hint)}\n`);
}

function placeText(place: Place): string {
  return place.kind === 'object' ? place.object : `${place.file}:${place.line}:${place.column}`;
}
