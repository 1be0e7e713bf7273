import type { EngineContext } from './engine-context.ts';
import type { Entry } from './entry.ts';
import { mountable } from './prepare.ts';
import { normalizePath } from './process.ts';

/**
 * Whether a container's process depends on what others do until it starts: on files of the host or of a volume that it doesn't
 * have to itself, on devices, on another container's processes. A container is created ahead of the gate that it waits at, and
 * what it waits for may be just what makes the mounted directory, so nothing of this is looked at before the start: no source is
 * resolved or made, and nothing of the image is copied into a volume.
 */
export function looksAround(entry: Entry): boolean {
  const { spec, state } = entry;
  const isOwn = (volumeName: string): boolean => state.anonymousVolumes.includes(volumeName);
  return (
    spec.mounts.some((mount) => mount.kind === 'bind' || (mount.kind === 'volume' && !isOwn(mount.volumeName))) ||
    state.imageVolumes.some((one) => !isOwn(one.volumeName)) ||
    spec.devices.length > 0 ||
    spec.privileged ||
    spec.namespaces.pid.kind === 'container'
  );
}

/** What can be done for such a container: its file system, the volumes it names, and what its spec alone is refused for. */
export async function makeAhead(context: EngineContext, entry: Entry): Promise<void> {
  const { mounts, files } = entry.spec;
  for (const { target } of [...mounts, ...files]) mountable(normalizePath(target));
  for (const mount of mounts) {
    if (mount.kind !== 'volume' || (await context.volumes.get(mount.volumeName)) !== null) continue;
    await context.volumes.create({ name: mount.volumeName, driver: 'local', labels: {}, options: {} });
  }
  await context.rootfs.mount(entry.id, entry.state.image.id);
}
