/** What a parser of a small text answers: the value, or why not and (where known) at which character. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Refusal;

export type Refusal = { readonly ok: false; readonly message: string; readonly offset?: number };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function refused(message: string, offset?: number): Refusal {
  return offset === undefined ? { ok: false, message } : { ok: false, message, offset };
}
