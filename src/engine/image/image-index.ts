import { AppError } from '../../base/app-error.ts';
import type { ImageConfig } from '../../model/container.ts';
import { readTextIfThere, writeFileDurable } from '../../os/files.ts';
import { isObject, listIn, numberIn, objectIn, parseJson, textIn, textMapIn, textsIn } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** What is kept of an image. References are canonical: `docker.io/library/nginx:latest`. */
export type ImageRecord = {
  readonly id: string;
  readonly repoDigests: readonly string[];
  /** From the lowest up. */
  readonly diffIds: readonly string[];
  /** Everything of it in the content store: manifest, configuration, layers. */
  readonly blobs: readonly string[];
  readonly sizeBytes: number;
  readonly createdMs: number;
  readonly os: string;
  readonly architecture: string;
  readonly config: ImageConfig;
};

export type ImageIndexState = { readonly images: ReadonlyMap<string, ImageRecord>; readonly references: ReadonlyMap<string, string> };

export type ImageIndex = {
  readonly state: () => ImageIndexState;
  /** One change after the other; each is durable before it is seen. */
  readonly change: (next: (state: ImageIndexState) => ImageIndexState) => Promise<void>;
};

const formatVersion = 1;

/** The list of images: one file, replaced whole, so that it is always from one moment. */
export async function openImageIndex(path: string): Promise<ImageIndex> {
  let state = parseIndex(await readTextIfThere(path), path);
  let queue: Promise<void> = Promise.resolve();
  return {
    state: () => state,
    change: (next) => {
      const work = queue.then(async () => {
        const wanted = next(state);
        if (wanted === state) return;
        await writeFileDurable(path, indexText(wanted));
        state = wanted;
      });
      queue = work.catch(() => undefined);
      return work;
    },
  };
}

function indexText(state: ImageIndexState): string {
  const images = [...state.images.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const references = Object.fromEntries([...state.references].sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ version: formatVersion, images, references })}\n`;
}

function parseIndex(text: string | null, path: string): ImageIndexState {
  if (text === null) return { images: new Map(), references: new Map() };
  const value = parseJson(text);
  if (!isObject(value) || value['version'] !== formatVersion) {
    throw new AppError({ code: 'ENGINE_IMAGE_INVALID', message: `${path} is not a list of images of this version`, hint: 'move it away and pull the images again; layers that are here are used again' });
  }
  const images = new Map((listIn(value, 'images') ?? []).filter(isObject).map((one) => [textIn(one, 'id'), recordOf(one)]));
  const references = new Map(Object.entries(textMapIn(value, 'references')).filter(([, id]) => images.has(id)));
  return { images, references };
}

function recordOf(value: JsonObject): ImageRecord {
  const config = objectIn(value, 'config') ?? {};
  const health = objectIn(config, 'healthcheck');
  return {
    id: textIn(value, 'id'),
    repoDigests: textsIn(value, 'repoDigests'),
    diffIds: textsIn(value, 'diffIds'),
    blobs: textsIn(value, 'blobs'),
    sizeBytes: numberIn(value, 'sizeBytes'),
    createdMs: numberIn(value, 'createdMs'),
    os: textIn(value, 'os'),
    architecture: textIn(value, 'architecture'),
    config: {
      user: textIn(config, 'user'),
      env: textsIn(config, 'env'),
      entrypoint: textsIn(config, 'entrypoint'),
      cmd: textsIn(config, 'cmd'),
      workingDir: textIn(config, 'workingDir'),
      labels: textMapIn(config, 'labels'),
      exposedPorts: textsIn(config, 'exposedPorts'),
      volumes: textsIn(config, 'volumes'),
      stopSignal: textIn(config, 'stopSignal'),
      healthcheck:
        health === null
          ? null
          : {
              test: textsIn(health, 'test'),
              intervalMs: numberIn(health, 'intervalMs'),
              timeoutMs: numberIn(health, 'timeoutMs'),
              startPeriodMs: numberIn(health, 'startPeriodMs'),
              startIntervalMs: numberIn(health, 'startIntervalMs'),
              retries: numberIn(health, 'retries'),
            },
    },
  };
}
