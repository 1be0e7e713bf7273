import type { NodeNetworkState } from '../model/node-network.ts';

/**
 * The network of one node. The caller gives the whole wished state; `apply` makes the kernel equal to it, by differences,
 * in one nftables transaction and few netlink messages. What it finds of its own that is not in the state, it removes.
 * One real implementation and one fake, both held to the same contract suite.
 */
export type Net = {
  /**
   * Makes a named network namespace for a container, with loopback up, before the container exists. Idempotent.
   * Answers the path to give to the runtime, and whether there was none. Errors: NET_NAMESPACE.
   */
  readonly createNamespace: (endpointId: string) => Promise<{ readonly path: string; readonly isNew: boolean }>;
  /** Removes it and its links. Idempotent. */
  readonly removeNamespace: (endpointId: string) => Promise<void>;
  /** Endpoints that have a namespace now, sorted: after a crash, what the state doesn't know is to be removed. */
  readonly listNamespaces: () => Promise<readonly string[]>;
  /**
   * Kernel := state. Resolves once packets flow and names resolve as the state says. An endpoint that has no namespace is
   * left out: it is not there yet, or not any more.
   * Calls are worked off one after the other. Errors: NET_PORT_IN_USE, NET_HOST_IP_MISSING, NET_NO_DESCRIPTOR (all but these ports is in force
   * then), NET_BAD_STATE (nothing has changed then), NET_LINK, NET_DNS_ADDRESS_IN_USE, OS_NFT, OS_NETLINK.
   */
  readonly apply: (state: NodeNetworkState) => Promise<void>;
  /** Refuses with NET_PORT_IN_USE, naming the port, when a port of the list is held by somebody else on this host. */
  readonly checkPortsFree: (ports: readonly { readonly hostIp: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }[]) => Promise<void>;
  /** Subnets that the host reaches by ways that are not ours, and its resolvers: what no network of ours may overlap. `10.0.0.0/8`. */
  readonly hostSubnets: () => Promise<readonly string[]>;
  /** The hash of the state in force ('' before the first), and how much the audits have found changed by others and repaired. */
  readonly status: () => { readonly stateHash: string; readonly repairs: number };
  /** Stops serving names; the kernel's state stays, so containers go on talking. */
  readonly close: () => Promise<void>;
  /** Removes everything of ours from the kernel: namespaces, links, tables. */
  readonly purge: () => Promise<void>;
};
