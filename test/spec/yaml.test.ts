import { describe, expect, test } from 'vitest';
import { FloatValue, TimeValue, floatText, textOf } from '../../src/spec/source/values.ts';
import { resolvePlain } from '../../src/spec/source/scalar.ts';
import { loadFiles } from './load-files.ts';

/** How the reference reads plain scalars; recorded from Docker Compose 2.40.3. */
describe('a plain scalar reads as', () => {
  test.for([
    ['0777', 511], ['08', '8'], ['0o17', 15], ['0b11', 3], ['0x1F', 31], ['-0x1F', -31], ['+5', 5], ['1_000', 1000], ['1e3', '1000'], ['1.0', '1'],
    ['1e6', '1e+06'], ['123456789.0', '1.23456789e+08'], ['.5', 0.5], ['5.', '5'], ['1e400', '1e400'], ['.inf', '+Inf'], ['-.inf', '-Inf'], ['.nan', 'NaN'],
    ['~', null], ['Null', null], ['nULL', 'nULL'], ['yes', 'yes'], ['on', 'on'], ['True', true], ['tRue', 'tRue'], ['12:30', '12:30'],
    ['12345678901234567890', 12345678901234567890n], ['0b2', '0b2'], ['0xZ', '0xZ'], ['1e', '1e'], ['-', '-'], ['_1', '_1'], ['0o8', '0o8'], ['00', 0],
  ] as const)('%s → %s', ([text, want]) => {
    const value = resolvePlain(text);
    expect(value instanceof FloatValue ? textOf(value) : value).toStrictEqual(want);
  });

  test('a date, which only extensions take', () => {
    expect(resolvePlain('2001-1-1')).toEqual(new TimeValue('2001-01-01T00:00:00Z'));
    expect(resolvePlain('2001-12-14t21:59:43.10-05:00')).toEqual(new TimeValue('2001-12-14T21:59:43.1-05:00'));
    expect(resolvePlain('2001-13-01')).toBe('2001-13-01');
  });

  test('floats print as the reference prints them', () => {
    expect([1e-7, 0.00001234, 0.0001, 100000.5, 1234567.5, 1e21, -0].map(floatText)).toEqual(['1e-07', '1.234e-05', '0.0001', '100000.5', '1.2345675e+06', '1e+21', '-0']);
  });
});

describe('YAML that the reference takes', () => {
  test.for([
    ['a quoted text that goes on at the beginning of a line', 'services:\n  a:\n    image: "x\ny"\n', 'x y'],
    ['a list in brackets that goes on at the beginning of a line', 'services:\n  a:\n    image: x\n    command: ["a",\n"b"\n]\n', 'x'],
    ['brackets that close in the column of their key', 'services:\n  a:\n    image: x\n    ports: [\n      "80"\n    ]\n', 'x'],
    ['carriage returns', 'services:\r\n  a:\r\n    image: x\r\n', 'x'],
    ['carriage returns alone', 'services:\r  a:\r    image: x\r', 'x'],
    ['a byte order mark', '\ufeffservices: {a: {image: x}}', 'x'],
    ['several documents', '---\nservices: {a: {image: w}}\n---\nservices: {a: {image: x}}\n', 'x'],
    ['a tag before a key', 'services:\n  !reset a: {image: x}\n', 'x'],
    ['merge keys, the first of several winning', 'x-1: &1 {image: x}\nx-2: &2 {image: y}\nservices:\n  a: {<<: [*1, *2]}\n', 'x'],
  ] as const)('%s', ([, text, image]) => {
    const result = loadFiles({ 'compose.yaml': text }, { projectName: { name: 'p', isExplicit: true } });
    expect(result.kind === 'loaded' ? result.project.services['a']?.image : result).toBe(image);
  });

  test('keys named after what every object has are only names', () => {
    const result = loadFiles({ 'compose.yaml': 'services:\n  __proto__: {image: x, environment: {constructor: y, __proto__: z}}\n' }, { projectName: { name: 'p', isExplicit: true } });
    if (result.kind !== 'loaded') throw new Error('refused');
    expect(Object.keys(result.project.services)).toEqual(['__proto__']);
    expect(JSON.stringify(Object.values(result.project.services)[0]?.environment)).toBe('{"__proto__":"z","constructor":"y"}');
    expect(Object.prototype).not.toHaveProperty('image');
  });
});
