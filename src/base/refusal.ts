import { AppError } from './app-error.ts';
import type { Diagnostic } from './diagnostic.ts';

/**
 * What is thrown when an application is refused before anything has changed: the one reason's own code, or CLUSTER_DEPLOYMENT_REFUSED
 * with all of them, a line each. `reasons` carries them by their paths, for who knows the files. In: at least one error.
 */
export function refusalOf(errors: readonly Diagnostic[]): AppError {
  const [first] = errors;
  if (errors.length === 1 && first !== undefined) {
    return new AppError({ code: first.code, message: first.message, hint: first.hint, ...(first.path === undefined ? {} : { at: { kind: 'object', object: first.path } }), reasons: errors });
  }
  const hints = [...new Set(errors.flatMap((one) => one.hint ?? []))];
  return new AppError({ code: 'CLUSTER_DEPLOYMENT_REFUSED', message: `the application was refused for ${errors.length} reasons:\n${errors.map(lineOf).join('\n')}`, hint: hints.join('; '), reasons: errors });
}

function lineOf(one: Diagnostic): string {
  return `  ${one.code} ${one.path === undefined ? '' : `${one.path}: `}${one.message}`;
}
