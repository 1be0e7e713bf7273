import { splitTemplate } from './template.ts';
import type { Variable } from './template.ts';

/** A variable that a model mentions, and how. */
export type VariableUse = {
  readonly name: string;
  readonly defaultValue: string;
  readonly presenceValue: string;
  readonly isRequired: boolean;
};

const depthMax = 32;

/**
 * Every variable in the strings of a model, by name; of several uses of one name the last one counts.
 * Variables inside defaults and presence values are found too; those inside error texts are not (as the reference).
 */
export function extractVariables(model: unknown): ReadonlyMap<string, VariableUse> {
  const found = new Map<string, VariableUse>();
  // NOTE: a stack of its own, not recursion: the depth of a model is the file's choice.
  const pending: unknown[] = [model];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === 'string') {
      for (const use of variablesOf(value, 0)) found.set(use.name, use);
    } else if (Array.isArray(value)) {
      for (let i = value.length - 1; i >= 0; i -= 1) pending.push(value[i]);
    } else if (typeof value === 'object' && value !== null) {
      pending.push(...Object.values(value).reverse());
    }
  }
  return found;
}

/**
 * NOTE: in the reference one match reaches from the first operator of a line to the line's last brace, and what is behind
 * the variable is recorded before it. So, of one line: plain uses first, then uses with an operator from right to left.
 */
function variablesOf(template: string, depth: number): VariableUse[] {
  if (depth > depthMax || !template.includes('$')) return [];
  const uses: VariableUse[] = [];
  let pending: Variable[] = [];
  let lineEnd = -1;
  const flush = (): void => {
    for (const piece of pending.reverse()) uses.push(...usesOf(piece, depth));
    pending = [];
  };
  for (const piece of splitTemplate(template)) {
    if (piece.kind !== 'variable') continue;
    if (pending.length > 0 && piece.offset > lineEnd) flush();
    if (piece.operator === undefined) {
      uses.push(...usesOf(piece, depth));
    } else {
      if (pending.length === 0) {
        const newline = template.indexOf('\n', piece.offset);
        lineEnd = template.lastIndexOf('}', newline < 0 ? template.length : newline);
      }
      pending.push(piece);
    }
  }
  flush();
  return uses;
}

function usesOf(piece: Variable, depth: number): VariableUse[] {
  const operator = piece.operator?.replace(':', '');
  const use: VariableUse = {
    name: piece.name,
    defaultValue: operator === '-' ? piece.operand : '',
    presenceValue: operator === '+' ? piece.operand : '',
    isRequired: operator === '?',
  };
  return operator === '-' || operator === '+' ? [use, ...variablesOf(piece.operand, depth + 1)] : [use];
}
