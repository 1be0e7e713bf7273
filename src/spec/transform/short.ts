import type { Report } from '../report.ts';
import { kindOf, newDict } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** A value at its place, to be brought into its long form. */
export type Short = {
  readonly value: Value;
  readonly container: Dict | List;
  readonly key: string | number;
  readonly path: string;
  readonly report: Report;
  /** Variables are still in the texts: what can't be parsed stays as it is. */
  readonly isLenient: boolean;
};

export function wrongKind({ value, container, key, path, report }: Short, wanted: string): Value {
  report.errorAt({ container, key, path }, { code: 'SPEC_WRONG_TYPE', message: `${path}: ${wanted} is expected, not ${kindOf(value)}` });
  return value;
}

export function dictOf(entries: readonly (readonly [string, Value | undefined])[]): Dict {
  const made = newDict();
  for (const [key, value] of entries) if (value !== undefined) made[key] = value;
  return made;
}
