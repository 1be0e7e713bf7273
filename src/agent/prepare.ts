import type { Engine } from '../engine/engine.ts';
import type { AssignedTask } from '../model/assignment.ts';
import type { ContainerSpec } from '../model/container-spec.ts';
import type { PullProgress } from '../model/container.ts';
import type { VolumeObject } from '../model/objects.ts';

export type Preparation = {
  readonly engine: Engine;
  readonly assigned: AssignedTask;
  readonly volumes: readonly VolumeObject[];
  readonly signal: AbortSignal;
  readonly onPull: (reference: string, progress: PullProgress) => void;
  /** Answers where the container's network namespace is; null: the host's. */
  readonly makeNetwork: () => Promise<string | null>;
  readonly spec: (networkPath: string | null) => ContainerSpec;
  /** Resolves when it is this task's turn to begin its container. */
  readonly turn: () => Promise<void>;
};

/** All that can be done ahead of a task's gate: image, volumes, namespace and links, filesystem, container. Each part is idempotent. */
export async function prepareTask(options: Preparation): Promise<void> {
  const { engine, assigned } = options;
  await Promise.all([fetchImage(options), ensureVolumes(options)]);
  await options.turn();
  // In its turn too: ten namespaces ahead of the first container would be ten milliseconds in which nothing is on its way.
  const networkPath = await options.makeNetwork();
  await engine.containers.create(assigned.task.containerId, options.spec(networkPath));
}

/** In: what `prepareTask` takes, as far as it concerns the image. */
export async function fetchImage(options: Pick<Preparation, 'engine' | 'assigned' | 'signal' | 'onPull'>): Promise<void> {
  const reference = options.assigned.spec?.image;
  if (reference !== undefined) await ensureImage(options, reference);
}

async function ensureImage(options: Pick<Preparation, 'engine' | 'assigned' | 'signal' | 'onPull'>, reference: string): Promise<void> {
  if ((await options.engine.images.get(reference)) !== null) return;
  const platform = options.assigned.spec?.platform;
  await options.engine.images.pull({ reference, platform, signal: options.signal, onProgress: (progress) => options.onPull(reference, progress) });
}

async function ensureVolumes(options: Preparation): Promise<void> {
  const wanted = new Set(Object.values(options.assigned.refs?.volumes ?? {}));
  const needed = options.volumes.filter((volume) => wanted.has(volume.id));
  await Promise.all(needed.map((volume) => options.engine.volumes.create({ name: volume.name, labels: volume.labels, driver: volume.driver, options: volume.options })));
}
