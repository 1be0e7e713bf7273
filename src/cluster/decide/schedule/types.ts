import type { NodeObject } from '../../../model/objects.ts';

/** What a task asks of a node. Units: billionths of a cpu, bytes. */
export type Demand = {
  readonly constraints: readonly string[];
  /** Label keys to spread over, coarsest first: `node.labels.zone`. */
  readonly spreadOver: readonly string[];
  readonly platforms: readonly { readonly os: string; readonly architecture: string }[];
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** Ports that may be in use only once on a node, as `8080/tcp`. */
  readonly ports: readonly string[];
  /** 0: no limit. */
  readonly replicasMaxPerNode: number;
  /** Nodes that hold its volumes or the namespaces it joins. */
  readonly nodeIds: readonly string[];
};

/** A node and what is left of it. */
export type Candidate = {
  readonly node: NodeObject;
  readonly free: { readonly nanoCpus: number; readonly memoryBytes: number };
  /** Port → who has it. */
  readonly usedPorts: ReadonlyMap<string, string>;
  /** Tasks on it that are to run. */
  readonly tasks: number;
  readonly tasksOfService: number;
  /** Recent failures of the service on it. */
  readonly failures: number;
};
