import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Control, ControlAnswer } from '../../manager/control.ts';
import type { Queries } from '../../manager/queries.ts';
import type { Deployment } from '../../model/deployment.ts';
import { readDeployment } from '../../model/deployment-shape.ts';
import type { ChangeEvent, Goal } from '../../model/progress.ts';
import type { ApiReply, ApiRequest, Route } from '../../wire/http-server.ts';
import { projectLogs } from '../project-logs.ts';
import { type Preflight, preflight } from '../preflight.ts';
import { asRecord, bad, optionalNumber, queryNumber, stringList } from './request.ts';

export type ProjectDoor = { readonly control: Control; readonly queries: Queries; readonly engine: Engine; readonly clock: Clock; readonly preflight: Preflight;
  /** The manager knows what this host reaches now. */
  readonly refreshHost: () => Promise<void>;
};

export function projectRoutes(door: ProjectDoor): readonly Route[] {
  const { control } = door;
  const change = (path: string, act: (request: ApiRequest, body: Readonly<Record<string, unknown>>, projectName: string) => AsyncIterable<ChangeEvent>): Route => ({
    method: 'POST',
    path: `/v1/projects/:name/${path}`,
    handle: async (request): Promise<ApiReply> => ({ kind: 'lines', values: act(request, asRecord(request.body, 'the request'), request.params['name'] ?? '') }),
  });
  return [
    { method: 'GET', path: '/v1/projects', handle: async () => ({ kind: 'json', value: door.queries.projects() }) },
    change('up', (request, body, projectName) => up(door, request, ofProject(readDeployment(body['deployment']), projectName), readGoal(body['goal']), optionalNumber(body['timeoutMs'], 'timeoutMs'))),
    change('stop', (request, body, projectName) => follow(door, request, projectName, 'stopped', null, () => control.stop({ projectName, services: stringList(body['services'], 'services'), stopGraceMs: optionalNumber(body['graceMs'], 'graceMs') }))),
    change('start', (request, body, projectName) =>
      follow(door, request, projectName, body['wait'] === true ? 'healthy' : 'started', optionalNumber(body['timeoutMs'], 'timeoutMs'), () => control.start({ projectName, services: stringList(body['services'], 'services') }))),
    change('restart', (request, body, projectName) =>
      follow(door, request, projectName, 'restarted', null, () =>
        control.restart({ projectName, services: stringList(body['services'], 'services'), stopGraceMs: optionalNumber(body['graceMs'], 'graceMs'), withDependents: body['noDeps'] !== true }))),
    change('down', (request, body, projectName) => down(door, request, body, projectName)),
    {
      method: 'GET',
      path: '/v1/projects/:name/logs',
      handle: async ({ params, query, signal }) => ({
        kind: 'lines',
        values: projectLogs({
          engine: door.engine, queries: door.queries, clock: door.clock, projectName: params['name'] ?? '', services: query.getAll('service'), index: queryNumber(query, 'index'),
          log: { follow: query.get('follow') === '1', tailLines: queryNumber(query, 'tail'), sinceMs: queryNumber(query, 'since'), untilMs: queryNumber(query, 'until') },
          isAttached: query.get('attach') === '1', signal,
        }),
      }),
    },
  ];
}

/** Whatever can be known to fail is tried first: images are fetched and ports looked at before anything is changed. */
async function* up(door: ProjectDoor, request: ApiRequest, deployment: Deployment, goal: Goal, timeoutMs: number | null): AsyncGenerator<ChangeEvent, void, undefined> {
  await door.refreshHost();
  const checked = await door.control.check(deployment);
  yield* preflight(door.preflight, deployment, request.signal);
  const recreate = await movedImages(door, deployment);
  yield* follow(door, request, deployment.project.name, goal, timeoutMs, () => door.control.deploy({ ...deployment, options: { ...deployment.options, recreate } }, recreate.length === 0 ? checked : undefined));
}

/** Services with a container of another image than its name now means: it was pulled again since. */
async function movedImages(door: ProjectDoor, { project }: Deployment): Promise<readonly string[]> {
  const moved = new Set<string>();
  for (const task of door.queries.tasks(project.name)) {
    const reference = project.services[task.serviceName]?.image;
    const container = door.engine.containers.get(task.containerId);
    if (reference === undefined || container === null || container.image !== reference || moved.has(task.serviceName)) continue;
    const image = await door.engine.images.get(reference);
    if (image !== null && image.id !== container.imageId) moved.add(task.serviceName);
  }
  return [...moved].sort();
}

async function* down(door: ProjectDoor, request: ApiRequest, body: Readonly<Record<string, unknown>>, projectName: string): AsyncGenerator<ChangeEvent, void, undefined> {
  const services = stringList(body['services'], 'services');
  const known = body['knownServices'];
  const images = imagesOf(door, projectName, services);
  yield* follow(door, request, projectName, 'removed', null, () =>
    door.control.down({
      projectName, services, removeVolumes: body['volumes'] === true, removeOrphans: body['removeOrphans'] === true,
      stopGraceMs: optionalNumber(body['graceMs'], 'graceMs'), fileServices: known === null || known === undefined ? null : stringList(known, 'knownServices'),
      disabledServices: stringList(body['disabledServices'], 'disabledServices'),
    }));
  if (body['rmi'] === 'all' || body['rmi'] === 'local') yield* removeImages(door, images, body['rmi']);
}

function imagesOf(door: ProjectDoor, projectName: string, services: readonly string[]): readonly string[] {
  const images = door.queries.services(projectName).filter((one) => services.length === 0 || services.includes(one.name)).flatMap((one) => (one.spec.image === undefined ? [] : [one.spec.image]));
  return [...new Set(images)].sort();
}

/** `local` are images without a name of their own in the file: such are only built, so there are none yet. */
async function* removeImages(door: ProjectDoor, images: readonly string[], which: 'all' | 'local'): AsyncGenerator<ChangeEvent, void, undefined> {
  if (which === 'local') return;
  for (const image of images) {
    const id = `Image ${image}`;
    try {
      yield { kind: 'progress', id, status: 'working', text: 'Removing' };
      await door.engine.images.remove(image, { force: false });
      yield { kind: 'progress', id, status: 'done', text: 'Removed' };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      yield { kind: 'progress', id, status: 'warning', text: 'Resource is still in use', details: error.message };
    }
  }
}

/** Makes the change, then tells what comes of it until the goal is reached. A client that goes away stops listening; the wish stands. */
async function* follow(door: ProjectDoor, request: ApiRequest, projectName: string, goal: Goal, timeoutMs: number | null, change: () => Promise<ControlAnswer>): AsyncGenerator<ChangeEvent, void, undefined> {
  const answer = await change();
  for (const warning of answer.warnings) yield { kind: 'warning', code: warning.code, message: warning.message };
  const late = new AbortController();
  const cancel = timeoutMs === null ? () => undefined : door.clock.after(timeoutMs, () => late.abort(new AppError({ code: 'DAEMON_TIMEOUT', message: `${projectName} is not ${goal} after ${timeoutMs / 1000} s`, hint: 'flotilla compose ps, flotilla compose logs; what was wished for goes on' })));
  try {
    yield* door.control.progress({ projectName, services: answer.services, fromRevision: answer.revision, goal, signal: AbortSignal.any([request.signal, late.signal]) });
  } finally {
    cancel();
  }
  if (late.signal.aborted) throw late.signal.reason;
  yield { kind: 'done' };
}

function ofProject(deployment: Deployment, projectName: string): Deployment {
  if (deployment.project.name !== projectName) throw bad(`deployment.project.name must be ${projectName} as in the path, not ${deployment.project.name}`);
  return deployment;
}

function readGoal(value: unknown): Goal {
  if (value === 'created' || value === 'started' || value === 'healthy') return value;
  throw bad('goal must be created, started or healthy');
}
