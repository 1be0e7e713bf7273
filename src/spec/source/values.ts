/**
 * The values a file can hold, before they are typed. Maps have no prototype, so `__proto__` is a key like any other.
 * A JS number that is whole is an integer of the file; one with a fraction is a float. What JS can't tell apart is boxed.
 */
export type Value = null | boolean | number | bigint | string | FloatValue | TimeValue | List | Dict;
export type List = Value[];
export type Dict = { [key: string]: Value };

/** A float that JS would take for an integer (`1.0`, `1e6`), or that no JSON number is (`.inf`). */
export class FloatValue {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A date or time of YAML 1.1: no key of the language takes one, extensions keep it. */
export class TimeValue {
  /** RFC 3339. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function newDict(): Dict {
  // NOTE: Object.create answers `any`; a fresh object without prototype is a Dict.
  const made: Dict = Object.create(null);
  return made;
}

export function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof FloatValue) && !(value instanceof TimeValue);
}

export function isList(value: unknown): value is List {
  return Array.isArray(value);
}

/** A float as a value: boxed where a bare number would read as an integer. */
export function floatOf(value: number): number | FloatValue {
  return Number.isInteger(value) || !Number.isFinite(value) ? new FloatValue(value) : value;
}

/** The number behind a value, or undefined. */
export function numberOf(value: Value | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof FloatValue) return value.value;
  return typeof value === 'bigint' ? Number(value) : undefined;
}

/** A deep copy. Strings and numbers are shared. */
export function cloneValue(value: Value): Value {
  if (Array.isArray(value)) return value.map(cloneValue);
  if (!isDict(value)) return value;
  const copy = newDict();
  for (const key of Object.keys(value)) copy[key] = cloneValue(value[key] ?? null);
  return copy;
}

/** The text that the reference gives a scalar when a text is wanted: `1e+06` for the float 1e6, `true`, `<nil>`. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === null) return '<nil>';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : floatText(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof FloatValue) return floatText(value.value);
  if (value instanceof TimeValue) return value.text;
  if (Array.isArray(value)) return `[${value.map(textOf).join(' ')}]`;
  return `map[${Object.keys(value).sort().map((key) => `${key}:${textOf(value[key] ?? null)}`).join(' ')}]`;
}

/** Go's shortest float text: exponents below -4 and from 6 up are written with `e` and two digits. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '0', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** The kind of a value in a beginner's words. */
export function kindOf(value: Value | undefined): string {
  if (value === undefined || value === null) return 'nothing (null)';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'boolean') return 'true/false';
  if (value instanceof TimeValue) return 'a date';
  return isDict(value) ? 'a mapping' : 'a number';
}
