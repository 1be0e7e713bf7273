import { join } from 'node:path';
import { AppError, isAppError } from '../../base/app-error.ts';
import type { ImageReference } from '../../base/image-reference.ts';
import type { Random } from '../../base/random.ts';
import type { PullProgress } from '../../model/container.ts';
import { ensureDir, pathExists, removeFile, removeTree, renameDurable, renamePath, setMode, syncDir, writeFileDurable, fileFacts } from '../../os/files.ts';
import { downloadBlob } from './fetch-blob.ts';
import type { ImageLayout } from './image-layout.ts';
import type { Descriptor } from './manifest.ts';
import type { RegistryClient } from './registry-client.ts';
import { leaveOnAbort } from './shared-work.ts';
import type { UnpackFacts } from './unpack-job.ts';
import type { Unpacking, UnpackPool } from './unpack-pool.ts';

export type LayerFetcher = { readonly client: RegistryClient; readonly pool: UnpackPool; readonly layout: ImageLayout; readonly isRoot: boolean; readonly random: Random; readonly nowMs: () => number };
export type LayerWork = { readonly reference: ImageReference; readonly blob: Descriptor; readonly diffId: string };

/** A thread is taken when this much is there, or all: a trickle of bytes must not hold one. */
const threadFromBytes = 512 * 1024;
const progressEveryMs = 100;

/**
 * Makes one layer be there: downloads its blob, unpacks it while it arrives, and renames both into place once both digests fit
 * and the files are durable. A crash at any point leaves a part of a blob, which the next try goes on with, or a directory in
 * `staging`, which the next start removes. Answers the layer's size on disk.
 */
export async function fetchLayer(from: LayerFetcher, work: LayerWork, signal: AbortSignal, onProgress: (progress: PullProgress) => void): Promise<void> {
  const { layout } = from;
  const id = shortDigest(work.blob.digest);
  if (await pathExists(layout.layer(work.diffId))) {
    onProgress({ id, status: 'exists' });
    return;
  }
  const kept = await fileFacts(layout.blob(work.blob.digest));
  const isKept = kept?.sizeBytes === work.blob.sizeBytes;
  for (let attempt = 0; ; attempt += 1) {
    const wasPartial = isKept || ((await fileFacts(layout.partial(work.blob.digest)))?.sizeBytes ?? 0) > 0;
    try {
      await fetchOnce(from, work, { isKept: isKept && attempt === 0, signal, onProgress });
      onProgress({ id, status: 'complete' });
      return;
    } catch (error) {
      if (!isAppError(error, 'ENGINE_DIGEST_MISMATCH') && !isAppError(error, 'ENGINE_LAYER_INVALID') && !isAppError(error, 'ENGINE_LAYER_LIMIT')) throw error;
      // NOTE: what lay here from before may have been damaged by a power cut: it is fetched once more, from the start.
      await removeFile(layout.partial(work.blob.digest));
      await removeFile(layout.blob(work.blob.digest));
      if (!wasPartial || attempt > 0) throw error;
    }
  }
}

async function fetchOnce(from: LayerFetcher, work: LayerWork, options: { readonly isKept: boolean; readonly signal: AbortSignal; readonly onProgress: (progress: PullProgress) => void }): Promise<void> {
  const { layout } = from;
  const source = options.isKept ? layout.blob(work.blob.digest) : layout.partial(work.blob.digest);
  const staging = join(layout.staging, Buffer.from(from.random.bytes(12)).toString('hex'));
  const files = join(staging, 'files');
  await ensureDir(files);
  await setMode(files, 0o755);
  try {
    const facts = await downloadAndUnpack(from, work, { ...options, source, files });
    await writeFileDurable(join(staging, 'layer.json'), `${JSON.stringify({ version: 1, blob: work.blob.digest, diffId: work.diffId, entries: facts.entries, sizeBytes: facts.unpackedBytes, createdMs: from.nowMs() })}\n`);
    if (!options.isKept) await renameDurable(source, layout.blob(work.blob.digest));
    await renameInto(staging, layout.layer(work.diffId));
    await syncDir(layout.layers);
  } finally {
    await removeTree(staging);
  }
}

/** Two blobs may unpack to one layer: whoever comes second finds it there. */
async function renameInto(staging: string, target: string): Promise<void> {
  try {
    await renamePath(staging, target);
  } catch (error) {
    if (!(await pathExists(target))) throw error;
  }
}

async function downloadAndUnpack(from: LayerFetcher, work: LayerWork, options: { readonly isKept: boolean; readonly source: string; readonly files: string; readonly signal: AbortSignal; readonly onProgress: (progress: PullProgress) => void }): Promise<UnpackFacts> {
  // One signal for both halves: when either fails, the other stops.
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const report = reporter(from, work, options.onProgress);
  const job = { blobPath: options.source, digest: work.blob.digest, sizeBytes: work.blob.sizeBytes, diffId: work.diffId, targetDir: options.files, isRoot: from.isRoot };
  let unpacking: Promise<Unpacking> | null = null;
  let grownTo = 0;
  let isWhole = false;
  const unpack = (): Promise<Unpacking> => {
    unpacking ??= from.pool.start(job, { signal, onProgress: (readBytes) => report('extracting', readBytes) }).then((one) => {
      one.grow(grownTo, isWhole);
      one.done.catch((error: unknown) => stop.abort(error));
      return one;
    });
    unpacking.catch((error: unknown) => stop.abort(error));
    return unpacking;
  };
  const onGrown = (sizeBytes: number): void => {
    grownTo = sizeBytes;
    report('downloading', sizeBytes);
    if (sizeBytes >= threadFromBytes) void unpack().then((one) => one.grow(grownTo, isWhole), () => undefined);
  };
  try {
    if (options.isKept) grownTo = work.blob.sizeBytes;
    else await downloadBlob(from.client, work.reference, work.blob, options.source, { signal, onGrown });
    isWhole = true;
    const one = await leaveOnAbort(unpack(), signal);
    one.grow(grownTo, true);
    return await one.done;
  } catch (error) {
    // What the other half failed by is the cause; that it was then stopped is not.
    throw options.signal.aborted ? cancelled(work) : stop.signal.aborted && isAppError(stop.signal.reason) ? stop.signal.reason : error;
  } finally {
    stop.abort(cancelled(work));
  }
}

function reporter(from: LayerFetcher, work: LayerWork, onProgress: (progress: PullProgress) => void): (status: 'downloading' | 'extracting', bytes: number) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (status, bytes) => {
    const now = from.nowMs();
    if (now - last < progressEveryMs && bytes < work.blob.sizeBytes) return;
    last = now;
    onProgress({ id: shortDigest(work.blob.digest), status, currentBytes: bytes, totalBytes: work.blob.sizeBytes });
  };
}

function cancelled(work: LayerWork): AppError {
  return new AppError({ code: 'ENGINE_PULL_CANCELLED', message: `the pull of ${work.blob.digest} was cancelled` });
}

export function shortDigest(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}
