import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { silentLog } from '../../src/base/log.ts';
import { openImages } from '../../src/engine/image/open-images.ts';
import type { Images } from '../../src/engine/image/open-images.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { makeTar } from '../engine/image/tar-maker.ts';
import { addImage, startFakeRegistry } from '../fakes/registry.ts';
import { inTurn, line, median, timed } from './harness.ts';
import type { Bench } from './harness.ts';

/**
 * One layer of about 60 MB gzip on a registry on loopback, to a checked, unpacked and durable image.
 * The peer is what a shell would do without checking either digest: curl | tar xz, then sync.
 */
const pull60: Bench = {
  name: 'pull60',
  needsRoot: true,
  run: async (context) => {
    const registry = await startFakeRegistry();
    const root = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
    try {
      const made = addImage(registry, 'library/app', 'latest', [layerOfThisNode()], { pack: (tar) => gzipSync(tar, { level: 6 }) });
      const blob = registry.blobs.get(made.layerDigests[0] ?? '');
      context.note(`${((blob?.length ?? 0) / 1e6).toFixed(1)} MB gzip, ${createHash('sha256').update(blob ?? '').digest('hex').slice(0, 12)}`);
      let round = 0;
      const dir = (): string => join(root, String((round += 1)));
      const result = await inTurn(
        context.runs,
        async () => {
          const images = await open(dir(), registry.url);
          const began = performance.now();
          await images.pull({ reference: 'app' });
          const wallMs = performance.now() - began;
          await images.close();
          return wallMs;
        },
        async () => {
          const target = dir();
          return (await timed(['/bin/sh', '-c', `mkdir -p ${target} && curl -s ${registry.url}/v2/library/app/blobs/${made.layerDigests[0] ?? ''} | tar xz -C ${target} && sync -f ${target}`])).wallMs;
        },
      );
      const again: number[] = [];
      const images = await open(join(root, '1'), registry.url);
      for (let run = 0; run < context.runs; run += 1) {
        const began = performance.now();
        await images.pull({ reference: 'app' });
        again.push(performance.now() - began);
      }
      await images.close();
      return [
        line({ name: 'pull60', unit: 'ms', ours: result.ours, peer: result.peer, peerName: 'curl | tar xz; sync' }),
        line({ name: 'pull60-again', unit: 'ms', ours: median(again) }),
      ];
    } finally {
      await registry.close();
      rmSync(root, { recursive: true, force: true });
    }
  },
};

/** Real content that compresses as programs do, and many small files beside it. */
function layerOfThisNode(): Buffer {
  const program = readFileSync(process.execPath);
  const small = Array.from({ length: 2000 }, (_, index) => ({ name: `share/d${index % 50}/f${index}`, content: program.subarray(index * 4096, index * 4096 + 3000) }));
  return makeTar([{ name: 'bin/', type: '5' }, { name: 'bin/node', content: program, mode: 0o755 }, ...small]);
}

function open(root: string, mirror: string): Promise<Images> {
  return openImages({ root, registries: { mirrors: { 'docker.io': [mirror] }, insecure: [] }, credentials: async () => null, clock: realClock, random: { float: Math.random, bytes: (count) => randomBytes(count) }, log: silentLog, usersOf: () => [], pinnedLayers: async () => new Set() });
}

/** Mounting an overlay of ten layers, and taking it down: what each container's start waits for. */
const snapshotMount: Bench = {
  name: 'snapshot-mount',
  needsRoot: true,
  run: async (context) => {
    const { openSnapshots } = await import('../../src/engine/snapshot/overlay.ts');
    const root = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
    try {
      const layers = Array.from({ length: 10 }, (_, index) => join(root, 'layers', String(index)));
      execFileSync('mkdir', ['-p', ...layers]);
      const snapshots = await openSnapshots(join(root, 'snapshots'), { keep: () => undefined, settle: async () => undefined });
      const times: number[] = [];
      for (let run = 0; run < context.runs * 10; run += 1) {
        await snapshots.prepare(`c${run}`, layers);
        const began = performance.now();
        await snapshots.mount(`c${run}`);
        times.push(performance.now() - began);
        await snapshots.remove(`c${run}`);
      }
      return [line({ name: 'snapshot-mount', unit: 'ms', ours: median(times) })];
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};

export const benches: readonly Bench[] = [pull60, snapshotMount];
