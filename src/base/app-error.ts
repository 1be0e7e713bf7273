import type { Diagnostic } from './diagnostic.ts';
import type { ErrorCode } from './error-codes.ts';

/** Where an error sits: in a file (line and column from 1) or on a named object. */
export type Place =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number; readonly endColumn?: number }
  | { readonly kind: 'object'; readonly object: string };

export type AppErrorFields = {
  readonly code: ErrorCode;
  /** What happened, to which object, with the offending value. */
  readonly message: string;
  /** What to do about it, pasteable where possible. */
  readonly hint?: string | undefined;
  readonly at?: Place | undefined;
  /** Where there are several, or each is of a place in the application: all of them, by their paths in the model. */
  readonly reasons?: readonly Diagnostic[] | undefined;
  readonly cause?: unknown;
};

/** An expected failure. Callers match on `code`, never on class or text. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly at: Place | undefined;
  readonly reasons: readonly Diagnostic[];

  constructor(fields: AppErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'AppError';
    this.code = fields.code;
    this.hint = fields.hint;
    this.at = fields.at;
    this.reasons = fields.reasons ?? [];
  }

  /** The wire form; the cause stays here. */
  toJSON(): { code: ErrorCode; message: string; hint?: string; at?: Place; reasons?: readonly Diagnostic[] } {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.at === undefined ? {} : { at: this.at }),
      ...(this.reasons.length === 0 ? {} : { reasons: this.reasons }),
    };
  }
}

export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code);
}
