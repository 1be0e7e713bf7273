import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { put, unstored } from '../cluster/decide/draft.ts';
import { get } from '../cluster/state/view.ts';
import type { ClusterObject } from '../model/objects.ts';
import type { ManagerEnd } from '../wire/session.ts';
import { createControl, type Control } from './control.ts';
import { Dispatch } from './dispatch.ts';
import { Planner } from './planner.ts';
import { createQueries, type Queries } from './queries.ts';
import type { ClusterStore } from './store/store.ts';

export type Manager = {
  readonly control: Control;
  readonly queries: Queries;
  readonly connectAgent: (end: ManagerEnd) => void;
  /** Ends what is under way; containers and the store stay as they are. */
  readonly close: () => Promise<void>;
};

/** The manager of one member: works while its store leads. */
export function createManager(options: { readonly store: ClusterStore; readonly clock: Clock; readonly random: Random; readonly log: Log; readonly addressPools: ClusterObject['addressPools'] }): Manager {
  const { store, log, clock } = options;
  const planner = new Planner(options);
  const dispatch = new Dispatch({ store, planner, clock, log });
  const begin = (): void => {
    planner.submit((view) => ({ changes: clusterChanges(get(view, 'cluster', clusterId), options.addressPools), answer: null })).catch((error: unknown) => {
      log.warn('manager.pools-not-set', { error: String(error) });
    });
    planner.reconsider();
  };
  const unsubscribe = store.onLeadership((leadership) => {
    if (leadership.isLeader) begin();
  });
  if (store.leadership().isLeader) begin();
  return {
    control: createControl({ store, planner }),
    queries: createQueries(store),
    connectAgent: (end) => dispatch.connect(end),
    close: async () => {
      unsubscribe();
      dispatch.close();
      await planner.close();
    },
  };
}

const clusterId = 'cluster';

/** The pools come from the daemon's configuration; networks that have a subnet keep it. */
function clusterChanges(known: ClusterObject | undefined, addressPools: ClusterObject['addressPools']): ReturnType<typeof put>[] {
  if (known !== undefined && JSON.stringify(known.addressPools) === JSON.stringify(addressPools)) return [];
  return [put(known === undefined ? { kind: 'cluster', id: clusterId, ...unstored, name: clusterId, featureLevel: 1, addressPools } : { ...known, addressPools })];
}
