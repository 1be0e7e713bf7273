import { createHash } from 'node:crypto';
import { AppError, isAppError } from '../../base/app-error.ts';
import type { ImageReference } from '../../base/image-reference.ts';
import { openGrowing, removeFile } from '../../os/files.ts';
import type { GrowingFile } from '../../os/files.ts';
import { errorName } from '../../os/libc.ts';
import type { Descriptor } from './manifest.ts';
import type { RegistryClient } from './registry-client.ts';
import { isPassing } from './registry-http.ts';

/** Cuts of the line without a byte in between, before it is given up. */
const attemptsMax = 5;

/**
 * Downloads a blob into a file, going on where an earlier try ended: a cut line, a stopped pull, a crash.
 * The bytes are not checked here: who reads them does (the unpacker, or `fetchSmall`).
 */
export async function downloadBlob(client: RegistryClient, reference: ImageReference, blob: Descriptor, path: string, options: { readonly signal: AbortSignal; readonly onGrown: (sizeBytes: number) => void }): Promise<void> {
  const file = await openGrowing(path);
  try {
    if (file.sizeBytes() > blob.sizeBytes) await file.truncate(0);
    options.onGrown(file.sizeBytes());
    for (let attempt = 0; file.sizeBytes() < blob.sizeBytes; attempt += 1) {
      const before = file.sizeBytes();
      try {
        await downloadOnce(client, reference, blob, file, options);
      } catch (error) {
        options.signal.throwIfAborted();
        if (errorName(error) === 'ENOSPC') throw new AppError({ code: 'ENGINE_DISK_FULL', message: `the disk is full while downloading ${blob.digest}`, hint: 'remove images that are not used: flotilla rmi IMAGE', cause: error });
        if (isAppError(error) || !isPassing(error)) throw error;
        // NOTE: a line that is cut again and again but moves on is slow, not dead.
        if (file.sizeBytes() > before) attempt = 0;
        if (attempt + 1 >= attemptsMax) throw new AppError({ code: 'ENGINE_REGISTRY_DOWN', message: `the download of ${blob.digest} was cut ${attemptsMax} times: ${errorName(error) ?? 'unknown'}`, hint: 'pull again: it goes on where it ended', cause: error });
        await client.pause(attempt, options.signal);
      }
    }
  } finally {
    await file.close();
  }
}

async function downloadOnce(client: RegistryClient, reference: ImageReference, blob: Descriptor, file: GrowingFile, options: { readonly signal: AbortSignal; readonly onGrown: (sizeBytes: number) => void }): Promise<void> {
  const answer = await client.blob(reference, blob, file.sizeBytes(), options.signal);
  let position = answer.offset;
  try {
    for await (const part of answer.stream) {
      // A server that can't begin in the middle sends again what is here.
      const known = Math.max(0, Math.min(part.length, file.sizeBytes() - position));
      position += part.length;
      if (position > blob.sizeBytes) throw new AppError({ code: 'ENGINE_DIGEST_MISMATCH', message: `the registry sends more than the ${blob.sizeBytes} bytes of ${blob.digest}` });
      if (known < part.length) await file.write(part.subarray(known));
      options.onGrown(file.sizeBytes());
    }
  } finally {
    answer.destroy();
  }
  if (position < blob.sizeBytes) throw Object.assign(new Error('the answer ended early'), { code: 'ECONNRESET' });
}

/** A small blob (an image's configuration), whole and checked. */
export async function fetchSmall(client: RegistryClient, reference: ImageReference, blob: Descriptor, path: string, signal: AbortSignal, read: (path: string) => Promise<Buffer | null>): Promise<Buffer> {
  for (let attempt = 0; ; attempt += 1) {
    await downloadBlob(client, reference, blob, path, { signal, onGrown: () => undefined });
    const body = (await read(path)) ?? Buffer.alloc(0);
    await removeFile(path);
    if (sha256(body) === blob.digest) return body;
    if (attempt > 0) throw mismatch(blob.digest, body);
  }
}

export function sha256(body: Uint8Array): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

export function mismatch(expected: string, body: Uint8Array): AppError {
  return new AppError({ code: 'ENGINE_DIGEST_MISMATCH', message: `${expected} arrived as ${sha256(body)}`, hint: 'pull again; if it stays so, something between this node and the registry changes the data' });
}

