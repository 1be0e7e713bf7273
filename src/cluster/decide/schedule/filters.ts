import { architectureName, matchesConstraint, parseConstraint } from './constraint.ts';
import type { Candidate, Demand } from './types.ts';

/** Why a node can't take a task; null where it can. `summary` counts alike reasons of several nodes. */
export type Filter = { readonly name: string; readonly refusal: (demand: Demand, candidate: Candidate) => string | null; readonly summary: (count: number) => string };

function onNodes(count: number): string {
  return `${count} node${count === 1 ? '' : 's'}`;
}

/** In this order: the first that refuses names the reason. */
export const filters: readonly Filter[] = [
  {
    name: 'ready',
    refusal: (_demand, { node }) => (node.status !== 'ready' ? 'it is down' : node.availability !== 'active' ? `its availability is ${node.availability}` : null),
    summary: (count) => `${onNodes(count)} not available for new tasks`,
  },
  {
    name: 'resources',
    refusal: (demand, { free }) => {
      if (demand.nanoCpus > free.nanoCpus) return `${demand.nanoCpus / 1e9} cpus are reserved for it and ${free.nanoCpus / 1e9} are left`;
      return demand.memoryBytes > free.memoryBytes ? `${demand.memoryBytes} bytes of memory are reserved for it and ${free.memoryBytes} are left` : null;
    },
    summary: (count) => `insufficient resources on ${onNodes(count)}`,
  },
  {
    name: 'constraints',
    refusal: (demand, { node }) => {
      const unmet = demand.constraints.find((text) => {
        const constraint = parseConstraint(text);
        return !constraint.ok || !matchesConstraint(constraint.value, node);
      });
      return unmet === undefined ? null : `it does not satisfy ${unmet}`;
    },
    summary: (count) => `scheduling constraints not satisfied on ${onNodes(count)}`,
  },
  {
    name: 'platform',
    refusal: (demand, { node }) => {
      if (demand.platforms.length === 0) return null;
      const fits = demand.platforms.some((one) => (one.os === '' || one.os === node.os) && (one.architecture === '' || architectureName(one.architecture) === architectureName(node.architecture)));
      return fits ? null : `it is ${node.os}/${node.architecture}`;
    },
    summary: (count) => `unsupported platform on ${onNodes(count)}`,
  },
  {
    name: 'ports',
    refusal: (demand, { usedPorts }) => {
      const clash = demand.ports.find((port) => usedPorts.has(port));
      return clash === undefined ? null : `port ${clash} is published by ${usedPorts.get(clash) ?? 'another'}`;
    },
    summary: (count) => `host-mode port already in use on ${onNodes(count)}`,
  },
  {
    name: 'max-replicas',
    refusal: (demand, { tasksOfService }) => (demand.replicasMaxPerNode > 0 && tasksOfService >= demand.replicasMaxPerNode ? `it has ${tasksOfService} containers of the service, and ${demand.replicasMaxPerNode} is the most` : null),
    summary: () => 'max replicas per node limit exceed',
  },
  {
    name: 'volumes',
    refusal: (demand, { node }) => (demand.nodeIds.some((id) => id !== node.id) ? 'its volumes are on another node' : null),
    summary: (count) => `volumes on another node than ${onNodes(count)}`,
  },
];
