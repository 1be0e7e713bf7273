import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pickNode } from '../../src/cluster/decide/schedule/pick.ts';
import type { Candidate, Demand } from '../../src/cluster/decide/schedule/types.ts';
import type { NodeObject } from '../../src/model/objects.ts';
import { casesRoot } from '../conformance/set.ts';

type OutsideNode = {
  id: string; state?: string; availability?: string; role?: string; labels?: Record<string, string>; activeTasks?: number; activeTasksByService?: Record<string, number>;
  recentFailuresOfService?: number; usedHostPorts?: string[]; platform?: { os?: string; architecture?: string }; available?: { nano_cpus?: number; memory_bytes?: number };
};
type OutsideTask = {
  ServiceID?: string; Mounts?: unknown; Networks?: unknown; Image?: string;
  Placement?: { constraints?: string[]; max_replicas?: number; platforms?: { os?: string; architecture?: string }[]; preferences?: { Preference: { spread: { spread_descriptor: string } } }[] };
  Resources?: { reservations?: { memory_bytes?: number; nano_cpus?: number; generic?: unknown } };
  Endpoint?: { ports?: { protocol?: number; published_port?: number; publish_mode?: number }[] };
};
type Case = { id: string; tasks: number; task: OutsideTask; serviceExists: boolean; nodes: OutsideNode[]; expect: { placedTotal: number; serviceTasksPerNodeSorted: number[]; unplaced: Record<string, number> } };

const path = join(casesRoot(), 'cases/swarm/schedule.json');
const cases: Case[] = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { cases: Case[] }).cases : [];
/** Plugins, cluster volumes and generic resources are not what these nodes have. */
const ours = cases.filter(({ task, nodes }) => task.Mounts === undefined && task.Networks === undefined && task.Resources?.reservations?.generic === undefined && nodes.length > 0);

function candidates(nodes: readonly OutsideNode[], serviceId: string): Candidate[] {
  return nodes.map((one) => {
    const node: NodeObject = {
      kind: 'node', id: one.id, version: 1, createdMs: 0, updatedMs: 0, hostname: one.id, status: one.state === 'READY' ? 'ready' : 'down',
      availability: one.availability === 'DRAIN' ? 'drain' : one.availability === 'PAUSE' ? 'pause' : 'active', role: one.role === 'MANAGER' ? 'manager' : 'worker',
      labels: one.labels ?? {}, os: one.platform?.os ?? '', architecture: one.platform?.architecture ?? '', cpuCount: 1, memoryBytes: 0, daemonVersion: '', bootId: '', hostSubnets: [], address: null, engineLabels: {},
    };
    return {
      node, free: { nanoCpus: one.available?.nano_cpus ?? 1e12, memoryBytes: one.available?.memory_bytes ?? 1e15 },
      usedPorts: new Map((one.usedHostPorts ?? []).map((port) => [port.toLowerCase(), 'another'])),
      tasks: one.activeTasks ?? 0, tasksOfService: one.activeTasksByService?.[serviceId] ?? 0, failures: one.recentFailuresOfService ?? 0,
    };
  });
}

function demandOf(task: OutsideTask): Demand {
  return {
    constraints: task.Placement?.constraints ?? [],
    spreadOver: (task.Placement?.preferences ?? []).map((one) => one.Preference.spread.spread_descriptor),
    platforms: (task.Placement?.platforms ?? []).map((one) => ({ os: one.os ?? '', architecture: one.architecture ?? '' })),
    nanoCpus: task.Resources?.reservations?.nano_cpus ?? 0,
    memoryBytes: task.Resources?.reservations?.memory_bytes ?? 0,
    ports: (task.Endpoint?.ports ?? []).filter((one) => one.publish_mode === 1).map((one) => `${one.published_port ?? 0}/${one.protocol === 1 ? 'udp' : 'tcp'}`),
    replicasMaxPerNode: task.Placement?.max_replicas ?? 0,
    nodeIds: [],
  };
}

describe.skipIf(ours.length === 0)('one round of scheduling agrees with the cases from outside', () => {
  test.skipIf(ours.length === 0).for(ours)('$id', ({ tasks, task, nodes, expect: expected }) => {
    let left = candidates(nodes, task.ServiceID ?? '');
    const unplaced: Record<string, number> = {};
    let placed = 0;
    for (let count = 0; count < tasks; count += 1) {
      const pick = pickNode(demandOf(task), left);
      if (pick.nodeId === null) unplaced[pick.summary] = (unplaced[pick.summary] ?? 0) + 1;
      else placed += 1;
      left = left.map((one) => (one.node.id === pick.nodeId ? { ...one, tasks: one.tasks + 1, tasksOfService: one.tasksOfService + 1 } : one));
    }
    expect(placed).toBe(expected.placedTotal);
    expect(left.map((one) => one.tasksOfService).sort((a, b) => a - b)).toEqual(expected.serviceTasksPerNodeSorted);
    expect(unplaced).toEqual(expected.unplaced);
  });
});
