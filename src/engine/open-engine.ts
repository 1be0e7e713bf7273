import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { openDiskKeeper } from '../os/disk-keeper.ts';
import { unmountAll } from '../os/mount.ts';
import type { Containers, Engine } from './engine.ts';
import type { Failpoint } from './container/failpoint.ts';
import { clearFormerBoot, hasRuns } from './container/former-boot.ts';
import { runLayoutOf } from './container/layout.ts';
import { openContainerEngine } from './container/open-containers.ts';
import type { RuntimeChoice } from './container/runtime.ts';
import type { CredentialSource } from './image/registry-credentials.ts';
import type { RegistrySettings } from './image/registry-endpoints.ts';
import { openImages } from './image/open-images.ts';
import { openSnapshots } from './snapshot/overlay.ts';

export type EngineOptions = {
  /** Images, containers and volumes: on a disk, survives a reboot. */
  readonly dataRoot: string;
  /** What lives as long as the boot: /run/flotilla. */
  readonly runRoot: string;
  /** The control group that holds the containers' own, `/flotilla`: one name below the root. */
  readonly cgroupParent: string;
  /** `auto` takes crun where it works, else runc. */
  readonly runtime: RuntimeChoice;
  readonly registries: RegistrySettings;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** For tests only: called before each step that changes something outside the process. */
  readonly failpoint?: Failpoint;
  /** As above: in the place of the kernel's. */
  readonly bootId?: string;
};

/** Whether what lies below the run root is still needed, once what another boot left there has been removed. */
export function isRunRootInUse(runRoot: string, bootId: string): boolean {
  const run = runLayoutOf(runRoot);
  clearFormerBoot(run, bootId);
  if (hasRuns(run)) return true;
  // The memory of secrets that are all gone: nobody could reach it below what is mounted next.
  unmountAll(run.secretsRoot);
  return false;
}

/**
 * Opens the engine of this node: what was half done is finished or removed, what runs is adopted.
 * Errors: ENGINE_RUNTIME_MISSING.
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { dataRoot, clock, random, log } = options;
  const disk = openDiskKeeper({ clock, log });
  const snapshots = await openSnapshots(join(dataRoot, 'snapshots'), disk);
  // Images ask who uses them; containers, opened later, know. Until then nothing may be removed, and nobody asks.
  let containers: Containers | null = null;
  const images = await openImages({
    root: join(dataRoot, 'images'),
    registries: options.registries,
    credentials: options.credentials,
    clock,
    random,
    log,
    usersOf: (imageId) => (containers?.list() ?? []).filter((one) => one.imageId === imageId).map((one) => one.name),
    pinnedLayers: async () => await snapshots.layersInUse(),
  });
  const opened = await openContainerEngine({
    ...options,
    disk,
    rootfs: {
      image: async (reference) => await images.get(reference),
      mount: async (id, imageId) => {
        // NOTE: an image may be removed by force while a container stands on it; its layers stay, and so does the container.
        if (!snapshots.has(id)) await snapshots.prepare(id, images.layersOf(imageId));
        return (await snapshots.mount(id)).rootfs;
      },
      remove: async (id) => await snapshots.remove(id),
      list: async () => await snapshots.list(),
    },
  });
  containers = opened.containers;
  return {
    images,
    containers: opened.containers,
    volumes: opened.volumes,
    info: () => opened.info,
    close: async () => {
      opened.containers.close();
      await disk.settle();
      await images.close();
    },
  };
}
