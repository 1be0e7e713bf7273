import type { ErrorCode } from './error-codes.ts';

/**
 * One finding of a validator. Validators collect all of them; `sortDiagnostics` gives the order to print.
 * `line` and `column` count from 1, in UTF-16 units; 0 where a finding has no position.
 */
export type Diagnostic = {
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly file?: string;
  readonly line: number;
  readonly column: number;
  /** Width of the caret line; 1 where unknown. */
  readonly length?: number;
  /** Dotted path into the model, as `services.web.ports[0]`. */
  readonly path?: string;
};

/** Sorted by file, line, column, code. Stable, so the same input prints the same text. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort(
    (a, b) => compareText(a.file ?? '', b.file ?? '') || a.line - b.line || a.column - b.column || compareText(a.code, b.code),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
