import { AppError, isAppError } from '../base/app-error.ts';
import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { freshHistory, type RestartDecision } from '../cluster/restart.ts';
import type { Log } from '../base/log.ts';
import type { Engine } from '../engine/engine.ts';
import type { AssignedTask } from '../model/assignment.ts';
import type { ContainerInfo } from '../model/container.ts';
import type { TaskState, TaskStatus } from '../model/objects.ts';
import { isAlive, nextStep, type Step, type TaskMemory } from './step.ts';

/** What a driver needs of the agent around it. */
export type DriverHost = {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: (taskId: string) => TaskMemory;
  readonly setMemory: (taskId: string, memory: TaskMemory) => void;
  readonly tell: (taskId: string, status: TaskStatus) => void;
  /** Image, volumes, namespace, links, container; resolves when only the start is missing. */
  readonly prepare: (assigned: AssignedTask, signal: AbortSignal) => Promise<void>;
  /** The image alone. */
  readonly fetch: (assigned: AssignedTask, signal: AbortSignal) => Promise<void>;
  /** Takes the namespace and the links away. */
  readonly release: (assigned: AssignedTask) => Promise<void>;
  /** Names and ports follow what runs. */
  readonly networkChanged: () => void;
  /** As above, at once. */
  readonly leaveNetwork: () => void;
  readonly networkReady: (assigned: AssignedTask) => Promise<void>;
  /** Nothing of the task is left on this node. */
  readonly gone: (taskId: string) => void;
  /** The policy: when to start again, or null to stay down. */
  readonly decideRestart: (assigned: AssignedTask, container: ContainerInfo, memory: TaskMemory) => RestartDecision | null;
};

/**
 * Brings one task and its container together, one operation after the other. `wish` may be called at any time: the operation
 * under way ends first (a stop cuts a restart's wait short), then the next step is taken from what is then there.
 */
export class TaskDriver {
  readonly #host: DriverHost;
  #assigned: AssignedTask;
  #isBusy = false;
  #isStale = false;
  #doing: TaskState | null = null;
  #failure: AppError | null = null;
  #cancelRestart: (() => void) | null = null;
  #preparing: AbortController | null = null;
  /** Counts the wishes: what fails under an older one is no failure of the present. */
  #wishes = 0;
  #idle: Promise<void> = Promise.resolve();

  constructor(host: DriverHost, assigned: AssignedTask) {
    this.#host = host;
    this.#assigned = assigned;
  }

  get assigned(): AssignedTask {
    return this.#assigned;
  }

  /** Facts for names and ports. */
  get isRunning(): boolean {
    const container = this.#container();
    return container !== null && isAlive(container) && this.#doing !== 'stopping';
  }

  wish(assigned: AssignedTask): void {
    const before = this.#assigned.task;
    this.#assigned = assigned;
    const { task } = assigned;
    if (before.desired !== task.desired || before.restartCount !== task.restartCount) {
      this.#wishes += 1;
      this.#failure = null;
      this.#dropRestart();
    }
    if (this.#doing === 'stopping') this.#hasten(before.stopGraceMs, task.stopGraceMs);
    // A long pull for what is no longer wanted ends at once.
    if (task.desired === 'removed') this.#preparing?.abort();
    this.kick();
  }

  /** A stop is under way, and somebody has less patience than the one who asked first. */
  #hasten(before: number | null, now: number | null): void {
    if (now === null || (before !== null && now >= before)) return;
    const kill = (): void => {
      try {
        if (this.isStopping) this.#host.engine.containers.kill(this.#id(), 'SIGKILL').catch(() => undefined);
      } catch {
        // It has ended by itself.
      }
    };
    if (now <= 0) kill();
    else this.#host.clock.after(now, kill, true);
  }

  get isStopping(): boolean {
    const container = this.#container();
    return this.#doing === 'stopping' && container !== null && isAlive(container);
  }

  /** The container changed by itself: look again. */
  kick(): void {
    if (this.#isBusy) {
      this.#isStale = true;
      return;
    }
    this.#isBusy = true;
    this.#idle = this.#run();
  }

  /** Resolves when the driver has nothing to do. */
  settled(): Promise<void> {
    return this.#idle;
  }

  /** Forgets its timers; the container is not touched. */
  close(): void {
    this.#dropRestart();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        this.#isStale = false;
        const step = this.#step();
        if (step.kind === 'idle') {
          this.#adoptFulfilled();
          this.#tell();
          if (!this.#isStale) return;
          continue;
        }
        const isDone = await this.#perform(step);
        if (step.kind === 'forget' && isDone) return;
      }
    } finally {
      this.#isBusy = false;
    }
  }

  #step(): Step {
    const { task, spec } = this.#assigned;
    return nextStep({
      desired: task.desired,
      restartCount: task.restartCount,
      hasSpec: spec !== null,
      container: this.#container(),
      memory: this.#memory(),
      isRejected: this.#failure !== null,
      isRestartPending: this.#cancelRestart !== null,
    });
  }

  /** Answers whether it went well. */
  async #perform(step: Exclude<Step, { kind: 'idle' }>): Promise<boolean> {
    const wishes = this.#wishes;
    try {
      switch (step.kind) {
        case 'fetch':
          this.#begin('preparing');
          this.#preparing = new AbortController();
          await this.#host.fetch(this.#assigned, this.#preparing.signal);
          this.#remember({ fulfilled: 'fetched' });
          break;
        case 'prepare':
          this.#begin('preparing');
          this.#preparing = new AbortController();
          await this.#host.prepare(this.#assigned, this.#preparing.signal);
          break;
        case 'start':
          await this.#start();
          break;
        case 'restart':
          await this.#stop();
          await this.#start();
          break;
        case 'stop':
          await this.#stop();
          this.#remember({ fulfilled: 'stopped' });
          break;
        case 'consider-restart':
          this.#considerRestart();
          break;
        case 'remove':
          this.#begin('stopping');
          await this.#remove();
          break;
        case 'forget':
          this.#dropRestart();
          // NOTE: one that is half removed is shown to nobody, and is still to be removed; where nothing is left this does nothing.
          await this.#remove();
          await this.#host.release(this.#assigned);
          this.#host.tell(this.#assigned.task.id, this.#status('removed'));
          this.#host.gone(this.#assigned.task.id);
          break;
        default:
          unreachable(step);
      }
      return true;
    } catch (error) {
      this.#fail({ step: step.kind, error, isOverruled: wishes !== this.#wishes });
      return false;
    } finally {
      this.#preparing = null;
      this.#doing = null;
    }
  }

  async #start(): Promise<void> {
    this.#begin('starting');
    await this.#host.networkReady(this.#assigned);
    const wanted = this.#assigned.task.restartCount;
    // A start by the policy goes on counting; one that was wished for begins anew.
    const { fulfilled, history } = this.#memory();
    await this.#startContainer();
    this.#remember({ fulfilled: 'running', restartCountDone: wanted, hasGivenUp: false, history: fulfilled === null ? history : freshHistory });
    this.#host.networkChanged();
  }

  /** After a reboot the secrets of a container are gone with the memory they were in: it is told them again, then started. */
  async #startContainer(): Promise<void> {
    try {
      await this.#host.engine.containers.start(this.#id());
    } catch (error) {
      if (!isAppError(error, 'ENGINE_SECRET_GONE') || this.#assigned.spec === null) throw error;
      await this.#host.prepare(this.#assigned, new AbortController().signal);
      await this.#host.engine.containers.start(this.#id());
    }
  }

  async #stop(): Promise<void> {
    this.#begin('stopping');
    // Out of the names and the ports before the signal, so that nothing new arrives while it goes.
    this.#host.leaveNetwork();
    await this.#host.engine.containers.stop(this.#id(), { graceMs: this.#assigned.task.stopGraceMs ?? undefined });
    this.#host.networkChanged();
  }

  #considerRestart(): void {
    const container = this.#container();
    if (container !== null) this.#restartByPolicy(container);
  }

  /** True: it will be started again after the policy's wait. False: the policy has given it up. */
  #restartByPolicy(container: ContainerInfo): boolean {
    const memory = this.#memory();
    const decision = this.#host.decideRestart(this.#assigned, container, memory);
    if (decision === null) {
      this.#remember({ hasGivenUp: true });
      return false;
    }
    this.#cancelRestart = this.#host.clock.after(decision.delayMs, () => {
      this.#cancelRestart = null;
      this.#failure = null;
      // As a new wish: the next step is then a start.
      this.#remember({ fulfilled: null, restarts: memory.restarts + 1, history: decision.history });
      this.kick();
    }, true);
    return true;
  }

  /** A container that has run, and that no command asks for anew: what starts it is the policy (or the end of a reboot). */
  #isStartedByPolicy(step: string, container: ContainerInfo | null): container is ContainerInfo {
    return step === 'start' && this.#assigned.task.desired === 'running' && container !== null && container.startedMs !== null && this.#memory().fulfilled === null;
  }

  /** An adopted container that runs has fulfilled the wish, even if the write that said so was lost. */
  #adoptFulfilled(): void {
    const container = this.#container();
    const { desired, restartCount } = this.#assigned.task;
    const memory = this.#memory();
    if (desired === 'running' && container !== null && isAlive(container) && memory.fulfilled !== 'running') {
      this.#remember({ fulfilled: 'running', restartCountDone: restartCount });
    }
    if (desired === 'prepared' && memory.fulfilled !== 'prepared') this.#remember({ fulfilled: 'prepared' });
    if (desired === 'stopped' && memory.fulfilled !== 'stopped') this.#remember({ fulfilled: 'stopped' });
  }

  #fail(failed: { readonly step: string; readonly error: unknown; readonly isOverruled: boolean }): void {
    const { task } = this.#assigned;
    const { step, error } = failed;
    const failure = isAppError(error) ? error : new AppError({ code: 'AGENT_STEP_FAILED', message: `${task.containerName}: ${step} failed: ${error instanceof Error ? error.message : String(error)}`, cause: error });
    this.#host.log.warn('agent.step-failed', { task: task.id, container: task.containerName, step, code: failure.code, error: failure.message, stack: isAppError(error) ? undefined : String((error as { stack?: unknown } | null)?.stack) });
    // The wish changed meanwhile: its own first step is still to be taken, and at once.
    if (failed.isOverruled) return;
    this.#failure = failure;
    const container = this.#container();
    // A start that fails is one more run that was too short: the policy goes on with its wait, doubled, while it has tries left.
    if (this.#isStartedByPolicy(step, container)) this.#restartByPolicy({ ...container, exitCode: failedStartCode, finishedMs: container.startedMs });
    if (task.desired === 'removed' || task.desired === 'stopped') {
      // A removal is never given up: it is tried again, slowly.
      this.#cancelRestart = this.#host.clock.after(retryMs, () => {
        this.#cancelRestart = null;
        this.#failure = null;
        this.kick();
      }, true);
    }
  }

  async #remove(): Promise<void> {
    await this.#host.engine.containers.remove(this.#id(), { force: true, volumes: this.#assigned.task.removeVolumes });
  }

  #begin(state: TaskState): void {
    this.#doing = state;
    this.#tell();
  }

  #tell(): void {
    this.#host.tell(this.#assigned.task.id, this.#status(this.#state()));
  }

  #state(): TaskState {
    if (this.#doing !== null) return this.#doing;
    const container = this.#container();
    const isPolicyWaiting = this.#cancelRestart !== null && this.#assigned.task.desired === 'running';
    if (this.#failure !== null && !isPolicyWaiting && (container === null || !isAlive(container))) return 'rejected';
    if (container === null) return this.#assigned.task.desired === 'fetched' && this.#memory().fulfilled === 'fetched' ? 'fetched' : 'assigned';
    if (isAlive(container)) return 'running';
    if (this.#cancelRestart !== null) return 'restarting';
    if (container.state === 'created') return 'prepared';
    return this.#assigned.task.desired === 'prepared' ? 'prepared' : 'exited';
  }

  #status(state: TaskState): TaskStatus {
    const container = this.#container();
    const memory = this.#memory();
    return {
      state,
      desired: this.#assigned.task.desired,
      health: container?.health ?? 'none',
      exitCode: container?.exitCode ?? null,
      startedMs: container?.startedMs ?? null,
      finishedMs: container?.finishedMs ?? null,
      oomKilled: container?.oomKilled ?? false,
      restarts: memory.restarts,
      restartCountDone: memory.restartCountDone,
      error: this.#failure === null ? null : { code: this.#failure.code, message: this.#failure.message, hint: this.#failure.hint ?? null },
    };
  }

  #remember(change: Partial<TaskMemory>): void {
    this.#host.setMemory(this.#assigned.task.id, { ...this.#memory(), ...change });
  }

  #memory(): TaskMemory {
    return this.#host.memory(this.#assigned.task.id);
  }

  #container(): ContainerInfo | null {
    return this.#host.engine.containers.get(this.#id());
  }

  #id(): string {
    return this.#assigned.task.containerId;
  }

  #dropRestart(): void {
    this.#cancelRestart?.();
    this.#cancelRestart = null;
  }
}

const retryMs = 5_000;
/** As Docker says of a container whose start failed. */
const failedStartCode = 128;
