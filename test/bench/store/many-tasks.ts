import { silentLog } from '../../../src/base/log.ts';
import { emptyView } from '../../../src/cluster/state/view.ts';
import { allOf } from '../../../src/cluster/state/view.ts';
import type { Change } from '../../../src/model/entry.ts';
import type { TaskObject } from '../../../src/model/objects.ts';
import type { OpenedStore } from '../../../src/manager/store/opened-store.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import { clusterLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { realRandom } from '../../../src/os/real-random.ts';
import { deployment, service, World } from '../../cluster/world.ts';

/** Tasks as the deciders make them and an agent's report leaves them: one that runs, of each of ten services, with its own ids from here on. */
export function runningTasks(count: number): (at: number) => TaskObject {
  const world = new World();
  world.up(deployment(Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`service-${at}`, service({ ports: [{ target: 80, protocol: 'tcp', mode: 'ingress' }] })]))));
  world.settle();
  const samples = allOf(world.view, 'task').filter((one) => one.status.state === 'running');
  if (samples.length !== 10 || world.view.tables === emptyView().tables) throw new Error(`${samples.length} of 10 tasks run`);
  return (at) => {
    const sample = samples[at % samples.length];
    if (sample === undefined || at >= count) throw new Error(`there is no task ${at}`);
    const id = `task-${at.toString(36).padStart(20, '0')}`;
    return { ...sample, id, slot: at, containerName: `${sample.containerName}-${at}`, containerId: at.toString(16).padStart(64, '0') };
  };
}

export function putTask(task: TaskObject): Change {
  return { kind: 'put', object: task, ifVersion: null };
}

export function openAlone(dir: string, limits: Partial<typeof clusterLimits> = {}): Promise<OpenedStore> {
  return openStore({
    dir, clock: realClock, random: realRandom, log: silentLog, limits: { ...clusterLimits, ...limits }, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall: false,
    onFatal: (error) => {
      throw error;
    },
  });
}

export function leads(store: OpenedStore): Promise<void> {
  if (store.leadership().isLeader) return Promise.resolve();
  return new Promise((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));
}
