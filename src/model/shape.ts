/**
 * Shapes of values that come from outside as JSON. A shape looks at a value and tells everything that is not as its type says, each with
 * its path. Types and shapes can't drift apart: `struct` asks for a shape of each key of its type, optional where the key is.
 */
export type Shape<T> = { readonly look: Look; readonly isOptional: boolean; readonly of?: T };
type Look = (value: unknown, at: Place) => void;

/** A path that is made into a text only where there is something to tell. */
type Place = { readonly key: string | number; readonly parent: Place | null; readonly problems: Problem[] };

export type Problem = { readonly path: string; readonly message: string };

const problemsMax = 20;
const depthMax = 60;
/** Values of one request, containers and leaves. */
const valuesMax = 2_000_000;

/** Everything that is wrong with a value, the first twenty; [] where it is of the shape. In: `root`, its name in paths. */
export function problemsOf(shape: Shape<unknown>, value: unknown, root: string): Problem[] {
  const hostile = hostilePlace(value, root);
  if (hostile !== null) return [hostile];
  const problems: Problem[] = [];
  shape.look(value, { key: root, parent: null, problems });
  return problems.slice(0, problemsMax);
}

/**
 * What no reader is to meet at any depth, keys of the user's own included: nesting without end, the name that is no key in JavaScript,
 * and the character that ends a text in the kernel. Not recursive: the nesting may be a million deep.
 */
function hostilePlace(value: unknown, root: string): Problem | null {
  const waiting: { readonly value: unknown; readonly path: Path; readonly depth: number }[] = [{ value, path: { key: root, parent: null }, depth: 0 }];
  let count = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    count += 1;
    if (count > valuesMax) return { path: root, message: `holds more than ${valuesMax} values` };
    if (typeof at.value === 'string' && at.value.includes('\0')) return { path: pathText(at.path), message: 'holds a NUL character' };
    if (typeof at.value !== 'object' || at.value === null) continue;
    if (at.depth >= depthMax) return { path: pathText(at.path), message: `is nested more than ${depthMax} deep` };
    for (const [key, inner] of Object.entries(at.value)) {
      const path: Path = { key: Array.isArray(at.value) ? Number(key) : key, parent: at.path };
      if (key === '__proto__' || key.includes('\0')) return { path: pathText(path), message: 'can\'t be a key' };
      waiting.push({ value: inner, path, depth: at.depth + 1 });
    }
  }
  return null;
}

type Path = { readonly key: string | number; readonly parent: Path | null };

function pathText(path: Path): string {
  const steps: string[] = [];
  for (let at: Path | null = path; at !== null; at = at.parent) steps.unshift(typeof at.key === 'number' ? `[${at.key}]` : at.parent === null ? at.key : `.${at.key}`);
  const text = steps.join('');
  return text.length <= 300 ? text : `${text.slice(0, 200)}…${text.slice(-60)}`;
}

function tell(at: Place, expected: string, value: unknown): void {
  if (at.problems.length < problemsMax) at.problems.push({ path: pathText(at), message: `must be ${expected}, not ${shown(value)}` });
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 60 ? text : `${text.slice(0, 50)}… (${text.length} characters)`;
}

function leaf<T>(expected: string, isRight: (value: unknown) => boolean): Shape<T> {
  return { isOptional: false, look: (value, at) => void (isRight(value) || tell(at, expected, value)) };
}

export const text: Shape<string> = leaf('a text', (value) => typeof value === 'string');
export const flag: Shape<boolean> = leaf('true or false', (value) => typeof value === 'boolean');
export const number: Shape<number> = leaf('a number', Number.isFinite);
export const whole: Shape<number> = leaf('a whole number', Number.isSafeInteger);

export function wholeFrom(min: number, max: number): Shape<number> {
  return leaf(`a whole number from ${min} to ${max}`, (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max);
}

export function textLike(expected: string, pattern: RegExp): Shape<string> {
  return leaf(expected, (value) => typeof value === 'string' && pattern.test(value));
}

export function oneOf<const T extends string>(...words: readonly T[]): Shape<T> {
  return leaf(`one of ${words.join(', ')}`, (value) => words.some((word) => word === value));
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return { isOptional: shape.isOptional, look: (value, at) => value === null || shape.look(value, at) };
}

export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { look: shape.look, isOptional: true };
}

/** A value that is of either shape; what is told is of the second. */
export function either<A, B>(isFirst: (value: unknown) => boolean, first: Shape<A>, second: Shape<B>): Shape<A | B> {
  return { isOptional: false, look: (value, at) => (isFirst(value) ? first : second).look(value, at) };
}

export function listOf<T>(shape: Shape<T>): Shape<readonly T[]> {
  return {
    isOptional: false,
    look: (value, at) => {
      if (!Array.isArray(value)) return tell(at, 'a list', value);
      value.forEach((one: unknown, index) => shape.look(one, { key: index, parent: at, problems: at.problems }));
    },
  };
}

/** By name. In: `name`, what a key may be. */
export function mapOf<T>(shape: Shape<T>, name: Shape<string> = text): Shape<Readonly<Record<string, T>>> {
  return {
    isOptional: false,
    look: (value, at) => {
      if (!isRecord(value)) return tell(at, 'an object', value);
      for (const [key, one] of Object.entries(value)) {
        const place: Place = { key, parent: at, problems: at.problems };
        name.look(key, place);
        shape.look(one, place);
      }
    },
  };
}

type OptionalShape<T> = Shape<T> & { readonly isOptional: true };
/** A shape for each key of a type but the user's own. */
type Named<T> = { readonly [K in keyof T as K extends `x-${string}` ? never : K]-?: undefined extends T[K] ? OptionalShape<Exclude<T[K], undefined>> : Shape<T[K]> };
type Plain<T> = { readonly [K in keyof T as K extends `x-${string}` ? never : K]-?: Shape<Exclude<T[K], undefined>> };

/** An object with these keys, and the user's own that begin with `x-`; another key is refused. */
export function struct<T>(fields: Named<T>): Shape<T> {
  const known = new Map<string, Shape<unknown>>(Object.entries(fields));
  return {
    isOptional: false,
    look: (value, at) => {
      if (!isRecord(value)) return tell(at, 'an object', value);
      for (const [key, shape] of known) {
        const one = Object.hasOwn(value, key) ? value[key] : undefined;
        if (one === undefined && shape.isOptional) continue;
        shape.look(one, { key, parent: at, problems: at.problems });
      }
      for (const key of Object.keys(value)) {
        if (!known.has(key) && !key.startsWith('x-') && at.problems.length < problemsMax) at.problems.push({ path: pathText({ key, parent: at }), message: 'is no key that is known here' });
      }
    },
  };
}

/** As `struct`, with every key optional. */
export function partial<T>(fields: Plain<T>): Shape<T> {
  // NOTE: the keys are those of `fields`, each with its own shape made optional.
  return struct<T>(Object.fromEntries(Object.entries<Shape<unknown>>(fields).map(([key, shape]) => [key, optional(shape)])) as Named<T>);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
