import { expect, test } from 'vitest';
import { formatDuration, nanosToMs, parseDuration } from '../../src/base/duration.ts';
import { nearestWord } from '../../src/base/nearest.ts';
import { canonicalBytes, humanSize, ramInBytes } from '../../src/base/units.ts';
import { fc } from '../property.ts';

// Source: answers of Docker Compose 2.40.3 for stop_grace_period.
test.for([
  ['1h30m', '1h30m0s'],
  ['1.5h', '1h30m0s'],
  ['90s', '1m30s'],
  ['100us', '100µs'],
  ['1.5ms', '1.5ms'],
  ['.5s', '500ms'],
  ['1d', '24h0m0s'],
  ['1w', '168h0m0s'],
  ['-5s', '-5s'],
  ['0', '0s'],
  ['1.0000000005s', '1s'],
  ['', '!'],
  ['10', '!'],
  ['1H', '!'],
  ['1e3s', '!'],
  [' 5s', '!'],
  ['9999999h', '!'],
] as const)('duration %s', ([text, want]) => {
  const read = parseDuration(text);
  expect(read.ok ? formatDuration(read.value) : '!').toBe(want);
});

test('a printed duration reads as the same time', () => {
  fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }), (nanos) => {
    const read = parseDuration(formatDuration(nanos));
    return read.ok && read.value === nanos;
  }));
});

test('a short time does not become none', () => {
  expect([0n, 1n, 999_999n, 1_000_000n, 1_000_001n].map(nanosToMs)).toEqual([0, 1, 1, 1, 2]);
});

test.for([
  ['512m', '536870912'],
  ['1.5g', '1610612736'],
  ['1 gb', '1073741824'],
  ['1kib', '1024'],
  ['9223372036854775807', '9223372036854775807'],
  ['-1', '-1'],
  ['1_000', '1000'],
  ['10 ', '10'],
  ['', '!'],
  ['b', '!'],
  ['1Ki', '!'],
  ['1kk', '!'],
  ['99999999999999999999', '!'],
  ['nan', '!'],
] as const)('size %s', ([text, want]) => {
  const read = canonicalBytes(text);
  expect(read.ok ? read.value : '!').toBe(want);
});

test('a printed size is near what it was', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
    const read = ramInBytes(humanSize(bytes).toLowerCase());
    return read.ok && read.value >= bytes * 0.9;
  }));
});

test.for([
  ['imgae', 'image'],
  ['depends-on', 'depends_on'],
  ['port', 'ports'],
  ['enviroment', 'environment'],
  ['zzz', undefined],
] as const)('did you mean: %s', ([word, want]) => {
  expect(nearestWord(word, ['image', 'ports', 'depends_on', 'environment'])).toBe(want);
});
