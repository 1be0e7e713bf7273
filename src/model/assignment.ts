import type { ConfigObject, NetworkObject, SecretObject, ServiceObject, TaskObject, TaskStatus, VolumeObject } from './objects.ts';

/**
 * All that one node is to have: pushed whole when a session begins, then whole again at each change (a laptop's is small;
 * differences come with the cluster's dispatcher). The agent keeps the last one on disk and works on with it alone.
 */
export type Assignment = {
  readonly nodeId: string;
  readonly revision: number;
  readonly tasks: readonly AssignedTask[];
  readonly networks: readonly NetworkObject[];
  readonly volumes: readonly VolumeObject[];
};

/** `spec` is null when the task's version of the service is no longer kept: it may only be stopped or removed. */
export type AssignedTask = {
  readonly task: TaskObject;
  readonly service: { readonly id: string; readonly name: string; readonly projectName: string; readonly workingDir: string; readonly configFiles: readonly string[] };
  readonly spec: ServiceObject['spec'] | null;
  readonly refs: ServiceObject['refs'] | null;
  readonly secrets: readonly SecretObject[];
  readonly configs: readonly ConfigObject[];
  /** Names that other tasks of the node's networks answer to are derived from these, across nodes. */
  readonly isInRotation: boolean;
};

/** The one upward lane: what an agent tells of its tasks and volumes. */
export type AgentReport = {
  readonly nodeId: string;
  readonly tasks: readonly { readonly taskId: string; readonly status: TaskStatus }[];
  /** Volumes whose removal was asked for and is done. */
  readonly removedVolumes: readonly string[];
  /** What the node reaches by other ways has changed since it introduced itself: a VPN came up. */
  readonly hostSubnets?: readonly string[];
};
