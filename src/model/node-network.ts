/** The whole network state that one node needs, derived from the store; pushed whole, compared by hash. Sorted by id everywhere. */
export type NodeNetworkState = {
  readonly networks: readonly NodeNetwork[];
  readonly endpoints: readonly Endpoint[];
  readonly publishedPorts: readonly PublishedPort[];
};

export type NodeNetwork = {
  readonly id: string;
  readonly name: string;
  /** CIDR, `10.201.4.0/24`; the gateway is an address of it that the node answers on (names are served there). */
  readonly subnet: string;
  readonly gateway: string;
  readonly subnet6: string | null;
  readonly gateway6: string | null;
  /** No way out of the network, and no published ports. */
  readonly isInternal: boolean;
  /** Bytes; null: 1500. */
  readonly mtu: number | null;
};

/** A container's place on its networks; only those of this node are in the state, the records hold the names of all. */
export type Endpoint = {
  /** The container's id. */
  readonly id: string;
  readonly attachments: readonly Attachment[];
  /** Name servers of its own (`dns:`) to ask for what no network knows; [] means the host's. */
  readonly dnsServers: readonly string[];
};

export type Attachment = {
  readonly networkId: string;
  /** `eth0`, `eth1`, … in the order of priority. */
  readonly interfaceName: string;
  readonly ip: string;
  readonly ip6: string | null;
  readonly mac: string | null;
  /** The one whose gateway is the default route. */
  readonly isDefaultRoute: boolean;
  /**
   * Names that peers on this network find it by: service, `tasks.<service>`, container name, short id, aliases.
   * A name held by several endpoints answers all of them that are in rotation.
   */
  readonly names: readonly string[];
  /** False while draining or unhealthy: its shared names leave it out, its container name stays. */
  readonly isInRotation: boolean;
  /** The one name to answer in a reverse lookup: `<container>.<network>`. */
  readonly reverseName: string;
};

export type PublishedPort = {
  /** `0.0.0.0` and `::` mean every address. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly protocol: 'tcp' | 'udp';
  /** Where it leads: the addresses of healthy endpoints with the port in the container. Empty: connections are refused. */
  readonly targets: readonly { readonly ip: string; readonly port: number }[];
};
