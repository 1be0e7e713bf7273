import { AppError, type Place } from '../../base/app-error.ts';
import type { Output } from '../context.ts';
import { plainText } from './plain-text.ts';

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
