import { PersistentMap } from '../../base/persistent-map.ts';
import type { Outcome } from '../../model/entry.ts';
import type { ObjectKind, ObjectOfKind, StoredObject } from '../../model/objects.ts';
import { Outcomes } from './outcomes.ts';

type Table<Kind extends ObjectKind> = PersistentMap<ObjectOfKind<Kind>>;
type Index = PersistentMap<PersistentMap<true>>;

/** The whole state at one revision. Immutable: keeping one costs only what later revisions change. */
export type View = {
  /** The index of the last entry applied. */
  readonly revision: number;
  /** The time stamp of that entry; never goes back. */
  readonly timeMs: number;
  readonly tables: { readonly [Kind in ObjectKind]: Table<Kind> };
  readonly indexes: {
    readonly tasksByService: Index;
    readonly tasksByNode: Index;
    readonly servicesByProject: Index;
    readonly networksByProject: Index;
    readonly volumesByProject: Index;
    readonly secretsByProject: Index;
    readonly configsByProject: Index;
  };
  readonly requests: Requests;
};

/**
 * Outcomes of the last requests, so that a repeated proposal is answered, not applied again: at least `generationRequests`, at most twice as
 * many. They are forgotten a generation at a time.
 */
export type Requests = {
  /** The generation of the newest request, and the one before it. A request of sequence n is of generation ⌊n / generationRequests⌋. */
  readonly newer: Outcomes;
  readonly older: Outcomes;
  readonly nextSequence: number;
};

/** Longer than any proposer waits before it gives up. */
export const generationRequests = 4096;

export function generationOf(sequence: number): number {
  return Math.floor(sequence / generationRequests);
}

/** What became of a request, while it is remembered. */
export function outcomeOf(view: View, requestId: string): Outcome | undefined {
  return view.requests.newer.get(requestId) ?? view.requests.older.get(requestId);
}

export function emptyView(): View {
  const table = (): PersistentMap<never> => PersistentMap.empty<never>();
  const index = (): Index => PersistentMap.empty<PersistentMap<true>>();
  return {
    revision: 0,
    timeMs: 0,
    tables: { cluster: table(), node: table(), project: table(), network: table(), volume: table(), secret: table(), config: table(), service: table(), task: table() },
    indexes: {
      tasksByService: index(), tasksByNode: index(), servicesByProject: index(), networksByProject: index(),
      volumesByProject: index(), secretsByProject: index(), configsByProject: index(),
    },
    requests: { newer: Outcomes.from([]), older: Outcomes.from([]), nextSequence: 0 },
  };
}

/** All objects of a kind, sorted by id. */
export function allOf<Kind extends ObjectKind>(view: View, kind: Kind): ObjectOfKind<Kind>[] {
  return sortById([...tableOf(view, kind).values()]);
}

export function get<Kind extends ObjectKind>(view: View, kind: Kind, id: string): ObjectOfKind<Kind> | undefined {
  return tableOf(view, kind).get(id);
}

/** NOTE: TypeScript can't see that tables[kind] belongs to Kind; the type of `tables` says so. */
function tableOf<Kind extends ObjectKind>(view: View, kind: Kind): Table<Kind> {
  return view.tables[kind] as Table<Kind>;
}

export function tasksOfService(view: View, serviceId: string): ObjectOfKind<'task'>[] {
  return lookUp(view, 'task', view.indexes.tasksByService.get(serviceId));
}

export function tasksOfNode(view: View, nodeId: string): ObjectOfKind<'task'>[] {
  return lookUp(view, 'task', view.indexes.tasksByNode.get(nodeId));
}

export function servicesOfProject(view: View, projectName: string): ObjectOfKind<'service'>[] {
  return lookUp(view, 'service', view.indexes.servicesByProject.get(projectName));
}

export function networksOfProject(view: View, projectName: string): ObjectOfKind<'network'>[] {
  return lookUp(view, 'network', view.indexes.networksByProject.get(projectName));
}

export function volumesOfProject(view: View, projectName: string): ObjectOfKind<'volume'>[] {
  return lookUp(view, 'volume', view.indexes.volumesByProject.get(projectName));
}

export function secretsOfProject(view: View, projectName: string): ObjectOfKind<'secret'>[] {
  return lookUp(view, 'secret', view.indexes.secretsByProject.get(projectName));
}

export function configsOfProject(view: View, projectName: string): ObjectOfKind<'config'>[] {
  return lookUp(view, 'config', view.indexes.configsByProject.get(projectName));
}

function lookUp<Kind extends ObjectKind>(view: View, kind: Kind, ids: PersistentMap<true> | undefined): ObjectOfKind<Kind>[] {
  if (ids === undefined) return [];
  const found: ObjectOfKind<Kind>[] = [];
  for (const id of ids.keys()) {
    const object = get(view, kind, id);
    if (object !== undefined) found.push(object);
  }
  return sortById(found);
}

function sortById<T extends StoredObject>(objects: T[]): T[] {
  return objects.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
