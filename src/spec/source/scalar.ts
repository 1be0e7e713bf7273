import { FloatValue, TimeValue, floatOf } from './values.ts';
import type { Value } from './values.ts';

const intPattern = /^[-+]?(?:0b[01]+|0o[0-7]+|0x[0-9a-fA-F]+|\d+)$/i;
const floatPattern = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const timePattern = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|[ \t]+)(\d{1,2}):(\d{2}):(\d{2})(\.\d*)?[ \t]*(?:(Z)|([-+])(\d{1,2})(?::?(\d{2}))?)?)?$/;

const words: Readonly<Record<string, Value>> = {
  '': null, '~': null, null: null, Null: null, NULL: null,
  true: true, True: true, TRUE: true, false: false, False: false, FALSE: false,
};
const infinities: Readonly<Record<string, number>> = {
  '.inf': Infinity, '.Inf': Infinity, '.INF': Infinity, '+.inf': Infinity, '+.Inf': Infinity, '+.INF': Infinity,
  '-.inf': -Infinity, '-.Inf': -Infinity, '-.INF': -Infinity, '.nan': NaN, '.NaN': NaN, '.NAN': NaN,
};

/**
 * The value of a plain scalar as the reference's YAML reader sees it: the words of YAML 1.2 (`yes` is a text), the
 * numbers of 1.1 and 1.2 (`0440` and `0o440` are octal, `1_000`, `0x1F`; no sexagesimals), and dates.
 */
export function resolvePlain(text: string): Value {
  const first = text.charCodeAt(0);
  // Most scalars are words: a letter that begins none of the special ones decides at once.
  const isNumberLike = (first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46;
  if (!isNumberLike) return Object.hasOwn(words, text) ? (words[text] ?? null) : text;
  if (Object.hasOwn(infinities, text)) return new FloatValue(infinities[text] ?? NaN);
  if (first >= 48 && first <= 57) {
    const time = resolveTime(text);
    if (time !== undefined) return time;
  }
  const plain = text.includes('_') ? text.replaceAll('_', '') : text;
  return resolveInt(plain) ?? resolveFloat(plain) ?? text;
}

/** The value under an explicit tag of YAML (`!!str`, `!!int` …), or undefined where the text does not fit the tag. */
export function resolveTagged(tag: string, text: string, isQuoted: boolean): { readonly value: Value } | undefined {
  switch (tag) {
    case 'str':
      return { value: text };
    case 'binary':
      return decodeBase64(text);
    case 'int':
    case 'bool':
    case 'null':
    case 'timestamp':
    case 'float': {
      const value = isQuoted && tag !== 'int' && tag !== 'float' ? text : resolvePlain(text);
      if (tag === 'float' && typeof value === 'number' && Number.isInteger(value)) return { value: floatOf(value) };
      return tagOf(value) === tag ? { value } : undefined;
    }
    default:
      return { value: text };
  }
}

/** The short tag that a resolved value carries. */
export function tagOf(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  if (value instanceof FloatValue) return 'float';
  return value instanceof TimeValue ? 'timestamp' : 'str';
}

function resolveInt(plain: string): number | bigint | undefined {
  if (!intPattern.test(plain)) return undefined;
  const isNegative = plain.startsWith('-');
  const digits = plain.replace(/^[-+]/, '');
  let literal = digits;
  if (/^0\d/.test(digits)) {
    if (!/^[0-7]+$/.test(digits)) return undefined;
    literal = `0o${digits}`;
  }
  const whole = BigInt(literal.toLowerCase());
  const signed = isNegative ? -whole : whole;
  if (signed < -(2n ** 63n) || signed >= 2n ** 64n) return undefined;
  const small = Number(signed);
  return Number.isSafeInteger(small) ? small : signed;
}

function resolveFloat(plain: string): number | FloatValue | undefined {
  if (!floatPattern.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? floatOf(value) : undefined;
}

function resolveTime(text: string): TimeValue | undefined {
  if (text.length < 8 || text.charCodeAt(4) !== 45) return undefined;
  const match = timePattern.exec(text);
  if (match === null) return undefined;
  const [, year = '', month = '', day = '', hour = '0', minute = '00', second = '00', fraction = '', utc, sign, zoneHour = '0', zoneMinute = '00'] = match;
  const isDay = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= daysOf(Number(year), Number(month));
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const two = (part: string): string => part.padStart(2, '0');
  const zone = utc !== undefined || sign === undefined || (Number(zoneHour) === 0 && Number(zoneMinute) === 0) ? 'Z' : `${sign}${two(zoneHour)}:${zoneMinute}`;
  const digits = fraction.slice(1, 10).replace(/0+$/, '');
  return new TimeValue(`${year}-${two(month)}-${two(day)}T${two(hour)}:${minute}:${second}${digits === '' ? '' : `.${digits}`}${zone}`);
}

function daysOf(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function decodeBase64(text: string): { readonly value: Value } | undefined {
  const compact = text.replace(/\s/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact)) return undefined;
  const bytes = Uint8Array.from(atob(compact), (char) => char.charCodeAt(0));
  return { value: new TextDecoder().decode(bytes) };
}
