import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { CgroupLayout } from '../../os/cgroup.ts';
import type { DiskKeeper } from '../../os/disk-keeper.ts';
import type { LocalVolumes } from '../volume/local-volumes.ts';
import type { Failpoint } from './failpoint.ts';
import type { Layout } from './layout.ts';
import type { MachineFacts } from './oci-spec.ts';
import type { RootfsSource } from './rootfs-source.ts';
import type { Runtime } from './runtime.ts';
import type { FilterCache } from './seccomp/filter-cache.ts';

/** What every part of the container engine works with. */
export type EngineContext = {
  readonly layout: Layout;
  readonly cgroups: CgroupLayout;
  readonly runtime: Runtime;
  readonly machine: MachineFacts;
  readonly bootId: string;
  readonly rootfs: RootfsSource;
  readonly volumes: LocalVolumes;
  readonly disk: DiskKeeper;
  /** null where the runtime takes no compiled filters. */
  readonly filters: FilterCache | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly failpoint: Failpoint;
};
