import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sha256Hex } from '../../src/base/sha256.ts';
import { fc } from '../property.ts';

test('agrees with the published example (FIPS 180-4: "abc")', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('agrees with another implementation at every length around a block', () => {
  for (let length = 0; length < 200; length += 1) expect(sha256Hex('a'.repeat(length))).toBe(createHash('sha256').update('a'.repeat(length)).digest('hex'));
});

test('agrees with another implementation for any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => sha256Hex(bytes) === createHash('sha256').update(bytes).digest('hex')));
});
