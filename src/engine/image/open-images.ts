import { basename, dirname, join } from 'node:path';
import { geteuid } from 'node:process';
import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import { familiarText, parseAnyReference, parseImageName, referenceText } from '../../base/image-reference.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { ImageInfo, PullProgress } from '../../model/container.ts';
import { ensureDir, fileFacts, listDir, removeTree, renamePath } from '../../os/files.ts';
import { errorName } from '../../os/libc.ts';
import type { ImageStore } from '../engine.ts';
import { openImageIndex } from './image-index.ts';
import type { ImageIndexState, ImageRecord } from './image-index.ts';
import { imageLayout } from './image-layout.ts';
import type { ImageLayout } from './image-layout.ts';
import { hostPlatform, parsePlatform } from './platform.ts';
import { pinReference, pullImage, pullKey, readPullReference } from './pull.ts';
import type { PullContext, PulledImage } from './pull.ts';
import { openRegistryClient } from './registry-client.ts';
import type { CredentialSource } from './registry-credentials.ts';
import { refusedMirrors } from './registry-endpoints.ts';
import type { RegistrySettings } from './registry-endpoints.ts';
import { planRemoval } from './remove-image.ts';
import { SharedWork } from './shared-work.ts';
import { openUnpackPool } from './unpack-pool.ts';

export type ImagesOptions = {
  /** Made if it is missing; nobody else writes there. */
  readonly root: string;
  readonly registries: RegistrySettings;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Names of the containers that were made from an image, running or not. */
  readonly usersOf: (imageId: string) => readonly string[];
  /** Directories of layers (as `layersOf` answers) that containers' file systems stand on: they stay though no image has them. */
  readonly pinnedLayers: () => Promise<ReadonlySet<string>>;
};

export type Images = ImageStore & {
  /** Directories of the image's layers, the lowest first: what overlayfs takes. Errors: ENGINE_IMAGE_MISSING. */
  readonly layersOf: (imageId: string) => readonly string[];
  readonly close: () => Promise<void>;
};

/** A download that nobody went on with for this long is dropped. */
const partialKeptMs = 7 * 24 * 3_600_000;

/** Opens the images of a node. What a crash left half done is removed, or kept to go on with. */
export async function openImages(options: ImagesOptions): Promise<Images> {
  const layout = imageLayout(options.root);
  for (const dir of [layout.root, layout.blobs, layout.ingest, layout.layers, layout.staging, layout.trash]) await ensureDir(dir);
  for (const mirror of refusedMirrors(options.registries)) options.log.warn('engine.mirror-refused', { mirror, why: 'plain http is for loopback and for hosts listed as insecure' });
  const index = await openImageIndex(layout.indexFile);
  const client = openRegistryClient({ settings: options.registries, credentials: options.credentials, clock: options.clock, random: options.random, log: options.log });
  const pool = openUnpackPool(options.clock);
  const context: PullContext = { client, pool, layout, isRoot: geteuid?.() === 0, random: options.random, nowMs: options.clock.nowMs, layers: new SharedWork() };
  const pulls = new SharedWork<PulledImage, PullProgress>();
  let active = 0;
  let sweeping: Promise<void> | null = null;
  // NOTE: a pull's layers are nobody's until its image is listed; so nothing is swept while one runs, and none begins in a sweep.
  const sweep = async (): Promise<void> => {
    while (sweeping !== null) await sweeping;
    if (active > 0) return;
    const work = removeUnused(layout, index.state(), options);
    sweeping = work;
    try {
      await work;
    } finally {
      sweeping = null;
    }
  };
  const asPull = async <T>(work: () => Promise<T>): Promise<T> => {
    while (sweeping !== null) await sweeping;
    active += 1;
    try {
      return await work();
    } finally {
      active -= 1;
    }
  };
  await sweep();

  const find = (text: string): ImageRecord | null => findImage(index.state(), text);
  const need = (text: string): ImageRecord => {
    const found = find(text);
    if (found === null) throw missing(text);
    return found;
  };

  return {
    pull: async ({ reference: text, platform, onProgress, signal }) => {
      const reference = readPullReference(text);
      const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
      try {
        const pulled = await pulls.run(pullKey(reference, wanted), {
          signal,
          onProgress: onProgress ?? ((): void => undefined),
          work: (shared, report) =>
            asPull(async () => {
              const image = await pullImage(context, reference, { wanted, isExplicit: platform !== undefined }, shared, report);
              shared.throwIfAborted();
              await index.change((state) => withImage(state, image));
              return image;
            }),
        });
        const record = index.state().images.get(pulled.record.id);
        if (record === undefined) throw missing(text);
        return infoOf(index.state(), record);
      } catch (error) {
        if (signal?.aborted === true || (error instanceof Error && error.name === 'AbortError')) throw new AppError({ code: 'ENGINE_PULL_CANCELLED', message: `the pull of ${text} was cancelled`, hint: 'pull again: it goes on where it ended', cause: error });
        throw error;
      }
    },
    pin: async ({ reference, signal }) => await pinReference(client, readPullReference(reference), signal),
    list: async () => [...index.state().images.values()].map((one) => infoOf(index.state(), one)).sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1)),
    get: async (text) => {
      const found = find(text);
      return found === null ? null : infoOf(index.state(), found);
    },
    remove: async (text, { force }) => {
      const image = find(text);
      if (image === null) throw new AppError({ code: 'ENGINE_IMAGE_MISSING', message: `the image ${text} is not on this node`, hint: 'flotilla images lists what is' });
      const plan = planRemoval(index.state(), image, text, { force, users: options.usersOf(image.id) });
      await index.change((state) => ({
        images: plan.deletes ? without(state.images, [plan.image.id]) : withEntry(state.images, plan.image.id, { ...plan.image, repoDigests: plan.image.repoDigests.filter((one) => !plan.untagged.includes(one)) }),
        references: without(state.references, plan.untagged),
      }));
      await sweep();
      return { untagged: plan.untagged.map(familiar), deleted: plan.deletes ? [plan.image.id] : [] };
    },
    tag: async (source, target) => {
      const image = need(source);
      const name = parseImageName(target);
      if (!name.ok || name.value.digest !== undefined) throw new AppError({ code: 'ENGINE_IMAGE_NAME', message: name.ok ? `a tag can't name a digest: ${target}` : name.message });
      const reference = referenceText({ ...name.value, tag: name.value.tag ?? 'latest' });
      await index.change((state) => ({ images: state.images, references: withEntry(state.references, reference, image.id) }));
    },
    layersOf: (imageId) => need(imageId).diffIds.map((diffId) => layout.layerFiles(diffId)),
    close: async () => {
      await pulls.close();
      await context.layers.close();
      client.close();
      pool.close();
    },
  };
}

function withImage(state: ImageIndexState, pulled: PulledImage): ImageIndexState {
  const { record, reference } = pulled;
  const known = state.images.get(record.id);
  const merged = { ...record, repoDigests: [...new Set([...(known?.repoDigests ?? []), ...record.repoDigests])].sort(), blobs: [...new Set([...(known?.blobs ?? []), ...record.blobs])] };
  const images = withEntry(state.images, record.id, merged);
  return { images, references: reference.tag === undefined ? state.references : withEntry(state.references, referenceText(reference), record.id) };
}

/** By name, digest, id, or the beginning of an id. Errors: ENGINE_IMAGE_AMBIGUOUS. */
function findImage(state: ImageIndexState, text: string): ImageRecord | null {
  const name = parseAnyReference(text);
  if (name.ok && 'path' in name.value) {
    const reference = name.value;
    const byDigest = reference.digest === undefined ? null : [...state.images.values()].find((one) => one.repoDigests.some((digest) => digest === referenceText({ domain: reference.domain, path: reference.path, digest: reference.digest ?? '' })));
    const id = state.references.get(referenceText({ ...reference, tag: reference.tag ?? 'latest' }));
    const found = byDigest ?? (id === undefined ? undefined : state.images.get(id));
    if (found !== undefined) return found;
  }
  const hex = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
  if (!/^[0-9a-f]{1,64}$/.test(hex)) return null;
  const fitting = [...state.images.values()].filter((one) => one.id.startsWith(`sha256:${hex}`));
  if (fitting.length > 1) throw new AppError({ code: 'ENGINE_IMAGE_AMBIGUOUS', message: `${text} is the beginning of ${fitting.length} images' ids`, hint: 'write more of it' });
  return fitting[0] ?? null;
}

function infoOf(state: ImageIndexState, record: ImageRecord): ImageInfo {
  const tags = [...state.references].flatMap(([reference, id]) => (id === record.id ? [familiar(reference)] : [])).sort();
  return { id: record.id, tags, repoDigests: record.repoDigests.map(familiar), createdMs: record.createdMs, sizeBytes: record.sizeBytes, os: record.os, architecture: record.architecture, config: record.config };
}

function familiar(canonical: string): string {
  const name = parseImageName(canonical);
  return name.ok ? familiarText(name.value) : canonical;
}

function missing(text: string): AppError {
  return new AppError({ code: 'ENGINE_IMAGE_MISSING', message: `the image ${text} is not on this node`, hint: `flotilla pull ${text}` });
}

function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map([...map, [key, value]]);
}

function without<V>(map: ReadonlyMap<string, V>, keys: readonly string[]): ReadonlyMap<string, V> {
  return new Map([...map].filter(([key]) => !keys.includes(key)));
}

/** Removes what no image and no container needs: first out of sight by a rename, then for good. */
async function removeUnused(layout: ImageLayout, state: ImageIndexState, options: ImagesOptions): Promise<void> {
  const hex = (digest: string): string => digest.slice('sha256:'.length);
  const records = [...state.images.values()];
  const layers = new Set([...records.flatMap((one) => one.diffIds).map(hex), ...[...(await options.pinnedLayers())].map((dir) => basename(dirname(dir)))]);
  const blobs = new Set(records.flatMap((one) => one.blobs).map(hex));
  const toTrash = async (path: string): Promise<void> => {
    await renamePath(path, join(layout.trash, Buffer.from(options.random.bytes(12)).toString('hex')));
  };
  for (const name of await listDir(layout.layers)) if (!layers.has(name)) await toTrash(join(layout.layers, name));
  for (const name of await listDir(layout.blobs)) if (!blobs.has(name)) await toTrash(join(layout.blobs, name));
  for (const name of await listDir(layout.staging)) await toTrash(join(layout.staging, name));
  for (const name of await listDir(layout.ingest)) {
    const facts = await fileFacts(join(layout.ingest, name));
    const isOld = facts !== null && options.clock.nowMs() - facts.modifiedMs > partialKeptMs;
    if (isOld || name.includes('.')) await toTrash(join(layout.ingest, name));
  }
  for (const name of await listDir(layout.trash)) {
    try {
      await removeTree(join(layout.trash, name));
    } catch (error) {
      // NOTE: an unpacker that has lost its daemon writes for a moment more. The next sweep takes what it leaves.
      if (errorName(error) !== 'ENOTEMPTY') throw error;
    }
  }
}

