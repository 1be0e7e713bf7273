import type { Clock } from '../base/clock.ts';
import type { Engine, LogOptions } from '../engine/engine.ts';
import type { Queries } from '../manager/queries.ts';
import type { LogLine } from '../model/container.ts';
import type { TaskObject, TaskState } from '../model/objects.ts';
import { EventQueue } from './event-queue.ts';

export type ProjectLogEvent =
  | { readonly kind: 'containers'; readonly names: readonly string[] }
  | { readonly kind: 'line'; readonly container: string; readonly service: string; readonly stream: 'stdout' | 'stderr'; readonly time: string; readonly text: string; readonly isPartial: boolean }
  | { readonly kind: 'exited'; readonly container: string; readonly service: string; readonly exitCode: number; readonly isRestarting: boolean };

export type ProjectLogOptions = {
  readonly engine: Engine;
  readonly queries: Queries;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly projectName: string;
  readonly services: readonly string[];
  readonly index: number | null;
  readonly log: Omit<LogOptions, 'signal'>;
  /** Follows containers that come later too, and ends when all that were seen have ended for good. */
  readonly isAttached: boolean;
  readonly signal: AbortSignal;
};

/**
 * The output of a project's containers, merged as it comes. Without `follow` it ends with the last line; with it when every
 * container has ended and all is read: it never hangs on one that is gone.
 */
export async function* projectLogs(options: ProjectLogOptions): AsyncGenerator<ProjectLogEvent, void, undefined> {
  const queue = new EventQueue<ProjectLogEvent>(1000);
  const follower = new Follower(options, queue);
  try {
    follower.start();
    yield* queue;
  } finally {
    follower.stop();
  }
}

/** A manager that has no majority reports nothing: the end is told without knowing what comes of it. */
const reportMsMax = 2000;

/** How far a container's log was told: the time of the last line, and how many lines of that time. */
type Mark = { readonly time: string; readonly timeMs: number; readonly count: number };

class Follower {
  readonly #options: ProjectLogOptions;
  readonly #queue: EventQueue<ProjectLogEvent>;
  readonly #reading = new Set<string>();
  /** Containers that were started again while their last run was still being read. */
  readonly #startedMeanwhile = new Set<string>();
  readonly #marks = new Map<string, Mark>();
  readonly #stopped = new AbortController();
  #hasSeenRun = false;
  #unsubscribe: (() => void)[] = [];

  constructor(options: ProjectLogOptions, queue: EventQueue<ProjectLogEvent>) {
    this.#options = options;
    this.#queue = queue;
    options.signal.addEventListener('abort', () => this.stop(), { once: true });
  }

  start(): void {
    const { engine, queries } = this.#options;
    const tasks = this.#tasks();
    void this.#queue.push({ kind: 'containers', names: tasks.map((task) => task.containerName) });
    for (const task of tasks) {
      const container = engine.containers.get(task.containerId);
      if (container === null) continue;
      // Of a later run only what comes from now on: what was there is told or passed over by the first read.
      this.#marks.set(task.containerId, { time: '', timeMs: this.#options.clock.nowMs(), count: 0 });
      this.#read(task, this.#options.log, container.state === 'running');
    }
    if (this.#options.log.follow) {
      this.#unsubscribe.push(
        engine.containers.onEvent((event) => {
          if (event.kind !== 'started') return;
          const task = this.#tasks().find((one) => one.containerId === event.containerId);
          if (task !== undefined) this.#readNewRun(task);
        }),
        queries.onCommit(() => this.#endIfDone()),
      );
    }
    this.#endIfDone();
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    this.#stopped.abort();
    this.#queue.end();
  }

  /** All that it writes from here on: what a program says between its start and the news of it counts, too. */
  #readNewRun(task: TaskObject): void {
    if (this.#reading.has(task.containerId)) {
      this.#startedMeanwhile.add(task.containerId);
      return;
    }
    const mark = this.#marks.get(task.containerId);
    // A very short program may be over by now; it has run all the same.
    this.#read(task, { follow: true, tailLines: null, sinceMs: mark?.timeMs ?? this.#options.log.sinceMs, untilMs: this.#options.log.untilMs }, true, true);
  }

  #read(task: TaskObject, log: Omit<LogOptions, 'signal'>, wasRunning: boolean, isNewRun: boolean = false): void {
    this.#hasSeenRun ||= wasRunning;
    this.#reading.add(task.containerId);
    void this.#copy(task, log, { wasRunning, isNewRun });
  }

  async #copy(task: TaskObject, log: Omit<LogOptions, 'signal'>, { wasRunning, isNewRun }: { readonly wasRunning: boolean; readonly isNewRun: boolean }): Promise<void> {
    const base = { container: task.containerName, service: task.serviceName };
    try {
      const isNew = this.#newsOf(task.containerId, isNewRun);
      for await (const line of this.#options.engine.containers.logs(task.containerId, { ...log, signal: this.#stopped.signal })) {
        if (isNew(line)) await this.#queue.push({ kind: 'line', ...base, stream: line.stream, time: line.time, text: line.text, isPartial: line.isPartial });
      }
      const ended = this.#options.engine.containers.get(task.containerId);
      if (log.follow && wasRunning && ended?.state === 'exited') {
        const isRestarting = await this.#isRestarted(task.id, { startedMs: ended.startedMs ?? 0, finishedMs: ended.finishedMs ?? 0 });
        await this.#queue.push({ kind: 'exited', ...base, exitCode: ended.exitCode ?? 0, isRestarting });
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#queue.end(error);
    } finally {
      this.#reading.delete(task.containerId);
      if (this.#startedMeanwhile.delete(task.containerId) && !this.#queue.isEnded) this.#readNewRun(task);
      this.#endIfDone();
    }
  }

  /** Whether its policy starts it again: known once the end has been reported, which is a moment after it was seen here. */
  #isRestarted(taskId: string, run: { readonly startedMs: number; readonly finishedMs: number }): Promise<boolean> {
    const { queries, clock } = this.#options;
    const verdict = (): boolean | null => {
      const status = queries.task(taskId)?.status;
      // NOTE: starts are compared with starts: a program may be over before its start is written down.
      if (status === undefined || (status.startedMs ?? 0) > run.startedMs) return status !== undefined;
      // NOTE: a `restarting` of before may still stand there: it tells of the run before.
      return (status.finishedMs ?? 0) >= run.finishedMs ? status.state === 'restarting' : null;
    };
    return new Promise((resolve) => {
      const end = (answer: boolean): void => {
        cancel();
        unsubscribe();
        this.#stopped.signal.removeEventListener('abort', stop);
        resolve(answer);
      };
      const stop = (): void => end(false);
      const look = (): void => {
        const known = verdict();
        if (known !== null) end(known);
      };
      const cancel = clock.after(reportMsMax, stop, true);
      const unsubscribe = queries.onCommit(look);
      this.#stopped.signal.addEventListener('abort', stop, { once: true });
      look();
    });
  }

  /** True for lines that were not told yet: those behind the mark, which moves on with each. Lines of one instant are told apart by their number. */
  #newsOf(containerId: string, isNewRun: boolean): (line: LogLine) => boolean {
    const mark = isNewRun ? this.#marks.get(containerId) : undefined;
    let seen = 0;
    return (line) => {
      if (mark !== undefined && line.timeMs <= mark.timeMs) {
        if (line.time < mark.time) return false;
        if (line.time === mark.time && (seen += 1) <= mark.count) return false;
      }
      const last = this.#marks.get(containerId);
      this.#marks.set(containerId, { time: line.time, timeMs: line.timeMs, count: last?.time === line.time ? last.count + 1 : 1 });
      return true;
    };
  }

  /** Nothing is being read, and nothing more can come: then the stream ends. */
  #endIfDone(): void {
    if (this.#reading.size > 0 || this.#queue.isEnded) return;
    if (!this.#options.log.follow) return this.stop();
    if (this.#options.isAttached && !this.#hasSeenRun) return;
    const tasks = this.#tasks();
    if (this.#options.isAttached && tasks.length === 0 && !this.#hasSeenRun) return;
    if (tasks.every(isAtRest)) this.stop();
  }

  #tasks(): readonly TaskObject[] {
    const { queries, projectName, services, index } = this.#options;
    return queries.tasks(projectName).filter((task) => (services.length === 0 || services.includes(task.serviceName)) && (index === null || task.slot === index));
  }
}

/** Before its first process. */
const unstarted: ReadonlySet<TaskState> = new Set(['new', 'pending', 'assigned', 'fetched', 'prepared']);

/** Ended, or stopped before it ever ran, and nothing will start it again. */
function isAtRest(task: TaskObject): boolean {
  const { state } = task.status;
  if (unstarted.has(state)) return task.desired === 'stopped' || task.desired === 'removed';
  if (state === 'exited' || state === 'rejected' || state === 'removed') return task.desired !== 'prepared' || state === 'rejected';
  return false;
}
