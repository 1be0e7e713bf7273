import type { AssignedTask, Assignment } from '../model/assignment.ts';
import type { ContainerSpec } from '../model/container-spec.ts';
import type { NodeNetworkState } from '../model/node-network.ts';

/** What a container needs to know of the node and of its neighbours when its spec is made. */
export type LoweringContext = {
  readonly assignment: Assignment;
  readonly node: { readonly hostname: string };
  /** The path of the network namespace of a container, by container id. */
  readonly namespacePath: (containerId: string) => string;
  /** The host's own search domains and servers, for containers that use the host's network. */
  readonly hostResolvConf: string;
};

export type TaskNetworkFacts = { readonly isRunning: boolean; readonly isHealthy: boolean };

/** The pure part that the agent is given: from what is assigned to what engine and net are to make. */
export type Lowering = {
  readonly container: (assigned: AssignedTask, context: LoweringContext) => ContainerSpec;
  /** `own`: the task has network interfaces of its own, so a namespace is made for it. */
  readonly networkKind: (assigned: AssignedTask) => 'own' | 'host' | 'shared' | 'none';
  readonly network: (assignment: Assignment, facts: (taskId: string) => TaskNetworkFacts | null) => NodeNetworkState;
};
