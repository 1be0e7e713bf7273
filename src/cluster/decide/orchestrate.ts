import type { Change } from '../../model/entry.ts';
import type { ServiceObject, TaskObject } from '../../model/objects.ts';
import type { View } from '../state/view.ts';
import { patch, put, unstored, type Makers } from './draft.ts';
import { freshStatus, isAlive, isCurrent, isLeaving, isQuiet, projectGraph, type ProjectGraph } from './facts.ts';
import { dependenciesHold } from './verdict.ts';

/**
 * Services → tasks: one for each slot, made from the present version. Out: changes of tasks only.
 *
 * What is outdated is replaced as Compose does it, stop first, with less time in between: the successor fetches its image while
 * the predecessor serves, and the predecessor goes only when that is done and the successor's dependencies hold; what can't be
 * fetched leaves the old one running. Name, addresses and ports pass on when nothing of the predecessor is left (see gate.ts).
 * Bound: O(tasks + edges) of the project.
 */
export function orchestrate(view: View, projectName: string, makers: Makers): Change[] {
  const project = projectGraph(view, projectName);
  const changes: Change[] = [];
  for (const name of project.order) {
    const service = project.services.get(name);
    if (service === undefined) continue;
    const scene: Scene = { view, project, service, tasks: project.tasks.get(name) ?? [], makers };
    changes.push(...(service.desired === 'removed' ? leave(scene) : keep(scene)));
  }
  return changes;
}

type Scene = {
  readonly view: View;
  readonly project: ProjectGraph;
  readonly service: ServiceObject;
  readonly tasks: readonly TaskObject[];
  readonly makers: Makers;
};

/** In reverse order: whoever needs this service and goes too, goes first. */
function leave(scene: Scene): Change[] {
  const staying = scene.tasks.filter((task) => !isLeaving(task));
  if (staying.length === 0 || !dependentsAreQuiet(scene)) return [];
  return staying.map((task) => removal(task, scene.service));
}

function keep(scene: Scene): Change[] {
  const { service, tasks } = scene;
  const bySlot = new Map<number, TaskObject[]>();
  for (const task of tasks) bySlot.set(task.slot, [...(bySlot.get(task.slot) ?? []), task]);
  const changes: Change[] = [];
  const dependentsToPause = new Set<TaskObject>();
  for (let slot = 1; slot <= service.replicas; slot += 1) changes.push(...fillSlot(scene, slot, bySlot.get(slot) ?? [], dependentsToPause));
  for (const task of tasks) if (task.slot > service.replicas && !isLeaving(task)) changes.push(removal(task, service));
  for (const task of dependentsToPause) changes.push(patch<'task'>(task, { desired: 'prepared' }));
  if (service.desired === 'stopped') changes.push(...stop(scene));
  else changes.push(...restart(scene));
  return changes;
}

function fillSlot(scene: Scene, slot: number, tasks: readonly TaskObject[], dependentsToPause: Set<TaskObject>): Change[] {
  const { service } = scene;
  const staying = tasks.filter((task) => !isLeaving(task));
  const current = staying.filter((task) => isCurrent(task, service) && !hasLostNamespace(scene, task));
  const outdated = staying.filter((task) => !current.includes(task));
  const [successor, ...surplus] = current.sort((a, b) => rank(a) - rank(b));
  const changes = surplus.map((task) => removal(task, service));
  if (successor === undefined) changes.push(put(newTask(scene, slot, tasks)));
  for (const task of outdated) {
    // What nothing was made of yet needs no care; what doesn't run has nothing to keep up.
    const isUnmade = task.desired === 'fetched';
    const isReplaceable = successor !== undefined && successor.status.state === 'fetched' && successor.status.desired === 'fetched' && dependenciesHold(scene.project, service);
    if (!isUnmade && !isReplaceable) continue;
    const busy = isUnmade || !isAlive(task) ? [] : dependentsToRestart(scene);
    for (const dependent of busy) if (dependent.desired === 'running') dependentsToPause.add(dependent);
    if (busy.every((dependent) => dependent.desired !== 'running' && isQuiet(scene.view, dependent))) changes.push(removal(task, service));
  }
  return changes;
}

/** A container that shares a namespace with one that is gone can't be mended, only made anew. */
function hasLostNamespace(scene: Scene, task: TaskObject): boolean {
  if (task.joins.length === 0) return false;
  const standing = new Set<string>();
  for (const tasks of scene.project.tasks.values()) for (const one of tasks) if (!isLeaving(one)) standing.add(one.containerId);
  return task.joins.some((containerId) => !standing.has(containerId));
}

/** Which of two tasks of one slot stays: the one that got further. */
function rank(task: TaskObject): number {
  return { running: 0, stopped: 1, prepared: 2, fetched: 3, removed: 4 }[task.desired];
}

/** Running tasks of services that ask to be restarted when this one is replaced (`depends_on.restart`), and of those that ask it of them. */
function dependentsToRestart(scene: Scene): TaskObject[] {
  const found: TaskObject[] = [];
  const seen = new Set<string>([scene.service.name]);
  const queue = [scene.service.name];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    for (const edge of scene.project.graph.neededBy.get(name) ?? []) {
      if (!edge.isRestarted || seen.has(edge.from)) continue;
      seen.add(edge.from);
      queue.push(edge.from);
      if (scene.project.services.get(edge.from)?.desired !== 'running') continue;
      for (const task of scene.project.tasks.get(edge.from) ?? []) {
        if (!isLeaving(task) && !task.isDone && (isAlive(task) || (task.desired === 'prepared' && !isQuiet(scene.view, task)))) found.push(task);
      }
    }
  }
  return found;
}

function stop(scene: Scene): Change[] {
  const { stopGraceMs } = scene.service;
  const hastened = stopGraceMs === null ? [] : scene.tasks.filter((task) => task.desired === 'stopped' && isAlive(task) && task.stopGraceMs !== stopGraceMs);
  const hasten = hastened.map((task) => patch<'task'>(task, { stopGraceMs }));
  const running = scene.tasks.filter((task) => task.slot <= scene.service.replicas && !task.isDone && (task.desired === 'running' || task.desired === 'prepared'));
  if (running.length === 0 || !dependentsAreQuiet(scene)) return hasten;
  return [...hasten, ...running.map((task) => patch<'task'>(task, { desired: 'stopped', stopGraceMs }))];
}

/** `compose restart`: in the order of dependencies, each after those it needs have come back. */
function restart(scene: Scene): Change[] {
  const { service, project } = scene;
  const due = scene.tasks.filter((task) => !isLeaving(task) && task.restartCount < service.restartCount);
  if (due.length === 0) return [];
  const isBlocked = (project.graph.needs.get(service.name) ?? []).some((edge) => {
    const dependency = project.services.get(edge.to);
    if (dependency === undefined || dependency.desired !== 'running') return false;
    return (project.tasks.get(edge.to) ?? []).some(
      (task) => isRestartDue(task, dependency) || (edge.condition === 'service_healthy' && task.status.state === 'running' && task.status.health === 'starting'),
    );
  });
  if (isBlocked) return [];
  return due.map((task) => patch<'task'>(task, { restartCount: service.restartCount, stopGraceMs: service.stopGraceMs }));
}

function isRestartDue(task: TaskObject, service: ServiceObject): boolean {
  if (isLeaving(task) || task.desired !== 'running' || task.status.state === 'rejected') return false;
  return task.restartCount < service.restartCount || task.status.restartCountDone < task.restartCount;
}

/** Those who need this service and are to go down as well have gone down. */
function dependentsAreQuiet(scene: Scene): boolean {
  return (scene.project.graph.neededBy.get(scene.service.name) ?? []).every((edge) => {
    const dependent = scene.project.services.get(edge.from);
    if (dependent === undefined || dependent.desired === 'running') return true;
    return (scene.project.tasks.get(edge.from) ?? []).every((task) => hasNeverRun(task) || task.isDone || isQuiet(scene.view, task));
  });
}

/** Still ahead of its gate: nothing of it depends on anything yet. */
function hasNeverRun(task: TaskObject): boolean {
  return task.status.startedMs === null && !isAlive(task) && task.desired !== 'running' && task.status.desired !== 'running' && task.status.desired !== null && task.desired !== 'removed';
}

function removal(task: TaskObject, service: ServiceObject): Change {
  return patch<'task'>(task, { desired: 'removed', stopGraceMs: service.stopGraceMs ?? task.stopGraceMs, removeVolumes: service.removeVolumes });
}

function newTask(scene: Scene, slot: number, predecessors: readonly TaskObject[]): TaskObject {
  const { service, makers } = scene;
  return {
    kind: 'task', id: makers.id(), ...unstored,
    projectName: service.projectName,
    serviceId: service.id,
    serviceName: service.name,
    slot,
    containerName: service.spec.container_name ?? `${service.projectName}-${service.name}-${slot}`,
    containerId: makers.containerId(),
    specHash: service.specHash,
    forceCount: service.forceCount,
    restartCount: service.restartCount,
    nodeId: null,
    attachments: [],
    inheritedIps: Object.fromEntries(predecessors.flatMap((task) => [...Object.entries(task.inheritedIps), ...task.attachments.map((one) => [one.networkId, one.ip] as const)])),
    joins: [],
    ports: [],
    isAllocated: false,
    desired: 'fetched',
    isDone: false,
    stopGraceMs: null,
    removeVolumes: false,
    status: { ...freshStatus, restartCountDone: service.restartCount },
  };
}
