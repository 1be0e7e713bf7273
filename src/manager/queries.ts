import { allOf, get, networksOfProject, servicesOfProject, tasksOfService, volumesOfProject } from '../cluster/state/view.ts';
import type { NetworkObject, NodeObject, ProjectObject, ServiceObject, TaskObject, VolumeObject } from '../model/objects.ts';
import type { ClusterStore } from './store/store.ts';

/** What the doors may ask of the state applied here. Plain objects, sorted; nothing of the store itself leaves the room. */
export type Queries = {
  readonly revision: () => number;
  readonly projects: () => readonly ProjectObject[];
  readonly services: (projectName: string) => readonly ServiceObject[];
  readonly service: (serviceId: string) => ServiceObject | null;
  /** Sorted by service name, then slot. */
  readonly tasks: (projectName: string | null) => readonly TaskObject[];
  readonly task: (taskId: string) => TaskObject | null;
  readonly node: (nodeId: string) => NodeObject | null;
  readonly network: (networkId: string) => NetworkObject | null;
  readonly networks: (projectName: string | null) => readonly NetworkObject[];
  readonly volumes: (projectName: string | null) => readonly VolumeObject[];
  readonly onCommit: (listener: () => void) => () => void;
};

export function createQueries(store: ClusterStore): Queries {
  return {
    revision: () => store.view().revision,
    projects: () => allOf(store.view(), 'project'),
    services: (projectName) => servicesOfProject(store.view(), projectName),
    service: (serviceId) => get(store.view(), 'service', serviceId) ?? null,
    tasks: (projectName) => {
      const view = store.view();
      const tasks = projectName === null ? allOf(view, 'task') : servicesOfProject(view, projectName).flatMap((service) => tasksOfService(view, service.id));
      return [...tasks].sort((a, b) => compare(a.projectName, b.projectName) || compare(a.serviceName, b.serviceName) || a.slot - b.slot || a.createdMs - b.createdMs);
    },
    task: (taskId) => get(store.view(), 'task', taskId) ?? null,
    node: (nodeId) => get(store.view(), 'node', nodeId) ?? null,
    network: (networkId) => get(store.view(), 'network', networkId) ?? null,
    networks: (projectName) => (projectName === null ? allOf(store.view(), 'network') : networksOfProject(store.view(), projectName)),
    volumes: (projectName) => (projectName === null ? allOf(store.view(), 'volume') : volumesOfProject(store.view(), projectName)),
    onCommit: (listener) => store.onCommit(() => listener()),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
