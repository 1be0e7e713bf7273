import { AppError } from '../base/app-error.ts';
import type { Engine } from '../engine/engine.ts';
import type { Queries } from '../manager/queries.ts';
import type { ContainerInfo } from '../model/container.ts';
import type { TaskObject } from '../model/objects.ts';
import type { ContainerSummary } from '../model/progress.ts';

export type PublishedPortOf = (containerId: string) => ContainerSummary['ports'];

/** The containers of this node as `ps` shows them: what the engine knows, and whose they are. */
export function summarize(options: { readonly engine: Engine; readonly queries: Queries; readonly ports: PublishedPortOf; readonly projectName: string | null; readonly isAll: boolean }): ContainerSummary[] {
  const { engine, queries } = options;
  const tasks = queries.tasks(options.projectName);
  const ofTasks = tasks.flatMap((task) => {
    const container = engine.containers.get(task.containerId);
    if (container === null && task.status.state !== 'rejected') return [];
    return [summaryOf(options, container, task)];
  });
  const known = new Set(tasks.map((task) => task.containerId));
  const others = options.projectName !== null ? [] : engine.containers.list().filter((one) => !known.has(one.id)).map((one) => summaryOf(options, one, null));
  return [...ofTasks, ...others].filter((one) => options.isAll || one.state === 'running' || one.state === 'paused' || one.state === 'restarting');
}

/** By full id, unambiguous prefix, or name. Errors: DAEMON_CONTAINER_NOT_FOUND. */
export function findContainer(engine: Engine, reference: string): ContainerInfo {
  const exact = engine.containers.get(reference);
  if (exact !== null) return exact;
  const all = engine.containers.list();
  const named = all.find((one) => one.name === reference);
  const [byPrefix, second] = all.filter((one) => reference.length > 0 && one.id.startsWith(reference));
  const found = named ?? (second === undefined ? byPrefix : undefined);
  if (found === undefined) {
    throw new AppError({
      code: 'DAEMON_CONTAINER_NOT_FOUND',
      message: second === undefined ? `no such container: ${reference}` : `${reference} is the beginning of several containers' ids`,
      hint: 'flotilla ps -a lists what there is',
    });
  }
  return found;
}

function summaryOf(options: { readonly engine: Engine; readonly queries: Queries; readonly ports: PublishedPortOf }, container: ContainerInfo | null, task: TaskObject | null): ContainerSummary {
  const spec = container === null ? null : options.engine.containers.spec(container.id);
  return {
    id: container?.id ?? task?.containerId ?? '',
    name: container?.name ?? task?.containerName ?? '',
    image: container?.image ?? options.queries.service(task?.serviceId ?? '')?.spec.image ?? '',
    imageId: container?.imageId ?? '',
    command: container?.command ?? [],
    projectName: task?.projectName ?? null,
    serviceName: task?.serviceName ?? null,
    slot: task?.slot ?? null,
    createdMs: container?.createdMs ?? task?.createdMs ?? 0,
    startedMs: container?.startedMs ?? null,
    finishedMs: container?.finishedMs ?? null,
    state: stateOf(container, task),
    exitCode: container?.exitCode ?? null,
    health: container?.health ?? 'none',
    // Those of one that doesn't run are free for others.
    ports: container === null || container.state === 'exited' || container.state === 'created' ? [] : options.ports(container.id),
    networks: (task?.attachments ?? []).map((one) => options.queries.network(one.networkId)?.name ?? one.networkId),
    mounts: (spec?.mounts ?? []).map((mount) => (mount.kind === 'volume' ? mount.volumeName : mount.kind === 'bind' ? mount.source : mount.target)),
    labels: container?.labels ?? {},
    error: task?.status.error ?? null,
  };
}

function stateOf(container: ContainerInfo | null, task: TaskObject | null): ContainerSummary['state'] {
  // Docker's word for one that was not started. `dead` would say that its removal failed.
  if (container === null) return 'created';
  if (container.state === 'exited' && task?.status.state === 'restarting') return 'restarting';
  if (task?.desired === 'removed' && container.state !== 'running') return 'removing';
  return container.state;
}
