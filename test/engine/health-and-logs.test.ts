import { describe, expect, test } from 'vitest';
import { afterProbe, healthPolicy, nextProbeMs } from '../../src/engine/health/health-policy.ts';
import { lineSplitter, parseLogLine } from '../../src/engine/logs/log-format.ts';
import { fc } from '../property.ts';

const own = { test: { kind: 'shell' as const, line: 'true' }, intervalMs: null, timeoutMs: null, startPeriodMs: null, startIntervalMs: null, retries: null };
const image = { test: ['CMD', 'check', '-q'], intervalMs: 5000, timeoutMs: 0, startPeriodMs: 0, startIntervalMs: 0, retries: 7 };

describe('health', () => {
  test('the spec wins, then the image, then the defaults', () => {
    expect(healthPolicy({ ...own, test: { kind: 'image' }, retries: 2 }, image)).toEqual({ argv: ['check', '-q'], intervalMs: 5000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 2 });
    expect(healthPolicy(null, image)?.retries).toBe(7);
    expect(healthPolicy(own, null)?.argv).toEqual(['/bin/sh', '-c', 'true']);
    expect(healthPolicy({ ...own, test: { kind: 'none' } }, image)).toBeNull();
    expect(healthPolicy(null, null)).toBeNull();
    expect(healthPolicy(null, { ...image, test: ['NONE'] })).toBeNull();
  });

  test('failures count after the start period only, and only in a row', () => {
    const policy = { argv: ['x'], intervalMs: 10, timeoutMs: 10, startPeriodMs: 100, startIntervalMs: 3, retries: 2 };
    let at = { health: 'starting' as const, failuresInARow: 0, hasBeenHealthy: false } as Parameters<typeof afterProbe>[0];
    at = afterProbe(at, false, { sinceStartMs: 99, policy });
    expect(at).toMatchObject({ health: 'starting', failuresInARow: 0 });
    expect(nextProbeMs(at, { sinceStartMs: 99, policy })).toBe(3);
    at = afterProbe(at, false, { sinceStartMs: 100, policy });
    expect(at).toMatchObject({ health: 'starting', failuresInARow: 1 });
    expect(nextProbeMs(at, { sinceStartMs: 100, policy })).toBe(10);
    expect(afterProbe(at, false, { sinceStartMs: 110, policy }).health).toBe('unhealthy');
    at = afterProbe(at, true, { sinceStartMs: 110, policy });
    at = afterProbe(at, false, { sinceStartMs: 120, policy });
    expect(at).toMatchObject({ health: 'healthy', failuresInARow: 1 });
  });
});

describe('log lines', () => {
  test('are read with their parts, and what is none is passed over', () => {
    expect(parseLogLine('2026-11-21T09:52:50.543247892+00:00 stdout F hello  world')).toEqual({ stream: 'stdout', time: '2026-11-21T09:52:50.543247892+00:00', timeMs: Date.parse('2026-11-21T09:52:50.543Z'), text: 'hello  world', isPartial: false });
    expect(parseLogLine('2026-11-21T09:52:50.5+00:00 stderr P ')).toMatchObject({ stream: 'stderr', text: '', isPartial: true });
    for (const torn of ['', 'x', '247892+00:00 stdout F a', '2026-11-21T09:52:50+00:00 stdin F a', '2026-11-21T09:52:50+00:00 stdout X a']) expect(parseLogLine(torn), torn).toBeNull();
  });

  test('come out the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '))), fc.integer({ min: 1, max: 9 }), (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = lineSplitter(1000);
        const found: string[] = [];
        for (let at = 0; at < bytes.length; at += size) found.push(...splitter.push(bytes.subarray(at, at + size)));
        expect(found).toEqual(lines);
        expect(splitter.rest()).toBe('');
      }),
    );
  });
});
