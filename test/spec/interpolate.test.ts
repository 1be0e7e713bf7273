import { describe, expect, test } from 'vitest';
import { interpolate } from '../../src/spec/interpolate/template.ts';
import { extractVariables } from '../../src/spec/interpolate/variables.ts';
import { cpuMs } from '../cpu-time.ts';
import { fc } from '../property.ts';

const environment: Readonly<Record<string, string>> = { A: 'a', EMPTY: '', DOLLAR: '$A ${A} $$' };
const lookup = (name: string): string | undefined => (Object.hasOwn(environment, name) ? environment[name] : undefined);

/** The value, or `! message @offset`. */
function run(template: string): string {
  const out = interpolate(template, lookup);
  return out.ok ? out.value : `! ${out.error.message} @${out.error.offset}`;
}

describe('interpolate', () => {
  // Source: Compose specification, interpolation.
  test.for([
    ['$A-$A.b', 'a-a.b'],
    ['${A}b', 'ab'],
    ['$UNSET|', '|'],
    ['${A:-x}${EMPTY:-x}${UNSET:-x}', 'axx'],
    ['${A-x}${EMPTY-x}${UNSET-x}', 'ax'],
    ['${A:+x}${EMPTY:+x}${UNSET:+x}', 'x'],
    ['${A+x}${EMPTY+x}${UNSET+x}', 'xx'],
    ['${UNSET:-${EMPTY:-${A}}}', 'a'],
    ['${UNSET:-{"k": "v"}}', '{"k": "v"}'],
    ['${UNSET:-}', ''],
    ['$$A $${A} $$$A', '$A ${A} $a'],
    ['100% $ $1 $-', '100% $ $1 $-'],
    ['${A:?must}', 'a'],
    ['x ${UNSET:?set it}', '! required variable UNSET is missing a value: set it @2'],
    ['${EMPTY:?}', '! required variable EMPTY is missing a value @0'],
    ['${EMPTY?}', ''],
    ['${UNSET:-${EMPTY:?inner $A}}', '! required variable EMPTY is missing a value: inner a @9'],
    ['ab${', '! invalid interpolation format: "ab${" @2'],
    ['${}', '! invalid interpolation format: "${}" @0'],
    ['${A', '! invalid interpolation format: "${A" @0'],
    ['${ A}', '! invalid interpolation format: "${ A}" @0'],
    ['${A!}', '! invalid interpolation format: "${A!}" @0'],
    ['${UNSET:-a\nb}', '! invalid interpolation format: "${UNSET:-a\nb}" @0'],
  ] as const)('%s', ([template, want]) => {
    expect(run(template)).toBe(want);
  });

  test('a value is never read again', () => {
    expect(run('${DOLLAR} ${UNSET:-$DOLLAR}')).toBe('$A ${A} $$ $A ${A} $$');
    fc.assert(fc.property(fc.string(), fc.constantFrom('$V', '${V}', '${V:-x}', '${U:-$V}', '${V:?e}'), (value, template) => {
      const out = interpolate(template, (name) => (name === 'V' ? value : undefined));
      return value === '' || (out.ok && out.value === value);
    }));
  });

  test('a doubled dollar sign protects any text', () => {
    fc.assert(fc.property(fc.string(), (text) => run(text.replaceAll('$', '$$$$')) === text));
  });

  test('any text gives a value or an error, and names the place', () => {
    const parts = fc.constantFrom('$', '${', '}', 'A', 'UNSET', ':-', '?', '+', '\n', '$$', ' ');
    fc.assert(fc.property(fc.array(parts, { maxLength: 30 }), (pieces) => {
      const template = pieces.join('');
      const out = interpolate(template, lookup);
      return out.ok || template.charAt(out.error.offset) === '$';
    }), { numRuns: 2000 });
  });

  test('variables that are not set are told once for each plain use', () => {
    const told: string[] = [];
    interpolate('$X ${Y} ${Z:-z} ${W+w}', () => undefined, { onUnset: (name, offset) => told.push(`${name}@${offset}`) });
    expect(told).toEqual(['X@0', 'Y@3']);
  });

  test('100,000 variables, unclosed braces and deep nesting take little time', () => {
    expect(cpuMs(() => {
      expect(run('${A:-x}'.repeat(100_000))).toHaveLength(100_000);
      expect(run(`${'${UNSET:-{'.repeat(100_000)}}`)).toContain('!');
      expect(run(`${'${UNSET:-'.repeat(1_000)}${'}'.repeat(1_000)}`)).toContain('! variables are nested more than 32 deep');
    })).toBeLessThan(1_000);
  });
});

test('variables of a model, with what they say about themselves', () => {
  const found = extractVariables({ a: '${A:-x} $B', b: ['${C:?need}', { d: '${D+p${E-e}}' }], e: 5, f: null });
  expect([...found.values()].map((one) => `${one.name} ${one.defaultValue} ${one.presenceValue} ${one.isRequired}`)).toEqual(['A x  false', 'B   false', 'C   true', 'D  p${E-e} false', 'E e  false']);
});
