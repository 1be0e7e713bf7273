import { AppError, isAppError } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { isErrorCode } from '../base/error-codes.ts';
import { hasEnded, isAlive, isCurrent, isLeaving } from '../cluster/decide/facts.ts';
import { servicesOfProject, tasksOfService, type View } from '../cluster/state/view.ts';
import type { StoreEvent } from '../model/entry.ts';
import type { NetworkObject, ObjectError, TaskObject, VolumeObject } from '../model/objects.ts';
import type { ChangeEvent, Goal, ProgressEvent } from '../model/progress.ts';
import { failureOf, hasSuccessor, judgeGoal, sharesSlot, serviceOf, type GoalVerdict } from './goals.ts';
import type { ClusterStore, Commit } from './store/store.ts';

type Scope = { readonly projectName: string; readonly services: readonly string[]; readonly fromRevision: number; readonly goal: Goal; readonly signal: AbortSignal };

/**
 * The lines that Compose prints, derived from what is committed after `fromRevision`. Ends when the goal is reached or the signal
 * aborts. Errors: the first failure's own code, with the others in the message.
 */
export async function* followProgress(store: ClusterStore, scope: Scope): AsyncGenerator<ChangeEvent, void, undefined> {
  const teller = new Teller(scope);
  const end = new AbortController();
  const abort = (): void => end.abort();
  scope.signal.addEventListener('abort', abort);
  try {
    if (scope.signal.aborted) return;
    const wished = scope.goal === 'removed' || scope.goal === 'stopped' || scope.goal === 'created' ? [] : servicesOfProject(store.view(), scope.projectName).filter((one) => scope.services.includes(one.name) && one.desired === 'running').map((one) => one.name);
    yield* teller.unchanged(store.view());
    if (store.view().revision <= scope.fromRevision && settled(judgeGoal(store.view(), scope))) return;
    for await (const commit of commitsFrom(store, scope.fromRevision, end.signal)) {
      yield* teller.tell(commit);
      refuseIfOverruled(commit.view, scope, wished);
      if (settled(judgeGoal(commit.view, scope))) return;
    }
  } finally {
    scope.signal.removeEventListener('abort', abort);
    end.abort();
  }
}

/** What another command has stopped or taken away since can't come any more. */
function refuseIfOverruled(view: View, scope: Scope, wished: readonly string[]): void {
  if (wished.length === 0) return;
  const services = new Map(servicesOfProject(view, scope.projectName).map((one) => [one.name, one]));
  const lost = wished.filter((name) => services.get(name)?.desired !== 'running');
  if (lost.length === 0) return;
  const how = lost.some((name) => services.get(name)?.desired === 'stopped') ? 'stopped' : 'removed';
  throw new AppError({ code: 'CLUSTER_OVERRULED', message: `another command has ${how} ${lost.map((name) => `service ${name}`).join(', ')} meanwhile`, hint: 'flotilla compose ps shows what runs now' });
}

/** Where the past is no longer kept, the present is told as one commit, and then what follows. */
async function* commitsFrom(store: ClusterStore, fromRevision: number, signal: AbortSignal): AsyncGenerator<Commit, void, undefined> {
  try {
    yield* store.watch({ fromRevision, signal });
  } catch (error) {
    if (signal.aborted) return;
    if (!isAppError(error, 'MANAGER_REVISION_COMPACTED')) throw error;
    const view = store.view();
    yield { revision: view.revision, view, events: [] };
    yield* commitsFrom(store, view.revision, signal);
  }
}

function settled(verdict: GoalVerdict): boolean {
  if (verdict.kind !== 'failed') return verdict.kind === 'reached';
  const [first, ...others] = verdict.failures;
  if (first === undefined) return false;
  const { code, message, hint } = first.error;
  const more = others.filter((one) => one.error.message !== message).map((one) => `\n${one.error.message}`).join('');
  throw new AppError({ code: isErrorCode(code) ? code : 'CLUSTER_TASK_FAILED', message: `${message}${more}`, hint: hint ?? undefined, at: { kind: 'object', object: first.task.containerName }, reasons: verdict.failures.map(reasonOf) });
}

function reasonOf({ task, error }: { readonly task: TaskObject; readonly error: ObjectError }): Diagnostic {
  const key = error.code === 'ENGINE_COMMAND_NOT_FOUND' ? '.command' : '';
  return { severity: 'error', code: isErrorCode(error.code) ? error.code : 'CLUSTER_TASK_FAILED', message: error.message, ...(error.hint === null ? {} : { hint: error.hint }), line: 0, column: 0, path: `services.${task.serviceName}${key}` };
}

/** The courses that lines take; what is passed over between two commits is filled in. */
const courses: readonly (readonly string[])[] = [
  ['Creating', 'Created', 'Starting', 'Started', 'Waiting', 'Healthy'],
  ['Recreate', 'Recreated', 'Starting', 'Started', 'Waiting', 'Healthy'],
  ['Restarting', 'Started', 'Waiting', 'Healthy'],
  ['Stopping', 'Stopped', 'Removing', 'Removed'],
];
const done: ReadonlySet<string> = new Set(['Created', 'Recreated', 'Started', 'Running', 'Healthy', 'Stopped', 'Removed', 'Exited']);

class Teller {
  readonly #scope: Scope;
  readonly #last = new Map<string, string>();
  readonly #recreated = new Set<string>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Containers that the change left as they were. */
  *unchanged(view: View): Generator<ProgressEvent> {
    if (this.#scope.goal !== 'started' && this.#scope.goal !== 'healthy') return;
    for (const service of servicesOfProject(view, this.#scope.projectName)) {
      if (!this.#scope.services.includes(service.name)) continue;
      for (const task of tasksOfService(view, service.id)) {
        if (isLeaving(task) || !isCurrent(task, service)) continue;
        // One that is started again was made long ago.
        if (task.status.startedMs !== null && !isAlive(task)) this.#last.set(`Container ${task.containerName}`, 'Created');
        if (task.version > this.#scope.fromRevision) continue;
        if (task.isDone) yield* this.#line(`Container ${task.containerName}`, 'Exited');
        else if (task.status.state === 'running') yield* this.#line(`Container ${task.containerName}`, this.#scope.goal === 'healthy' && task.status.health === 'healthy' ? 'Healthy' : 'Running');
      }
    }
  }

  *tell(commit: Commit): Generator<ProgressEvent> {
    for (const event of commit.events) {
      const { object } = event;
      if (object.kind === 'network' && object.projectName === this.#scope.projectName) yield* this.#object(`Network ${object.name}`, event, object);
      else if (object.kind === 'volume' && object.projectName === this.#scope.projectName) yield* this.#object(`Volume ${object.name}`, event, object);
      else if (object.kind === 'task' && object.projectName === this.#scope.projectName && this.#scope.services.includes(object.serviceName)) yield* this.#task(commit.view, event, object);
    }
  }

  *#object(id: string, event: StoreEvent, object: NetworkObject | VolumeObject): Generator<ProgressEvent> {
    if (event.kind === 'remove') yield* this.#line(id, 'Removed', ['Removing', 'Removed']);
    else if (object.desired === 'removed') yield* this.#line(id, 'Removing', ['Removing', 'Removed']);
    else if (object.kind === 'network' && object.error !== null) yield* this.#error(id, object.error.message);
    else if (event.previous === null) yield* this.#line(id, 'Created');
  }

  *#task(view: View, event: StoreEvent, task: TaskObject): Generator<ProgressEvent> {
    const id = `Container ${task.containerName}`;
    if (event.kind === 'remove') {
      if (!hasSuccessor(view, task) && !this.#recreated.has(id)) yield* this.#line(id, 'Removed');
      return;
    }
    const failure = isLeaving(task) ? null : failureOf(view, task, this.#scope.goal);
    if (failure !== null) {
      yield* this.#error(id, failure.message);
      return;
    }
    const text = this.#textOf(view, task, id);
    if (text !== null) yield* this.#line(id, text);
  }

  #textOf(view: View, task: TaskObject, id: string): string | null {
    if (hasSuccessor(view, task) && (isLeaving(task) || !isCurrent(task, serviceOf(view, task) ?? { specHash: '', forceCount: 0 }))) {
      this.#recreated.add(id);
      return isLeaving(task) ? 'Recreate' : null;
    }
    if (!isLeaving(task) && sharesSlot(view, task)) this.#recreated.add(id);
    const { status } = task;
    if (isLeaving(task)) return status.desired !== 'removed' || status.state === 'stopping' || status.state === 'running' ? 'Stopping' : 'Removing';
    if (task.desired === 'stopped' && !task.isDone) {
      if (isAlive(task) || (status.desired === 'running' && status.startedMs !== null)) return 'Stopping';
      if (status.desired !== 'stopped') return this.#isRecreated(id) ? 'Recreate' : 'Creating';
      return status.startedMs === null ? this.#made(id) : 'Stopped';
    }
    if (task.isDone) return 'Exited';
    if (this.#scope.goal === 'restarted' && status.restartCountDone < task.restartCount) return 'Restarting';
    return this.#wayUp(view, task, id);
  }

  #wayUp(view: View, task: TaskObject, id: string): string {
    const { status } = task;
    switch (status.state) {
      case 'starting':
        return 'Starting';
      case 'running':
        if (status.health === 'healthy') return this.#scope.goal === 'healthy' || this.#last.get(id) === 'Waiting' ? 'Healthy' : 'Started';
        if (this.#scope.goal === 'healthy' && status.health !== 'none') return 'Waiting';
        return this.#isWaitedFor(view, task) ? 'Waiting' : 'Started';
      case 'restarting':
        return 'Restarting';
      case 'stopping':
        return 'Stopping';
      case 'exited':
        return hasEnded(task) ? 'Exited' : 'Starting';
      case 'prepared':
        return this.#made(id);
      default:
        return this.#isRecreated(id) ? 'Recreate' : 'Creating';
    }
  }

  /** Whether a service that is to start, or the command, holds back until this container is healthy, or has ended well: it says so, lest `up` seem to hang. */
  #isWaitedFor(view: View, { serviceName, status }: TaskObject): boolean {
    return servicesOfProject(view, this.#scope.projectName).some((one) => {
      const edge = one.spec.depends_on?.[serviceName];
      if (edge === undefined || edge.required === false || one.desired !== 'running' || !this.#scope.services.includes(one.name)) return false;
      if (edge.condition !== 'service_completed_successfully' && (edge.condition !== 'service_healthy' || status.health === 'none')) return false;
      const isAwaited = this.#scope.goal === 'started' || this.#scope.goal === 'healthy';
      return tasksOfService(view, one.id).some((task) => !isLeaving(task) && (isAwaited || (!task.isDone && task.desired === 'prepared')));
    });
  }

  #isRecreated(id: string): boolean {
    return this.#recreated.has(id);
  }

  #made(id: string): string {
    return this.#isRecreated(id) ? 'Recreated' : 'Created';
  }

  *#error(id: string, details: string): Generator<ProgressEvent> {
    if (this.#last.get(id) === `Error ${details}`) return;
    this.#last.set(id, `Error ${details}`);
    yield { kind: 'progress', id, status: 'error', text: 'Error', details };
  }

  /** Nothing when the line says so already, or would go back on its course. */
  *#line(id: string, text: string, course: readonly string[] = this.#courseOf(id, text)): Generator<ProgressEvent> {
    const last = this.#last.get(id);
    if (last === text) return;
    const from = last === undefined ? -1 : course.indexOf(last);
    const to = course.indexOf(text);
    if (to >= 0 && from >= to && text !== 'Restarting') return;
    const steps = to < 0 ? [text] : course.slice(from + 1, to + 1).filter((one) => one === text || one !== 'Waiting');
    for (const step of steps) {
      this.#last.set(id, step);
      yield { kind: 'progress', id, status: done.has(step) ? 'done' : 'working', text: step };
    }
  }

  /** A line goes on in the course it is in; a new one of a container that is only started or stopped begins there. */
  #courseOf(id: string, text: string): readonly string[] {
    const last = this.#last.get(id);
    const containing = courses.filter((course) => course.includes(text));
    const going = containing.find((course) => last !== undefined && course.includes(last));
    if (going !== undefined) return going;
    const fresh = containing[0] ?? [text];
    if (text === 'Starting' || text === 'Started' || text === 'Waiting' || text === 'Healthy') {
      return this.#isRecreated(id) ? ['Recreated', 'Starting', 'Started', 'Waiting', 'Healthy'] : ['Starting', 'Started', 'Waiting', 'Healthy'];
    }
    return fresh;
  }
}
