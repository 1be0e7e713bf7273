import { AppError } from '../../base/app-error.ts';
import { isErrorCode } from '../../base/error-codes.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Control } from '../../manager/control.ts';
import type { Queries } from '../../manager/queries.ts';
import type { ContainerEvent, ContainerInfo } from '../../model/container.ts';
import type { ObjectError } from '../../model/objects.ts';
import type { RemovedContainer } from '../../model/progress.ts';
import type { Route } from '../../wire/http-server.ts';
import { findContainer, type PublishedPortOf, summarize } from '../summaries.ts';
import { queryNumber } from './request.ts';

export function containerRoutes(options: { readonly engine: Engine; readonly queries: Queries; readonly ports: PublishedPortOf; readonly removeTask: Control['removeTask'] }): readonly Route[] {
  const { engine, queries } = options;
  return [
    {
      method: 'GET',
      path: '/v1/containers',
      handle: async ({ query }) => ({ kind: 'json', value: summarize({ ...options, projectName: query.get('project'), isAll: query.get('all') === '1' }) }),
    },
    {
      method: 'GET',
      path: '/v1/containers/:name',
      handle: async ({ params }) => ({ kind: 'json', value: inspect(options, findContainer(engine, params['name'] ?? '')) }),
    },
    {
      method: 'GET',
      path: '/v1/containers/:name/logs',
      handle: async ({ params, query, signal }) => {
        const { id } = findContainer(engine, params['name'] ?? '');
        return { kind: 'lines', values: engine.containers.logs(id, { follow: query.get('follow') === '1', tailLines: queryNumber(query, 'tail'), sinceMs: queryNumber(query, 'since'), untilMs: queryNumber(query, 'until'), signal }) };
      },
    },
    {
      method: 'DELETE',
      path: '/v1/containers/:name',
      handle: async ({ params, query, signal }) => {
        const value = await removeContainer({ engine, queries, removeTask: options.removeTask, reference: params['name'] ?? '', isForced: query.get('force') === '1', volumes: query.get('volumes') === '1', signal });
        return { kind: 'json', value };
      },
    },
  ];
}

type Removal = { readonly engine: Engine; readonly queries: Queries; readonly removeTask: Control['removeTask']; readonly reference: string; readonly isForced: boolean; readonly volumes: boolean; readonly signal: AbortSignal };

/**
 * A container of a service is removed by wishing its task away. Where the service is to have it, it gets another: the answer says so.
 */
async function removeContainer({ engine, queries, removeTask, reference, isForced, volumes, signal }: Removal): Promise<RemovedContainer> {
  const container = findContainer(engine, reference);
  if (container.state === 'running' && !isForced) {
    throw new AppError({ code: 'ENGINE_CONTAINER_RUNNING', message: `container ${container.name} is running`, hint: 'stop it first, or: flotilla rm -f' });
  }
  const task = queries.tasks(null).find((one) => one.containerId === container.id);
  if (task === undefined) {
    await engine.containers.remove(container.id, { force: isForced, volumes });
    return { replacedBy: null };
  }
  await removeTask(task.id, { volumes, stopGraceMs: isForced ? 0 : null });
  await gone({ engine, queries, containerId: container.id, taskId: task.id, signal });
  const service = queries.service(task.serviceId);
  const isWanted = service !== null && service.desired !== 'removed' && task.slot <= service.replicas;
  return { replacedBy: isWanted ? { projectName: task.projectName, serviceName: task.serviceName } : null };
}

type Going = { readonly engine: Engine; readonly queries: Queries; readonly containerId: string; readonly taskId: string; readonly signal: AbortSignal };

/** Until nothing is left of it, or whoever asks has gone away. Errors: why it can't be removed; it is tried again all the same. */
async function gone({ engine, queries, containerId, taskId, signal }: Going): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    const task = queries.task(taskId);
    // NOTE: the engine shows a container that is being removed to nobody: only its spec stays until then.
    if (signal.aborted || task === null || task.status.state === 'removed' || engine.containers.spec(containerId) === null) resolve();
    // NOTE: what was told under an older wish is another trouble.
    else if (task.status.desired === 'removed' && task.status.error !== null) reject(notRemoved(task.status.error));
  };
  const onEvent = (event: ContainerEvent): void => {
    if (event.kind === 'removed' && event.containerId === containerId) resolve();
  };
  const leave = [engine.containers.onEvent(onEvent), queries.onCommit(look)];
  signal.addEventListener('abort', look, { once: true });
  try {
    look();
    await promise;
  } finally {
    for (const one of leave) one();
    signal.removeEventListener('abort', look);
  }
}

function notRemoved({ code, message, hint }: ObjectError): AppError {
  return new AppError({ code: isErrorCode(code) ? code : 'AGENT_STEP_FAILED', message, hint: hint ?? 'it is tried again every now and then, until it succeeds' });
}

/** In Docker's field names, so that scripts that read `docker inspect` read this too. */
function inspect(options: { readonly engine: Engine; readonly queries: Queries; readonly ports: PublishedPortOf }, info: ContainerInfo): unknown {
  const spec = options.engine.containers.spec(info.id);
  const task = options.queries.tasks(null).find((one) => one.containerId === info.id);
  const time = (ms: number | null): string => (ms === null ? '0001-01-01T00:00:00Z' : new Date(ms).toISOString());
  return {
    Id: info.id, Created: time(info.createdMs), Name: `/${info.name}`, Image: info.imageId, RestartCount: task?.status.restarts ?? 0,
    Path: info.command[0] ?? '', Args: info.command.slice(1),
    State: {
      Status: info.state, Running: info.state === 'running', Paused: info.state === 'paused', Restarting: task?.status.state === 'restarting', OOMKilled: info.oomKilled,
      Pid: info.pid ?? 0, ExitCode: info.exitCode ?? 0, Error: task?.status.error?.message ?? '', StartedAt: time(info.startedMs), FinishedAt: time(info.finishedMs),
      ...(info.health === 'none' ? {} : { Health: { Status: info.health, Log: info.healthLog.map((one) => ({ Start: time(one.startedMs), End: time(one.endedMs), ExitCode: one.exitCode, Output: one.output })) } }),
    },
    Config: {
      Image: info.image, Labels: info.labels, Hostname: spec?.hostname ?? '', User: spec?.user ?? '', Tty: spec?.tty ?? false, OpenStdin: spec?.stdinOpen ?? false,
      Env: Object.entries(spec?.environment ?? {}).flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`])),
      Entrypoint: spec?.entrypoint ?? null, Cmd: spec?.command ?? null, WorkingDir: spec?.workingDir ?? '', StopSignal: spec?.stopSignal ?? null,
    },
    HostConfig: {
      Privileged: spec?.privileged ?? false, ReadonlyRootfs: spec?.readOnlyRootfs ?? false, CapAdd: spec?.capAdd ?? [], CapDrop: spec?.capDrop ?? [],
      Memory: spec?.resources.memoryBytes ?? 0, NanoCpus: spec?.resources.nanoCpus ?? 0, PidsLimit: spec?.resources.pidsMax ?? null, ShmSize: spec?.shmSizeBytes ?? 0,
    },
    Mounts: spec?.mounts ?? [],
    NetworkSettings: {
      Ports: options.ports(info.id),
      Networks: Object.fromEntries((task?.attachments ?? []).map((one) => {
        const network = options.queries.network(one.networkId);
        return [network?.name ?? one.networkId, { NetworkID: one.networkId, IPAddress: one.ip, GlobalIPv6Address: one.ip6 ?? '', Gateway: network?.gateway ?? '', MacAddress: one.mac ?? '', Aliases: one.aliases }];
      })),
    },
  };
}
