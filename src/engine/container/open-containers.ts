import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { cgroupLayout } from '../../os/cgroup.ts';
import type { DiskKeeper } from '../../os/disk-keeper.ts';
import { bootId, grantableCapabilities, kernelVersion, lastCapability, thermalPaths } from '../../os/machine.ts';
import { makeDirQuick } from '../../os/quick-files.ts';
import type { EngineInfo, Volumes } from '../engine.ts';
import { localVolumes } from '../volume/local-volumes.ts';
import { openContainers } from './containers.ts';
import type { ContainerRoom } from './containers.ts';
import type { Entry } from './entry.ts';
import { noFailpoint } from './failpoint.ts';
import type { Failpoint } from './failpoint.ts';
import { layoutOf } from './layout.ts';
import type { RootfsSource } from './rootfs-source.ts';
import { findRuntime } from './runtime.ts';
import type { RuntimeChoice } from './runtime.ts';
import { filterCache } from './seccomp/filter-cache.ts';

export type ContainerEngineOptions = {
  /** Survives a reboot; on a disk. */
  readonly dataRoot: string;
  /** Does not: /run/flotilla. */
  readonly runRoot: string;
  /** The control group that holds those of all containers, `/flotilla`; an engine beside another one needs another. */
  readonly cgroupParent: string;
  readonly runtime: RuntimeChoice;
  readonly rootfs: RootfsSource;
  readonly disk: DiskKeeper;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly failpoint?: Failpoint;
  /** In the place of the kernel's, so that a reboot can be tried without one. */
  readonly bootId?: string;
};

/** The container half of the engine: adopts what is there, and answers containers, volumes and what it runs on. */
export async function openContainerEngine(options: ContainerEngineOptions): Promise<{ readonly containers: ContainerRoom; readonly volumes: Volumes; readonly info: EngineInfo }> {
  if (!/^\/[A-Za-z0-9_.-]+$/.test(options.cgroupParent)) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${JSON.stringify(options.cgroupParent)} is no control group for containers: it must be one name below the root` });
  const layout = layoutOf(options);
  makeDirQuick(options.dataRoot, 0o711);
  makeDirQuick(options.runRoot, 0o711);
  const cgroups = cgroupLayout();
  const runtime = await findRuntime({ choice: options.runtime, layout: cgroups, runtimeRoot: layout.runtimeRoot, log: options.log });
  const entries = new Map<string, Entry>();
  const volumes = localVolumes({ root: `${options.dataRoot}/volumes`, clock: options.clock, usersOf: (name) => usersOf(entries, name) });
  await volumes.settle();
  const containers = await openContainers(
    {
      layout,
      cgroups,
      runtime,
      machine: { arch: process.arch === 'arm64' ? 'arm64' : 'amd64', kernel: kernelVersion(), lastCapability: lastCapability(), grantable: grantableCapabilities(), hardwarePaths: thermalPaths() },
      bootId: options.bootId ?? bootId(),
      rootfs: options.rootfs,
      volumes,
      disk: options.disk,
      filters: runtime.name === 'crun' ? filterCache(layout.filters, runtime.version) : null,
      clock: options.clock,
      random: options.random,
      log: options.log,
      failpoint: options.failpoint ?? noFailpoint,
    },
    entries,
  );
  return {
    containers,
    volumes,
    info: { runtime: runtime.name, runtimeVersion: runtime.version, monitorVersion: runtime.monitorVersion, cgroupVersion: cgroups.version, snapshotter: 'overlayfs', dataRoot: options.dataRoot },
  };
}

function usersOf(entries: ReadonlyMap<string, Entry>, name: string): string[] {
  return [...entries.values()]
    .filter((entry) => entry.spec.mounts.some((mount) => mount.kind === 'volume' && mount.volumeName === name) || entry.state.imageVolumes.some((one) => one.volumeName === name))
    .map((entry) => entry.spec.name);
}
