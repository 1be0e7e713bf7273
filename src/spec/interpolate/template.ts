import { unreachable } from '../../base/assert.ts';

/** Answers a variable's value, or undefined where it is not set. */
export type Lookup = (name: string) => string | undefined;

export type TemplateError = {
  readonly kind: 'invalid' | 'required' | 'depth';
  readonly message: string;
  /** Where in the template the failing `$` stands, and how many characters belong to it. */
  readonly offset: number;
  readonly length: number;
  /** The variable that has no value, for `required`. */
  readonly name?: string;
};

export type Interpolated = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly error: TemplateError };

export type InterpolateOptions = {
  /** Called for each plain `$NAME` or `${NAME}` that is not set; it becomes the empty string. */
  readonly onUnset?: (name: string, offset: number) => void;
};

export type Operator = ':-' | '-' | ':?' | '?' | ':+' | '+';

/** One piece of a template: text as it is, or a variable with what stands behind its operator. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string; readonly offset: number }
  | { readonly kind: 'invalid'; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'variable';
      readonly name: string;
      readonly operator?: Operator;
      /** Raw text behind the operator; a template of its own. */
      readonly operand: string;
      readonly operandOffset: number;
      readonly offset: number;
      readonly length: number;
    };

/** Deeper nesting of `${A:-${B:-…}}` than anyone writes; the bound keeps the stack safe. */
const depthMax = 32;
const nameStart = /[_a-zA-Z]/;
const namePattern = /[_a-zA-Z][_a-zA-Z0-9]*/y;
const operatorPattern = /:?[-+?]/y;

/**
 * Replaces variables in a text: `$V ${V} ${V:-x} ${V-x} ${V:?e} ${V?e} ${V:+x} ${V+x}`, nested, and `$$` for a dollar sign.
 * Values are never parsed again. A `$` before anything else stays as it is.
 * Source: Compose spec, interpolation; compose-go template (which braces close what).
 */
export function interpolate(template: string, lookup: Lookup, options: InterpolateOptions = {}): Interpolated {
  if (!template.includes('$')) return { ok: true, value: template };
  const found: { error: TemplateError | undefined } = { error: undefined };
  const value = evaluate(template, { lookup, options, found, base: 0, depth: 0 });
  return found.error === undefined ? { ok: true, value } : { ok: false, error: found.error };
}

/** Cuts a template into its pieces, without looking any value up. */
export function splitTemplate(template: string): Piece[] {
  const pieces: Piece[] = [];
  let text = '';
  let textStart = 0;
  let at = 0;
  const line = { end: -1, lastBrace: -1 };
  while (at < template.length) {
    const dollar = template.indexOf('$', at);
    if (dollar < 0 || dollar === template.length - 1) break;
    const next = template.charAt(dollar + 1);
    if (next !== '$' && next !== '{' && !nameStart.test(next)) {
      text += template.slice(at, dollar + 1);
      at = dollar + 1;
      continue;
    }
    text += template.slice(at, dollar);
    if (next === '$') {
      text += '$';
      at = dollar + 2;
      continue;
    }
    if (text !== '') pieces.push({ kind: 'text', text, offset: textStart });
    const piece = next === '{' ? braced(template, dollar, line) : named(template, dollar);
    pieces.push(piece);
    at = dollar + piece.length;
    text = '';
    textStart = at;
  }
  text += template.slice(at);
  if (text !== '') pieces.push({ kind: 'text', text, offset: textStart });
  return pieces;
}

type Pass = {
  readonly lookup: Lookup;
  readonly options: InterpolateOptions;
  readonly found: { error: TemplateError | undefined };
  readonly base: number;
  readonly depth: number;
};

export type Variable = Extract<Piece, { kind: 'variable' }>;
type Invalid = Extract<Piece, { kind: 'invalid' }>;

function evaluate(template: string, pass: Pass): string {
  if (pass.depth > depthMax) {
    pass.found.error ??= { kind: 'depth', message: `variables are nested more than ${depthMax} deep`, offset: pass.base, length: 1 };
    return '';
  }
  let out = '';
  for (const piece of splitTemplate(template)) {
    if (pass.found.error !== undefined) return '';
    if (piece.kind === 'text') out += piece.text;
    else if (piece.kind === 'variable') out += valueOf(piece, pass);
    else pass.found.error = { kind: 'invalid', message: `invalid interpolation format: "${clip(template)}"`, offset: pass.base + piece.offset, length: piece.length };
  }
  return out;
}

function valueOf(piece: Variable, pass: Pass): string {
  const value = pass.lookup(piece.name);
  const operand = (): string => evaluate(piece.operand, { ...pass, base: pass.base + piece.operandOffset, depth: pass.depth + 1 });
  switch (piece.operator) {
    case undefined:
      if (value === undefined) pass.options.onUnset?.(piece.name, pass.base + piece.offset);
      return value ?? '';
    case ':-':
      return value === undefined || value === '' ? operand() : value;
    case '-':
      return value === undefined ? operand() : value;
    case ':+':
      return value === undefined || value === '' ? '' : operand();
    case '+':
      return value === undefined ? '' : operand();
    case ':?':
    case '?': {
      if (value !== undefined && (piece.operator === '?' || value !== '')) return value;
      const reason = operand();
      pass.found.error ??= {
        kind: 'required',
        message: `required variable ${piece.name} is missing a value${reason === '' ? '' : `: ${reason}`}`,
        offset: pass.base + piece.offset,
        length: piece.length,
        name: piece.name,
      };
      return '';
    }
    default:
      return unreachable(piece.operator);
  }
}

function named(template: string, dollar: number): Variable {
  const name = matchAt(namePattern, template, dollar + 1);
  return { kind: 'variable', name, operand: '', operandOffset: 0, offset: dollar, length: name.length + 1 };
}

function braced(template: string, dollar: number, line: { end: number; lastBrace: number }): Variable | Invalid {
  const name = matchAt(namePattern, template, dollar + 2);
  const afterName = dollar + 2 + name.length;
  const invalid: Invalid = { kind: 'invalid', offset: dollar, length: 2 };
  if (name === '') return invalid;
  if (template.charAt(afterName) === '}') {
    return { kind: 'variable', name, operand: '', operandOffset: 0, offset: dollar, length: name.length + 3 };
  }
  const operator = matchAt(operatorPattern, template, afterName);
  if (!isOperator(operator)) return invalid;
  const operandOffset = afterName + operator.length;
  const last = lastBraceOfLine(template, operandOffset, line);
  if (last < operandOffset) return invalid;
  const close = closingBrace(template, dollar, last);
  return { kind: 'variable', name, operator, operand: template.slice(operandOffset, close), operandOffset, offset: dollar, length: close + 1 - dollar };
}

/** The last `}` of the line that holds `from`; remembered, so that a line with many variables is searched once. */
function lastBraceOfLine(template: string, from: number, line: { end: number; lastBrace: number }): number {
  if (from > line.end) {
    const newline = template.indexOf('\n', from);
    line.end = newline < 0 ? template.length : newline;
    line.lastBrace = template.lastIndexOf('}', line.end - 1);
  }
  return line.lastBrace;
}

/**
 * The brace that closes the one behind `dollar`, at most `last`. Braces in the operand count too.
 * NOTE: the character behind an opening brace is passed over, and unbalanced braces close at `last`: the reference does so.
 */
function closingBrace(template: string, dollar: number, last: number): number {
  let open = 0;
  for (let i = dollar + 1; i <= last; i += 1) {
    const char = template.charCodeAt(i);
    if (char === 125) {
      open -= 1;
      if (open === 0) return i;
    } else if (char === 123) {
      open += 1;
      i += 1;
    }
  }
  return last;
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

function isOperator(text: string): text is Operator {
  return text !== '';
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
