import { AppError, isAppError } from '../../base/app-error.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { refusalOf } from '../../base/refusal.ts';
import { fits, parsePlatform } from '../../engine/image/platform.ts';
import type { Engine } from '../../engine/engine.ts';
import type { PullProgress } from '../../model/container.ts';
import type { ChangeEvent, ProgressEvent } from '../../model/progress.ts';
import type { Route } from '../../wire/http-server.ts';
import { EventQueue } from '../event-queue.ts';
import { asRecord, bad } from './request.ts';

export type WantedImage = { readonly reference: string; readonly platform: string | undefined; readonly policy: 'always' | 'missing' | 'never' };

export function imageRoutes(engine: Engine): readonly Route[] {
  return [
    { method: 'GET', path: '/v1/images', handle: async () => ({ kind: 'json', value: await engine.images.list() }) },
    {
      method: 'POST',
      path: '/v1/images/pull',
      handle: async ({ body, signal }) => {
        const given = asRecord(body, 'the request');
        return { kind: 'lines', values: pullOrFail(engine, readImages(given['images']), { ignoreFailures: given['ignoreFailures'] === true, signal }) };
      },
    },
    {
      method: 'POST',
      path: '/v1/images/pin',
      handle: async ({ body, signal }) => ({ kind: 'json', value: await pinAll(engine, readServiceImages(asRecord(body, 'the request')['images']), signal) }),
    },
    {
      method: 'GET',
      path: '/v1/images/:name',
      handle: async ({ params }) => {
        const image = await engine.images.get(params['name'] ?? '');
        if (image === null) throw new AppError({ code: 'DAEMON_IMAGE_NOT_FOUND', message: `no such image: ${params['name'] ?? ''}`, hint: 'flotilla images lists what is here' });
        return { kind: 'json', value: image };
      },
    },
    {
      method: 'DELETE',
      path: '/v1/images/:name',
      handle: async ({ params, query }) => ({ kind: 'json', value: await engine.images.remove(params['name'] ?? '', { force: query.get('force') === '1' }) }),
    },
  ];
}

/** Service → its image with the digest that its registry has now. Errors: those of `refusalOf`, each at its service. */
async function pinAll(engine: Engine, images: ReadonlyMap<string, string>, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
  const asked = new Map([...new Set(images.values())].map((reference) => [reference, engine.images.pin({ reference, signal })]));
  await Promise.allSettled(asked.values());
  const problems: Diagnostic[] = [];
  const pinned: Record<string, string> = Object.create(null);
  for (const [service, reference] of images) {
    try {
      pinned[service] = (await asked.get(reference)) ?? reference;
    } catch (error) {
      if (!isAppError(error)) throw error;
      problems.push({ severity: 'error', code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }), line: 0, column: 0, path: `services.${service}.image` });
    }
  }
  if (problems.length > 0) throw refusalOf(problems);
  return pinned;
}

function readServiceImages(value: unknown): ReadonlyMap<string, string> {
  const entries = Object.entries(asRecord(value, 'images')).map(([service, reference]) => {
    if (typeof reference !== 'string') throw bad('images must map services to names of images');
    return [service, reference] as const;
  });
  return new Map(entries);
}

/** All failures are told; the first is thrown at the end. */
async function* pullOrFail(engine: Engine, images: readonly WantedImage[], options: { readonly ignoreFailures: boolean; readonly signal: AbortSignal }): AsyncGenerator<ChangeEvent, void, undefined> {
  const failures: unknown[] = [];
  yield* pullAll(engine, images, { onFailure: (_reference, error) => void failures.push(error), signal: options.signal });
  if (failures.length > 0 && !options.ignoreFailures) throw failures[0];
}

/** Pulls side by side; one line an image, one a layer. Each failure is told when it comes; the others go on. */
export async function* pullAll(engine: Engine, images: readonly WantedImage[], options: { readonly onFailure: (reference: string, error: unknown) => void; readonly signal: AbortSignal }): AsyncGenerator<ChangeEvent, void, undefined> {
  const queue = new EventQueue<ChangeEvent>(1000);
  const work = Promise.all(
    images.map(async (image) => {
      try {
        await pullOne(engine, image, options.signal, (event) => void queue.push(event));
      } catch (error) {
        options.onFailure(image.reference, error);
        void queue.push(progress(image.reference, 'error', 'Error', error instanceof Error ? error.message : String(error)));
      }
    }),
  ).then(() => queue.end(), (error: unknown) => queue.end(error));
  yield* queue;
  await work;
}

async function pullOne(engine: Engine, image: WantedImage, signal: AbortSignal, push: (event: ChangeEvent) => void): Promise<void> {
  const { reference, platform, policy } = image;
  const here = policy === 'always' ? null : await engine.images.get(reference);
  if (here !== null && (platform === undefined || fits({ ...here, variant: '' }, parsePlatform(platform)))) return;
  if (policy === 'never') {
    throw new AppError({ code: 'DAEMON_IMAGE_NOT_FOUND', message: `no such image: ${reference}${here === null ? '' : ` for ${platform ?? ''} (it is here for ${here.os}/${here.architecture})`}, and its pull policy is never`, hint: `flotilla pull ${reference}` });
  }
  push(progress(reference, 'working', 'Pulling'));
  const id = `Image ${reference}`;
  await engine.images.pull({ reference, platform, signal, onProgress: (one) => isOfLayer(one) && push(layerEvent(id, one)) });
  push(progress(reference, 'done', 'Pulled'));
}

function progress(reference: string, status: ProgressEvent['status'], text: string, details?: string): ProgressEvent {
  return { kind: 'progress', id: `Image ${reference}`, status, text, ...(details === undefined ? {} : { details }) };
}

const texts: Readonly<Record<PullProgress['status'], string>> = {
  resolving: 'Pulling', waiting: 'Waiting', downloading: 'Downloading', extracting: 'Extracting', exists: 'Already exists', complete: 'Pull complete', pulled: 'Pulled',
};

/** The image's own beginning and end are said above. */
function isOfLayer(one: PullProgress): boolean {
  return one.status !== 'resolving' && one.status !== 'pulled';
}

function layerEvent(parentId: string, one: PullProgress): ProgressEvent {
  const isDone = one.status === 'exists' || one.status === 'complete' || one.status === 'pulled';
  return {
    kind: 'progress', id: one.id, parentId, status: isDone ? 'done' : 'working', text: texts[one.status],
    ...(one.currentBytes === undefined ? {} : { currentBytes: one.currentBytes }), ...(one.totalBytes === undefined ? {} : { totalBytes: one.totalBytes }),
  };
}

function readImages(value: unknown): readonly WantedImage[] {
  if (!Array.isArray(value)) throw bad('images must be a list');
  return value.map((one: unknown) => {
    const { reference, platform, policy } = asRecord(one, 'an image');
    if (typeof reference !== 'string') throw bad('an image needs a reference');
    if (policy !== 'always' && policy !== 'missing' && policy !== 'never') throw bad('policy must be always, missing or never');
    return { reference, policy, platform: typeof platform === 'string' ? platform : undefined };
  });
}
