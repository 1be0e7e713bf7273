import { AppError } from '../../base/app-error.ts';
import { familiarText, parsePullReference, referenceName, referenceText } from '../../base/image-reference.ts';
import type { ImageReference } from '../../base/image-reference.ts';
import { limits } from '../../base/limits.ts';
import type { PullProgress } from '../../model/container.ts';
import { readFileIfThere, readTextIfThere, writeFileDurable } from '../../os/files.ts';
import { join } from 'node:path';
import { fetchSmall, mismatch, sha256 } from './fetch-blob.ts';
import { fetchLayer, shortDigest } from './fetch-layer.ts';
import type { LayerFetcher } from './fetch-layer.ts';
import { parseImageDocument } from './image-config.ts';
import type { ImageDocument } from './image-config.ts';
import type { ImageRecord } from './image-index.ts';
import { isObject, numberIn, parseJson } from './json-fields.ts';
import { parseManifest } from './manifest.ts';
import type { Descriptor, Manifest } from './manifest.ts';
import { choosePlatform, fits, platformText } from './platform.ts';
import type { Platform } from './platform.ts';
import type { RegistryClient } from './registry-client.ts';
import type { SharedWork } from './shared-work.ts';

export type PullContext = LayerFetcher & { readonly layers: SharedWork<void, PullProgress> };
export type PulledImage = { readonly record: ImageRecord; readonly reference: ImageReference };

type Resolved = { readonly manifest: Manifest; readonly manifestDigest: string; readonly topDigest: string; readonly documents: readonly { readonly digest: string; readonly body: Buffer }[] };
const indexDepthMax = 3;

export function readPullReference(text: string): ImageReference {
  const parsed = parsePullReference(text);
  if (!parsed.ok) throw new AppError({ code: 'ENGINE_IMAGE_NAME', message: parsed.message, hint: 'write it as name:tag, registry/name:tag or name@sha256:…' });
  return parsed.value;
}

/**
 * Fetches what is missing of an image: manifest, configuration, then its layers, a few at a time and shared with other pulls.
 * The tag is asked once; from then on only digests are, so an image is always of one moment.
 */
export async function pullImage(context: PullContext, reference: ImageReference, platform: { readonly wanted: Platform; readonly isExplicit: boolean }, signal: AbortSignal, onProgress: (progress: PullProgress) => void): Promise<PulledImage> {
  const name = familiarText(reference);
  onProgress({ id: name, status: 'resolving' });
  const resolved = await resolveManifest(context, reference, platform.wanted, signal);
  const { config, layers } = resolved.manifest;
  const configBody = await configOf(context, reference, config, signal);
  const document = parseImageDocument(configBody, name);
  checkDocument(document, layers, platform, name);
  for (const one of [...resolved.documents, { digest: config.digest, body: configBody }]) await writeFileDurable(context.layout.blob(one.digest), one.body);
  for (const layer of layers) onProgress({ id: shortDigest(layer.digest), status: 'waiting', totalBytes: layer.sizeBytes });
  await fetchLayers(context, reference, layers, document, signal, onProgress);
  onProgress({ id: name, status: 'pulled' });
  return {
    reference,
    record: {
      id: config.digest,
      repoDigests: [`${referenceName(reference)}@${resolved.topDigest}`],
      diffIds: document.diffIds,
      blobs: [...new Set([...resolved.documents.map((one) => one.digest), config.digest, ...layers.map((one) => one.digest)])],
      sizeBytes: await sizeOf(context, document.diffIds),
      createdMs: document.createdMs,
      os: document.os,
      architecture: document.architecture,
      config: document.config,
    },
  };
}

/** Asks the registry for what a tag means now. What it says of the digest is checked against what it sends. */
export async function pinReference(client: RegistryClient, reference: ImageReference, signal: AbortSignal): Promise<string> {
  if (reference.digest !== undefined) return referenceText(reference);
  const { digest } = await fetchManifest({ client, reference, target: reference.tag ?? 'latest', expected: null, signal });
  return referenceText({ ...reference, digest });
}

async function resolveManifest(context: PullContext, reference: ImageReference, wanted: Platform, signal: AbortSignal): Promise<Resolved> {
  const name = familiarText(reference);
  const documents: { digest: string; body: Buffer }[] = [];
  let target = reference.digest ?? reference.tag ?? 'latest';
  let expected = reference.digest ?? null;
  for (let depth = 0; depth < indexDepthMax; depth += 1) {
    const { digest, body, manifest } = await fetchManifest({ client: context.client, reference, target, expected, signal });
    documents.push({ digest, body });
    if (manifest.kind === 'image') return { manifest, manifestDigest: digest, topDigest: documents[0]?.digest ?? digest, documents };
    const chosen = choosePlatform(manifest.manifests, wanted);
    if (chosen === null) {
      const offered = manifest.manifests.flatMap((one) => (one.platform === null || one.platform.os === 'unknown' ? [] : [platformText(one.platform)]));
      throw new AppError({ code: 'ENGINE_IMAGE_PLATFORM', message: `${name} does not exist for ${platformText(wanted)}; it does for ${[...new Set(offered)].join(', ') || 'none'}`, hint: 'name one of these with --platform, if this machine can run it' });
    }
    target = chosen.digest;
    expected = chosen.digest;
  }
  throw new AppError({ code: 'ENGINE_IMAGE_INVALID', message: `${name} can't be used: its index leads to indexes, ${indexDepthMax} deep` });
}

type Wanted = { readonly client: RegistryClient; readonly reference: ImageReference; readonly target: string; readonly expected: string | null; readonly signal: AbortSignal };

/** One document, checked against the digest that is expected, or else against what the registry says it is. */
async function fetchManifest({ client, reference, target, expected, signal }: Wanted): Promise<{ readonly digest: string; readonly body: Buffer; readonly manifest: ReturnType<typeof parseManifest> }> {
  const { body, contentType, statedDigest } = await client.manifest(reference, target, signal);
  const digest = sha256(body);
  const wanted = expected ?? (statedDigest.startsWith('sha256:') ? statedDigest : digest);
  if (wanted !== digest) throw mismatch(wanted, body);
  return { digest, body, manifest: parseManifest(body, contentType, familiarText(reference)) };
}

async function configOf(context: PullContext, reference: ImageReference, config: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const kept = await readFileIfThere(context.layout.blob(config.digest));
  if (kept !== null && sha256(kept) === config.digest) return kept;
  // NOTE: of its own name, as two pulls may fetch one configuration at once.
  const path = `${context.layout.partial(config.digest)}.${Buffer.from(context.random.bytes(6)).toString('hex')}`;
  return await fetchSmall(context.client, reference, config, path, signal, readFileIfThere);
}

function checkDocument(document: ImageDocument, layers: readonly Descriptor[], platform: { readonly wanted: Platform; readonly isExplicit: boolean }, name: string): void {
  if (document.diffIds.length !== layers.length) throw new AppError({ code: 'ENGINE_IMAGE_INVALID', message: `${name} can't be used: its manifest has ${layers.length} layers, its configuration ${document.diffIds.length}` });
  const offered = { os: document.os, architecture: document.architecture, variant: document.variant };
  if (document.os !== 'linux' || (platform.isExplicit && !fits(offered, platform.wanted))) throw new AppError({ code: 'ENGINE_IMAGE_PLATFORM', message: `${name} is made for ${platformText(offered)}, not for ${platformText(platform.wanted)}`, hint: 'use another tag, or name its platform with --platform' });
}

async function fetchLayers(context: PullContext, reference: ImageReference, layers: readonly Descriptor[], document: ImageDocument, signal: AbortSignal, onProgress: (progress: PullProgress) => void): Promise<void> {
  const work = layers.map((blob, index) => ({ reference, blob, diffId: document.diffIds[index] ?? '' }));
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  let next = 0;
  const runner = async (): Promise<void> => {
    for (let one = work[next]; one !== undefined; one = work[next]) {
      next += 1;
      const layer = one;
      const key = `${layer.blob.digest} ${layer.diffId}`;
      await context.layers.run(key, { signal: all, onProgress, work: (shared, report) => fetchLayer(context, layer, shared, report) });
    }
  };
  const runners = Array.from({ length: Math.min(limits.pullLayersAtOnce, work.length) }, async () => {
    try {
      await runner();
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  const ended = await Promise.allSettled(runners);
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw stop.signal.aborted ? stop.signal.reason : failed.reason;
}

async function sizeOf(context: PullContext, diffIds: readonly string[]): Promise<number> {
  let total = 0;
  for (const diffId of diffIds) {
    const facts = parseJson((await readTextIfThere(join(context.layout.layer(diffId), 'layer.json'))) ?? '');
    total += isObject(facts) ? numberIn(facts, 'sizeBytes') : 0;
  }
  return total;
}

/** The text under which pulls of the same thing meet. */
export function pullKey(reference: ImageReference, platform: Platform): string {
  return `${referenceText(reference)} ${platformText(platform)}`;
}
