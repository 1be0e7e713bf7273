import { graphOf, type Edge, type Graph } from '../../graph/graph.ts';
import type { ServiceObject, TaskObject, TaskState, TaskStatus } from '../../model/objects.ts';
import type { Service } from '../../model/project.ts';
import { get, servicesOfProject, tasksOfService, type View } from '../state/view.ts';

/** What several deciders ask of tasks and services. */

const aliveStates: ReadonlySet<TaskState> = new Set(['starting', 'running', 'restarting', 'stopping']);

/** Its process is there, or may be by now. */
export function isAlive(task: TaskObject): boolean {
  return aliveStates.has(task.status.state);
}

export function isLeaving(task: TaskObject): boolean {
  return task.desired === 'removed';
}

/** Made from the service as it is now. */
export function isCurrent(task: TaskObject, service: Pick<ServiceObject, 'specHash' | 'forceCount'>): boolean {
  return task.specHash === service.specHash && task.forceCount === service.forceCount;
}

/** Its process is certainly not there: the agent has said so under the present wish, or never got the task. */
export function isQuiet(view: View, task: TaskObject): boolean {
  if (task.nodeId === null) return true;
  if (get(view, 'node', task.nodeId)?.status === 'down') return true;
  return task.status.desired === task.desired && !isAlive(task) && task.desired !== 'running';
}

/** It ended by itself under a wish to run, and its policy leaves it down. */
export function hasEnded(task: TaskObject): boolean {
  return task.isDone || (task.status.state === 'exited' && task.desired === 'running' && task.status.desired === 'running');
}

export const freshStatus: TaskStatus = {
  state: 'new', desired: null, health: 'none', exitCode: null, startedMs: null, finishedMs: null,
  oomKilled: false, restarts: 0, restartCountDone: 0, error: null,
};

/** The services of a project in the store, by name, and who needs whom among them. */
export type ProjectGraph = {
  readonly services: ReadonlyMap<string, ServiceObject>;
  readonly graph: Graph;
  /** Dependencies before dependents; by name within a level, and services of a circle last. */
  readonly order: readonly string[];
  readonly tasks: ReadonlyMap<string, readonly TaskObject[]>;
};

export function projectGraph(view: View, projectName: string): ProjectGraph {
  const list = servicesOfProject(view, projectName);
  const services = new Map(list.map((one) => [one.name, one]));
  const specs: Record<string, Service> = {};
  for (const name of [...services.keys()].sort()) {
    const service = services.get(name);
    if (service !== undefined) specs[name] = service.spec;
  }
  const graph = withoutCircles(graphOf({ services: specs }));
  const tasks = new Map(list.map((one) => [one.name, sortTasks(tasksOfService(view, one.id))]));
  return { services, graph, order: orderOf(graph), tasks };
}

/** By slot, then age. */
export function sortTasks(tasks: readonly TaskObject[]): TaskObject[] {
  return [...tasks].sort((a, b) => a.slot - b.slot || a.createdMs - b.createdMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/**
 * Versions of services that were deployed apart may need each other in a circle, though no file has one. Nothing may wait for
 * ever because of that: the edges that close a circle, in the order of names, are left out.
 */
function withoutCircles(graph: Graph): Graph {
  const state = new Map<string, 'open' | 'done'>();
  const needs = new Map<string, Edge[]>();
  const visit = (name: string): void => {
    state.set(name, 'open');
    const kept: Edge[] = [];
    for (const edge of graph.needs.get(name) ?? []) {
      if (state.get(edge.to) === 'open') continue;
      kept.push(edge);
      if (state.get(edge.to) === undefined) visit(edge.to);
    }
    needs.set(name, kept);
    state.set(name, 'done');
  };
  for (const name of graph.names) if (state.get(name) === undefined) visit(name);
  const neededBy = new Map<string, Edge[]>(graph.names.map((name) => [name, []]));
  for (const name of graph.names) for (const edge of needs.get(name) ?? []) neededBy.get(edge.to)?.push(edge);
  return { names: graph.names, needs, neededBy };
}

function orderOf(graph: Graph): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const edge of graph.needs.get(name) ?? []) visit(edge.to);
    order.push(name);
  };
  for (const name of graph.names) visit(name);
  return order;
}

/** The tasks of a service that are there to stay: in a wished slot, made from the present version, not on their way out. */
export function standingTasks(service: ServiceObject, tasks: readonly TaskObject[]): TaskObject[] {
  return tasks.filter((task) => task.slot <= service.replicas && !isLeaving(task) && isCurrent(task, service));
}

/** No task of an older version and none in a slot too many is left: what the service's name answers is the present version, whole. */
export function isSettled(service: ServiceObject, tasks: readonly TaskObject[]): boolean {
  return standingTasks(service, tasks).length >= service.replicas && tasks.every((task) => isLeaving(task) || isCurrent(task, service));
}
