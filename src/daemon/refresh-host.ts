import type { Agent } from '../agent/agent.ts';
import type { Clock } from '../base/clock.ts';
import type { Queries } from '../manager/queries.ts';

/** A manager that can't write now says so when the change itself comes to it. */
const waitMs = 2_000;

/**
 * Before new networks get their subnets: what this host reaches by now, by a VPN that came up since, is known to the manager.
 * The usual case, nothing new, costs a dump of the routes.
 */
export async function refreshHost(options: { readonly agent: Pick<Agent, 'refreshHost'>; readonly queries: Pick<Queries, 'node' | 'onCommit'>; readonly clock: Clock; readonly nodeId: string }): Promise<void> {
  const { queries, nodeId } = options;
  const subnets = JSON.stringify(await options.agent.refreshHost());
  const isKnown = (): boolean => JSON.stringify(queries.node(nodeId)?.hostSubnets ?? null) === subnets;
  if (isKnown()) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      unsubscribe();
      cancel();
      resolve();
    };
    const unsubscribe = queries.onCommit(() => {
      if (isKnown()) finish();
    });
    const cancel = options.clock.after(waitMs, finish, true);
  });
}
