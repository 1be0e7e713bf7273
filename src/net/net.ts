import type { NodeNetworkState } from '../model/node-network.ts';

/**
 * The network of one node. The caller gives the whole wished state; `apply` makes the kernel equal to it, by differences,
 * in one nftables transaction and few netlink messages. What it finds of its own that is not in the state, it removes.
 * One real implementation and one fake, both held to the same contract suite.
 */
export type Net = {
  /**
   * Makes a named network namespace for a container, with loopback up, before the container exists. Idempotent.
   * Answers the path to give to the runtime.
   */
  readonly createNamespace: (endpointId: string) => Promise<{ readonly path: string }>;
  /** Removes it and its links. Idempotent. */
  readonly removeNamespace: (endpointId: string) => Promise<void>;
  /** Kernel := state. Resolves once packets flow and names resolve as the state says. Errors: NET_PORT_IN_USE, NET_*. */
  readonly apply: (state: NodeNetworkState) => Promise<void>;
  /** Refuses with NET_PORT_IN_USE, naming the port, when a port of the list is held by somebody else on this host. */
  readonly checkPortsFree: (ports: readonly { readonly hostIp: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }[]) => Promise<void>;
  /** The hash of the state in force, and what the last audit found and repaired. */
  readonly status: () => { readonly stateHash: string; readonly repairs: number };
  /** Stops serving names; the kernel's state stays, so containers go on talking. */
  readonly close: () => Promise<void>;
  /** Removes everything of ours from the kernel: namespaces, links, tables. */
  readonly purge: () => Promise<void>;
};
