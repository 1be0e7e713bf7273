import { exampleHint } from '../schema/example.ts';
import { formatDuration, parseDuration } from '../../base/duration.ts';
import { canonicalBytes } from '../../base/units.ts';
import { parseBoolean } from '../short/boolean.ts';
import { parseDeviceCount } from '../short/device.ts';
import { parseExtraHosts } from '../short/extra-hosts.ts';
import { splitShellWords } from '../short/shell-words.ts';
import type { Report } from '../report.ts';
import { FloatValue, floatText, isDict, isList, kindOf, newDict, numberOf, textOf } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** A value at its place, about to be typed. */
export type Place = { readonly container: Dict | List; readonly key: string | number; readonly parent: Place | undefined; readonly report: Report };
/** Answers undefined where the canonical form leaves the key out. */
export type Read = (value: Value, place: Place) => Value | undefined;

export type Kind =
  /** `keys`: those of a mapping that the value may be, in the order in which they are printed; YAML prints all of them. */
  | { readonly kind: 'leaf'; readonly read: Read; readonly keys?: readonly string[] }
  | { readonly kind: 'list'; readonly of: Kind }
  /** By name; `isNullable`: a name may stand without a value. */
  | { readonly kind: 'map'; readonly of: Kind; readonly isNullable: boolean }
  | { readonly kind: 'struct'; readonly fields: readonly Field[]; readonly finish?: (made: Dict) => void };

export type Field = {
  readonly name: string;
  readonly kind: Kind;
  /** What JSON prints where the key is not set; YAML leaves it out. */
  readonly jsonAbsent?: Value;
  /** A mapping that the model always has, and that YAML leaves out while it is empty. */
  readonly isAlways?: boolean;
  /** Not printed where this other key is set: the value was read from what that one names. */
  readonly hiddenBeside?: string;
  /** The reference's JSON spells this key so. */
  readonly jsonName?: string;
};

export const leaf = (read: Read): Kind => ({ kind: 'leaf', read });
export const listOf = (of: Kind): Kind => ({ kind: 'list', of });
export const mapOf = (of: Kind): Kind => ({ kind: 'map', of, isNullable: false });
export const nullableMapOf = (of: Kind): Kind => ({ kind: 'map', of, isNullable: true });
export const struct = (fields: readonly Field[]): Kind => ({ kind: 'struct', fields });

export function fields(kinds: Readonly<Record<string, Kind>>): Field[] {
  return Object.entries(kinds).map(([name, kind]) => ({ name, kind }));
}

/** Reads a value as a kind. Source: the reference's own types, which decide what may be left out. */
export function readKind(kind: Kind, value: Value, place: Place): Value | undefined {
  if (kind.kind === 'leaf') return kind.read(value, place);
  if (kind.kind === 'struct') {
    const made = readStruct(kind.fields, value, place);
    if (made !== undefined) kind.finish?.(made);
    return made;
  }
  if (kind.kind === 'list') {
    if (!isList(value)) return value === null ? undefined : refuse(place, `a list is expected, not ${kindOf(value)}`);
    const items = value.map((one, index) => readKind(kind.of, one, below(place, value, index)) ?? null);
    return items.length === 0 ? undefined : items;
  }
  if (!isDict(value)) return value === null ? undefined : refuse(place, `a mapping is expected, not ${kindOf(value)}`);
  const made = newDict();
  for (const name of Object.keys(value).sort()) {
    const child = value[name] ?? null;
    if (child === null && kind.isNullable) made[name] = null;
    else made[name] = readKind(kind.of, child, below(place, value, name)) ?? null;
  }
  return Object.keys(made).length === 0 ? undefined : made;
}

export function readStruct(list: readonly Field[], value: Value, place: Place): Dict | undefined {
  const made = newDict();
  const source = isDict(value) ? value : undefined;
  if (source === undefined && value !== null) refuse(place, `a mapping is expected, not ${kindOf(value)}`);
  for (const field of list) {
    // A key without a value asks for nothing: `deploy:` alone is no deployment.
    const has = source !== undefined && field.name in source && !(source[field.name] === null && field.kind.kind === 'struct' && field.isAlways !== true);
    const read = has ? readKind(field.kind, source[field.name] ?? null, below(place, source, field.name)) : undefined;
    if (read !== undefined) made[field.name] = read;
    else if (field.isAlways === true) made[field.name] = newDict();
    else if (field.jsonAbsent === null) made[field.name] = null;
  }
  if (source !== undefined) for (const key of Object.keys(source).sort()) if (key.startsWith('x-')) made[key] = source[key] ?? null;
  return made;
}

export const text: Kind = leaf((value, place) => {
  if (value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  if (isWhole(value)) return textOf(value);
  return refuse(place, `a text is expected, not ${kindOf(value)}`);
});

/** True or not there. */
export const flag: Kind = leaf((value, place) => (readBoolean(value, place) === true ? true : undefined));
/** True, false, or not said. */
export const choice: Kind = leaf((value, place) => (value === null ? undefined : readBoolean(value, place)));
/** Not 0, or not there. */
export const count: Kind = leaf((value, place) => {
  const read = value === null ? undefined : readWhole(value, place);
  return read === 0 ? undefined : read;
});
/** Any number, 0 too, or not said. */
export const number: Kind = leaf((value, place) => (value === null ? undefined : readWhole(value, place)));
/** A number that no text stands for. */
export const unsigned = (max: number): Kind =>
  leaf((value, place) => {
    if (value === null) return undefined;
    const read = numberOf(value);
    if (read === undefined) return refuse(place, `a whole number is expected, not ${kindOf(value)}`);
    if (read < 0 || read > max) return refuse(place, `${read} is not between 0 and ${max}`);
    return Math.trunc(read) === 0 ? undefined : Math.trunc(read);
  });
export const unsignedOrZero = (max: number): Kind => leaf((value, place) => (value === null ? undefined : isNothing(numberOf(value)) ? 0 : readKind(unsigned(max), value, place)));

export const float: Kind = leaf((value, place) => readFloat(value, place, (one) => one));
/** Rounded to 32 bits, as the reference keeps it, and printed with the fewest digits that say so. */
export const shortFloat: Kind = leaf((value, place) => readFloat(value, place, shortest32));

export const bytes: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  // NOTE: as in the reference, a number above 64 bits or with a fraction is no size and is passed over.
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) return undefined;
  if (typeof value !== 'string' && !isWhole(value)) return value instanceof FloatValue || typeof value === 'number' ? undefined : refuse(place, `a size as 512m is expected, not ${kindOf(value)}`);
  const read = canonicalBytes(textOf(value));
  if (!read.ok) return refuse(place, `${read.message}`);
  return read.value === '0' ? undefined : read.value;
});

/** Byte rates are not left out at 0. */
export const rate: Kind = leaf((value, place) => (value === null ? '0' : (readKind(bytes, value, place) ?? '0')));

export const duration: Kind = leaf((value, place) => (value === null ? undefined : readDuration(value, place)));
export const nonZeroDuration: Kind = leaf((value, place) => {
  const read = value === null ? undefined : readDuration(value, place);
  return read === '0s' ? undefined : read;
});

export const texts: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  const list = typeof value === 'string' ? [value] : value;
  if (!isList(list)) return refuse(place, `a list of texts is expected, not ${kindOf(value)}`);
  if (list.length === 0) return undefined;
  return list.map((one, index) => {
    if (typeof one === 'string' || isWhole(one)) return textOf(one);
    return refuse(below(place, list, index), `a text is expected, not ${kindOf(one)}`) ?? '';
  });
});

export const textsOrNumbers: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  const list = typeof value === 'string' ? [value] : value;
  if (!isList(list)) return refuse(place, `a list is expected, not ${kindOf(value)}`);
  return list.length === 0 ? undefined : list.map(textOf);
});

/** Words of a command: null is the image's own, [] clears it. */
export const command: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  if (isList(value)) return value.map((one) => (typeof one === 'string' ? one : (refuse(place, `a text is expected, not ${kindOf(one)}`) ?? '')));
  if (typeof value !== 'string') return refuse(place, `a text or a list of texts is expected, not ${kindOf(value)}`);
  const words = splitShellWords(value);
  return words.ok ? words.value : refuse(place, words.message);
});

export const healthTest: Kind = leaf((value, place) => {
  if (typeof value === 'string') return ['CMD-SHELL', value];
  return value === null ? undefined : readKind(texts, value, place);
});

/** `KEY=value` lines or a mapping; null where no value is given. */
export const environment: Kind = leaf((value, place) => readMapping(value, place, { missing: null, isSpaceChecked: true }));
export const mapping: Kind = leaf((value, place) => readMapping(value, place, { missing: '', isSpaceChecked: false }));

/** A mapping whose values are texts or whole numbers, and nothing else. */
export const plainMapping: Kind = leaf((value, place) => {
  if (!isDict(value)) return value === null ? undefined : refuse(place, `a mapping is expected, not ${kindOf(value)}`);
  for (const key of Object.keys(value)) {
    const one = value[key] ?? null;
    if (one !== null && typeof one !== 'string' && !isWhole(one)) refuse(below(place, value, key), `a text is expected, not ${kindOf(one)}`);
  }
  return readMapping(value, place, { missing: '', isSpaceChecked: false });
});

export const repeatedOptions: Kind = leaf((value, place) => {
  if (!isDict(value)) return value === null ? undefined : refuse(place, `a mapping is expected, not ${kindOf(value)}`);
  const made = newDict();
  for (const key of Object.keys(value).sort()) {
    const one = value[key] ?? null;
    made[key] = isList(one) ? one.map(textOf) : [textOf(one)];
  }
  return Object.keys(made).length === 0 ? undefined : made;
});

export const hosts: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  const read = parseExtraHosts(value);
  if (!read.ok) return refuse(place, read.message);
  return read.value.length === 0 ? undefined : read.value;
});

/** `default`, or `id=path`. */
export const sshKeys: Kind = leaf((value, place) => {
  if (!isDict(value)) return value === null ? undefined : refuse(place, `a mapping is expected, not ${kindOf(value)}`);
  const keys = Object.keys(value).sort().map((id) => (value[id] == null || value[id] === '' ? id : `${id}=${textOf(value[id] ?? null)}`));
  return keys.length === 0 ? undefined : keys;
});

export const ulimit: Kind = { kind: 'leaf', keys: ['soft', 'hard'], read: readUlimit };

function readUlimit(value: Value, place: Place): Value | undefined {
  if (isDict(value)) {
    const made = newDict();
    for (const side of ['soft', 'hard']) {
      const read = side in value ? readWhole(value[side] ?? null, below(place, value, side)) : 0;
      if (read !== undefined && read !== 0) made[side] = read;
    }
    for (const key of Object.keys(value).sort()) if (key.startsWith('x-')) made[key] = value[key] ?? null;
    return made;
  }
  const read = readWhole(value, place);
  return read === 0 || read === undefined ? newDict() : read;
}

export const octalMode: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  if (typeof value === 'string') {
    if (!/^[-+]?[0-7]+$/.test(value)) return refuse(place, `\`${value}\` is not an octal mode, as "0440"`);
    return modeText(Number.parseInt(value, 8));
  }
  if (isWhole(value)) return modeText(Number(value));
  return refuse(place, `an octal mode is expected, not ${kindOf(value)}`);
});

export const deviceCount: Kind = leaf((value, place) => {
  if (value === null) return undefined;
  const read = parseDeviceCount(value);
  if (!read.ok) return refuse(place, read.message);
  return read.value === 0 ? undefined : read.value;
});

function readMapping(value: Value, place: Place, rules: { readonly missing: Value; readonly isSpaceChecked: boolean }): Value | undefined {
  if (value === null) return undefined;
  const pairs: (readonly [string, Value])[] = [];
  if (isDict(value)) {
    for (const key of Object.keys(value)) {
      const one = value[key] ?? null;
      pairs.push([key, one === null ? rules.missing : textOf(one)]);
    }
  } else if (isList(value)) {
    value.forEach((entry, index) => {
      const line = textOf(entry);
      const equals = line.indexOf('=');
      const key = equals < 0 ? line : line.slice(0, equals);
      if (rules.isSpaceChecked && /\s$/.test(key)) refuse(below(place, value, index), `a space stands before the \`=\` of ${key.trim()}`);
      pairs.push([key, equals < 0 ? rules.missing : line.slice(equals + 1)]);
    });
  } else return refuse(place, `a mapping or a list of KEY=VALUE is expected, not ${kindOf(value)}`);
  if (pairs.length === 0) return undefined;
  const made = newDict();
  for (const [key, one] of pairs) made[key] = one;
  const sorted = newDict();
  for (const key of Object.keys(made).sort()) sorted[key] = made[key] ?? null;
  return sorted;
}

function readBoolean(value: Value, place: Place): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === null) return undefined;
  if (typeof value === 'string') {
    const read = parseBoolean(value);
    if (read.ok) return read.value.value;
    refuse(place, read.message);
    return undefined;
  }
  refuse(place, `true or false is expected, not ${kindOf(value)}`);
  return undefined;
}

function readWhole(value: Value, place: Place): number | bigint | undefined {
  if (typeof value === 'string') {
    if (/^[-+]?\d+$/.test(value)) return Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value);
    refuse(place, `\`${value}\` is not a whole number`);
    return undefined;
  }
  if (typeof value === 'bigint') return value;
  const read = numberOf(value);
  if (read !== undefined && Number.isFinite(read)) return Math.trunc(read);
  refuse(place, `a whole number is expected, not ${kindOf(value)}`);
  return undefined;
}

function readFloat(value: Value, place: Place, round: (value: number) => number): Value | undefined {
  if (value === null) return undefined;
  const read = typeof value === 'string' && /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(value) ? Number(value) : numberOf(value);
  if (read === undefined || !Number.isFinite(read)) return refuse(place, read === undefined ? `a number is expected, not ${kindOf(value)}` : `${floatText(read)} is no usable number`);
  const rounded = round(read);
  return rounded === 0 ? undefined : rounded;
}

function readDuration(value: Value, place: Place): string | undefined {
  const read = parseDuration(textOf(value));
  if (read.ok) return formatDuration(read.value);
  refuse(place, read.message);
  return undefined;
}

function shortest32(value: number): number {
  const wanted = Math.fround(value);
  for (let digits = 1; digits <= 9; digits += 1) {
    const shorter = Number(wanted.toPrecision(digits));
    if (Math.fround(shorter) === wanted) return shorter;
  }
  return wanted;
}

function modeText(mode: number): string {
  return mode < 0 ? `0-${(-mode).toString(8)}` : `0${mode.toString(8)}`;
}

function isWhole(value: Value): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

function below(place: Place, container: Dict | List, key: string | number): Place {
  return { container, key, parent: place, report: place.report };
}

/** Worked out only for a finding: most values have none. */
function pathOf(place: Place): string {
  const steps: string[] = [];
  for (let at: Place | undefined = place; at !== undefined; at = at.parent) {
    if (typeof at.key === 'number') steps.unshift(`[${at.key}]`);
    else if (at.key !== '') steps.unshift(`.${at.key}`);
  }
  return steps.join('').replace(/^\./, '');
}

function refuse(place: Place, message: string): undefined {
  const path = pathOf(place);
  place.report.errorAt({ container: place.container, key: place.key, path }, { code: 'SPEC_BAD_VALUE', message: `${path}: ${message}`, hint: exampleHint(path) });
  return undefined;
}

/** Zero, or a fraction that is cut down to it. */
function isNothing(value: number | undefined): boolean {
  return value !== undefined && Math.trunc(value) === 0;
}
