import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { AppError, isAppError } from '../../base/app-error.ts';
import { limits } from '../../base/limits.ts';
import { syncFileSystem } from '../../os/fd-ops.ts';
import { fdFiles } from '../../os/files.ts';
import { LayerWriter } from './layer-writer.ts';
import { TarReader } from './tar-reader.ts';
import type { UnpackFacts, UnpackJob } from './unpack-job.ts';

/** How the unpacker learns that the blob has grown. */
export type BlobFeed = {
  readonly available: () => { readonly availableBytes: number; readonly isWhole: boolean; readonly isCancelled: boolean };
  readonly wait: () => Promise<void>;
  readonly onProgress: (readBytes: number) => void;
};

const readBytesMax = 512 * 1024;
const inflatedChunkBytes = 256 * 1024;
const progressEveryBytes = 4 * 1024 * 1024;

/**
 * Reads the blob as it grows, inflates it, and writes its entries. Both digests are checked over the very bytes that were read;
 * what was written is durable when this resolves. Nothing is believed before: the caller renames the directory into place.
 * Errors: ENGINE_DIGEST_MISMATCH, ENGINE_LAYER_INVALID, ENGINE_LAYER_LIMIT, ENGINE_DISK_FULL, ENGINE_UNPACK_FAILED.
 */
export async function unpackLayer(job: UnpackJob, feed: BlobFeed): Promise<UnpackFacts> {
  const blob = fdFiles.openRead(job.blobPath);
  const writer = new LayerWriter(job.targetDir, { isRoot: job.isRoot });
  const sink = new TarSink(job, writer);
  try {
    const digest = createHash('sha256');
    let read = 0;
    let shown = 0;
    for (;;) {
      const { availableBytes, isWhole, isCancelled } = feed.available();
      if (isCancelled) throw new AppError({ code: 'ENGINE_PULL_CANCELLED', message: `the pull of ${job.digest} was cancelled` });
      if (read === availableBytes) {
        if (isWhole) break;
        await feed.wait();
        continue;
      }
      // A fresh buffer each time: the inflater may still read the last one.
      const buffer = Buffer.allocUnsafeSlow(Math.min(readBytesMax, availableBytes - read));
      const count = fdFiles.read(blob, buffer, read);
      if (count === 0) throw new AppError({ code: 'ENGINE_UNPACK_FAILED', message: `the download of ${job.digest} was cut under the unpacker` });
      const chunk = buffer.subarray(0, count);
      read += count;
      digest.update(chunk);
      await sink.write(chunk);
      if (read - shown >= progressEveryBytes) feed.onProgress((shown = read));
    }
    // NOTE: the blob's own digest is judged before anything else that may be wrong with it: a flipped bit is a bad download, not a bad image.
    checkDigest(job, `sha256:${digest.digest('hex')}`, read);
    await sink.end();
    const facts = writer.finish();
    const dir = fdFiles.openDir(job.targetDir);
    syncFileSystem(dir);
    fdFiles.close(dir);
    return { entries: facts.entries, unpackedBytes: facts.sizeBytes };
  } finally {
    sink.destroy();
    writer.close();
    fdFiles.close(blob);
  }
}

function checkDigest(job: UnpackJob, actual: string, sizeBytes: number): void {
  if (actual === job.digest && sizeBytes === job.sizeBytes) return;
  throw new AppError({
    code: 'ENGINE_DIGEST_MISMATCH',
    message: `the layer ${job.digest} (${job.sizeBytes} bytes) arrived as ${actual} (${sizeBytes} bytes)`,
    hint: 'pull again; if it stays so, something between this node and the registry changes the data',
  });
}

/** Inflates by what the first bytes say, hashes what comes out and gives it to the tar reader. A fault is kept until the blob's digest is known. */
class TarSink {
  readonly #job: UnpackJob;
  readonly #hash = createHash('sha256');
  readonly #reader: TarReader;
  #inflater: Transform | null | undefined;
  #outBytes = 0;
  #inBytes = 0;
  #fault: unknown;
  #ended: Promise<void> | null = null;

  constructor(job: UnpackJob, writer: LayerWriter) {
    this.#job = job;
    this.#reader = new TarReader({ entry: (entry) => writer.entry(entry), data: (chunk) => writer.data(chunk), entryEnd: () => writer.entryEnd() });
  }

  async write(chunk: Buffer): Promise<void> {
    this.#inBytes += chunk.length;
    if (this.#inflater === undefined) this.#begin(chunk);
    if (this.#fault !== undefined) {
      // What overflows a limit or the disk is not waited for; a damaged archive may be a damaged download, which says more.
      if (isAppError(this.#fault) && this.#fault.code !== 'ENGINE_LAYER_INVALID') throw this.#fault;
      return;
    }
    const inflater = this.#inflater ?? null;
    if (inflater === null) this.#take(chunk);
    else {
      await new Promise<void>((resolve) => {
        const done = (): void => resolve();
        inflater.once('close', done);
        inflater.write(chunk, () => {
          inflater.off('close', done);
          resolve();
        });
      });
    }
  }

  async end(): Promise<void> {
    const inflater = this.#inflater ?? null;
    if (inflater !== null && this.#fault === undefined) inflater.end();
    if (this.#ended !== null) await this.#ended;
    if (this.#fault === undefined) this.#guard(() => this.#reader.end());
    if (this.#fault !== undefined) throw this.#fault;
    const diffId = `sha256:${this.#hash.digest('hex')}`;
    if (diffId === this.#job.diffId) return;
    throw new AppError({ code: 'ENGINE_DIGEST_MISMATCH', message: `the layer ${this.#job.digest} unpacks to ${diffId}, but the image's configuration says ${this.#job.diffId}`, hint: 'the image is broken: its maker has to push it again' });
  }

  destroy(): void {
    this.#inflater?.destroy();
  }

  #begin(first: Buffer): void {
    const inflater = inflaterFor(first);
    this.#inflater = inflater;
    if (inflater === null) return;
    inflater.on('data', (out: Buffer) => this.#take(out));
    this.#ended = new Promise((resolve) => {
      inflater.once('end', resolve);
      inflater.once('close', resolve);
      inflater.once('error', (error) => {
        this.#fault ??= new AppError({ code: 'ENGINE_LAYER_INVALID', message: `the layer ${this.#job.digest} cannot be inflated: ${error.message}`, cause: error });
        resolve();
      });
    });
  }

  #take(out: Buffer): void {
    if (this.#fault !== undefined) return;
    this.#guard(() => {
      this.#outBytes += out.length;
      this.#hash.update(out);
      if (this.#outBytes > limits.layerBytesMax) throw tooLarge(this.#job, `more than ${limits.layerBytesMax} bytes`);
      if (this.#outBytes > limits.layerBombBytesMin && this.#outBytes > this.#inBytes * limits.layerRatioMax) throw tooLarge(this.#job, `more than ${limits.layerRatioMax} times its size`);
      this.#reader.push(out);
    });
    if (this.#fault !== undefined) this.#inflater?.destroy();
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fault = error;
    }
  }
}

function inflaterFor(first: Buffer): Transform | null {
  if (first[0] === 0x1f && first[1] === 0x8b) return createGunzip({ chunkSize: inflatedChunkBytes });
  if (first.length >= 4 && first.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress({ chunkSize: inflatedChunkBytes });
  return null;
}

function tooLarge(job: UnpackJob, what: string): AppError {
  return new AppError({ code: 'ENGINE_LAYER_LIMIT', message: `the layer ${job.digest} unpacks to ${what}`, hint: 'it looks like an archive made to fill the disk; do not use this image' });
}
