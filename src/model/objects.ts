import type { Service } from './project.ts';
import type { HealthState } from './container.ts';

/**
 * The objects of the store. Each has a kind, an id that is never used again, and a version: the revision of the entry that
 * wrote it last, which compare-and-set changes name. Times are the leader's stamps, in milliseconds since 1970.
 * Objects are frozen values: a change writes a whole new one.
 */
export type ObjectKind = 'cluster' | 'node' | 'project' | 'network' | 'volume' | 'secret' | 'config' | 'service' | 'task';

export const objectKinds: readonly ObjectKind[] = ['cluster', 'node', 'project', 'network', 'volume', 'secret', 'config', 'service', 'task'];

type ObjectBase<Kind extends ObjectKind> = {
  readonly kind: Kind;
  readonly id: string;
  /** Set by apply; 0 in an object that was never stored. */
  readonly version: number;
  /** Set by apply. */
  readonly createdMs: number;
  readonly updatedMs: number;
};

export type ClusterObject = ObjectBase<'cluster'> & {
  readonly name: string;
  /** What all voters support; entries of a newer kind are proposed only from that level on. */
  readonly featureLevel: number;
  /** Address pools that networks without a subnet of their own are taken from, and the prefix length of each. */
  readonly addressPools: readonly { readonly cidr: string; readonly prefixLength: number }[];
};

export type NodeObject = ObjectBase<'node'> & {
  readonly hostname: string;
  readonly status: 'ready' | 'down';
  readonly availability: 'active' | 'pause' | 'drain';
  readonly role: 'manager' | 'worker';
  readonly labels: Readonly<Record<string, string>>;
  readonly os: string;
  readonly architecture: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly daemonVersion: string;
  /** The kernel's boot id: another one means that every process of before is gone. */
  readonly bootId: string;
  /** Subnets that the host itself is in; networks are not placed over them. */
  readonly hostSubnets: readonly string[];
  /** Where the other nodes reach it; null on a laptop. */
  readonly address: string | null;
  /** What the daemon of the node says of itself; `engine.labels.*` of a constraint. */
  readonly engineLabels: Readonly<Record<string, string>>;
};

/** A compose project. Its id is its name. */
export type ProjectObject = ObjectBase<'project'> & {
  readonly name: string;
  readonly workingDir: string;
  readonly configFiles: readonly string[];
  /** `removed`: it goes when nothing of it is left but volumes that are to stay. */
  readonly desired: 'present' | 'removed';
};

export type NetworkObject = ObjectBase<'network'> & {
  readonly name: string;
  /** null: not of a project. */
  readonly projectName: string | null;
  /** The key in the file: `default`, `front`. */
  readonly key: string;
  readonly driver: string;
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly enableIpv6: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** What the file asks for. */
  readonly ipam: readonly { readonly subnet: string | null; readonly gateway: string | null; readonly ipRange: string | null; readonly auxAddresses: Readonly<Record<string, string>> }[];
  /** What the allocator gave; null until then. */
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly subnet6: string | null;
  readonly gateway6: string | null;
  /** The address given last: the next search begins behind it, so that a freed address rests as long as it can. */
  readonly addressCursor: string | null;
  /** `removed`: it goes when no task is on it any more. */
  readonly desired: 'present' | 'removed';
  /** Why it has no subnet; null where it has one or nobody tried. */
  readonly error: ObjectError | null;
  /** Of the definition: a change means that the network is made anew. */
  readonly specHash: string;
};

export type VolumeObject = ObjectBase<'volume'> & {
  readonly name: string;
  readonly projectName: string | null;
  readonly key: string;
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** The node that holds the data; null until a task needs it. */
  readonly nodeId: string | null;
  readonly desired: 'present' | 'removed';
  readonly specHash: string;
};

/** A secret or a configuration: its bytes, written once; another content is another object. */
export type DataObject<Kind extends 'secret' | 'config'> = ObjectBase<Kind> & {
  readonly name: string;
  readonly projectName: string | null;
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly dataBase64: string;
  /** sha256 of the content, hex. */
  readonly digest: string;
};
export type SecretObject = DataObject<'secret'>;
export type ConfigObject = DataObject<'config'>;

/** What a service's spec names, resolved to objects of the store, at the moment of the deployment. */
export type ServiceRefs = {
  /** Key in the file → network id. */
  readonly networks: Readonly<Record<string, string>>;
  /** Key in the file → volume id. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly configs: Readonly<Record<string, string>>;
};

export type ServiceObject = ObjectBase<'service'> & {
  readonly projectName: string;
  /** The key in the file: `web`. */
  readonly name: string;
  /** The canonical definition, as `compose config` prints it. */
  readonly spec: Service;
  readonly refs: ServiceRefs;
  /** Of spec and refs: a task with another one is outdated. */
  readonly specHash: string;
  readonly previous: { readonly spec: Service; readonly refs: ServiceRefs; readonly specHash: string } | null;
  readonly replicas: number;
  /** `stopped`: containers are kept, not running (`compose stop`). `removed`: on its way out, in reverse dependency order. */
  readonly desired: 'running' | 'stopped' | 'removed';
  /** Counts `compose restart`: a task with a lower count restarts its container in place. */
  readonly restartCount: number;
  /** Overrides the file's stop grace while stopping or removing (`-t`), in milliseconds; null: as the file says. */
  readonly stopGraceMs: number | null;
  /** Its containers' anonymous volumes go with them. */
  readonly removeVolumes: boolean;
  /** Counts forced recreations (`--force-recreate`): a task with a lower count is outdated. */
  readonly forceCount: number;
};

/**
 * Where a task is. The order is the usual course; a restart goes from `exited` to `starting` again.
 * - new: wished, nothing allocated; pending: has its addresses, waits for a node; assigned: a node was chosen
 * - fetched: its image is on the node, nothing else is made
 * - preparing: image, filesystem, network in the making; prepared: only has to be started; starting; running
 * - restarting: its process ended and the policy will start it again; stopping; exited: the container is there, its process is not; rejected: could not be made (see error); removed: nothing is left
 */
export type TaskState = 'new' | 'pending' | 'assigned' | 'fetched' | 'preparing' | 'prepared' | 'starting' | 'running' | 'restarting' | 'stopping' | 'exited' | 'rejected' | 'removed';

/**
 * - fetched: only the image is wanted yet; its predecessor still has the name, the address and the ports
 * - prepared: everything but the start, and not running: its dependencies are not there
 * - stopped: not running; the container is kept
 */
export type TaskDesired = 'fetched' | 'prepared' | 'running' | 'stopped' | 'removed';

export type ObjectError = { readonly code: string; readonly message: string; readonly hint: string | null };

export type TaskStatus = {
  readonly state: TaskState;
  /** The wish that the agent was following when it told this; null before it has told anything. What was told under an older wish proves nothing about the present one. */
  readonly desired: TaskDesired | null;
  readonly health: HealthState;
  readonly exitCode: number | null;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly oomKilled: boolean;
  /** Restarts by the agent, within the policy. */
  readonly restarts: number;
  /** The count of `ServiceObject.restartCount` that the container has followed. */
  readonly restartCountDone: number;
  /** Why it is `rejected`, or why it waits. */
  readonly error: ObjectError | null;
};

/** `hostIp` is '' where the file names none: see published-ips.ts. */
export type TaskPort = { readonly hostIp: string; readonly hostPort: number; readonly containerPort: number; readonly protocol: 'tcp' | 'udp' };

export type TaskAttachment = {
  readonly networkId: string;
  readonly ip: string;
  readonly ip6: string | null;
  readonly mac: string | null;
  readonly aliases: readonly string[];
};

/** One container of a service, from its wish to its removal. */
export type TaskObject = ObjectBase<'task'> & {
  readonly projectName: string;
  readonly serviceId: string;
  readonly serviceName: string;
  /** From 1; a removed task's slot is taken by its successor. */
  readonly slot: number;
  readonly containerName: string;
  /** 64 hex characters, chosen by the manager, so that a retried creation makes one container. */
  readonly containerId: string;
  readonly specHash: string;
  readonly forceCount: number;
  readonly restartCount: number;
  readonly nodeId: string | null;
  /** Sorted by the order of the interfaces: eth0 first. Empty until the allocator has given all of them. */
  readonly attachments: readonly TaskAttachment[];
  /**
   * Network id → the address of the container whose place it takes. It gets the same again, so that who asked for the name once and
   * kept the answer, as nginx does, goes on reaching the service.
   */
  readonly inheritedIps: Readonly<Record<string, string>>;
  /** Ids of the containers whose namespaces it shares: when one of them is replaced, so is this. */
  readonly joins: readonly string[];
  /** The host's ports that lead to it. */
  readonly ports: readonly TaskPort[];
  /** True once attachments and ports are given: both may rightly be empty. */
  readonly isAllocated: boolean;
  readonly desired: TaskDesired;
  /** It ended with 0 by itself: it counts as completed, and runs again only when a command says so (`up`, `start`, `restart`). */
  readonly isDone: boolean;
  /** The grace that its stop is to use, where a command gave one. */
  readonly stopGraceMs: number | null;
  /** Removal takes the anonymous volumes too. */
  readonly removeVolumes: boolean;
  readonly status: TaskStatus;
};

export type StoredObject = ClusterObject | NodeObject | ProjectObject | NetworkObject | VolumeObject | SecretObject | ConfigObject | ServiceObject | TaskObject;

export type ObjectOfKind<Kind extends ObjectKind> = Extract<StoredObject, { readonly kind: Kind }>;
