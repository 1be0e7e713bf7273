import { AppError } from '../../base/app-error.ts';
import type { ContainerEvent, ContainerInfo } from '../../model/container.ts';
import type { ContainerSpec } from '../../model/container-spec.ts';
import { isAlive, signalProcess } from '../../os/process-handle.ts';
import { readQuick, rewriteInPlace, writeQuick } from '../../os/quick-files.ts';
import { signalNumber } from '../../os/spawn.ts';
import { watchDir } from '../../os/watch-dir.ts';
import type { Containers } from '../engine.ts';
import { healthScheduler } from '../health/health-scheduler.ts';
import type { HealthScheduler } from '../health/health-scheduler.ts';
import { rotateLogs } from '../logs/log-keeper.ts';
import { readLogs } from '../logs/log-reader.ts';
import { adopt, lostExitCode } from './adopt.ts';
import { looksAround, makeAhead } from './ahead.ts';
import { clearFinishedRun, destroyRun } from './clear-run.ts';
import { createContainer, restoreSecrets } from './create.ts';
import type { EngineContext } from './engine-context.ts';
import { infoOf, isRunning } from './entry.ts';
import type { Entry } from './entry.ts';
import { execInContainer } from './exec.ts';
import { noteStarted, noteWanted, readExit, recordExit, writeState } from './exits.ts';
import { keyedLock } from './keyed-lock.ts';
import { hasMonitor, launch } from './launch.ts';
import { prepareLaunch } from './prepare.ts';
import { normalizePath } from './process.ts';
import { removeContainer } from './remove.ts';

const sweepMs = 1000;
const sweepsPerLifeCheck = 10;
const releaseMsMax = 10_000;
const killWaitMs = 10_000;
const pollMs = 100;
const launchesMax = 16;
const kill = 9;

/** The containers of one node, and `close`, which stops watching and leaves them running. */
export type ContainerRoom = Containers & { readonly entries: ReadonlyMap<string, Entry>; readonly close: () => void };

export async function openContainers(context: EngineContext, entries: Map<string, Entry>): Promise<ContainerRoom> {
  const room = new Room(context, entries);
  await room.open();
  const withLock = async <T>(id: string, task: (entry: Entry) => Promise<T>): Promise<T> => await room.locked(id, async () => await task(room.entry(id)));
  return {
    entries,
    create: async (id, spec) => await room.locked(id, async () => await room.create(id, spec)),
    start: async (id) => await withLock(id, async (entry) => await room.start(entry)),
    stop: async (id, options) => await withLock(id, async (entry) => await room.stop(entry, options)),
    kill: async (id, signal) => room.kill(room.entry(id), signal),
    remove: async (id, options) => await room.locked(id, async () => await room.remove(id, options)),
    list: () => [...entries.values()].filter((one) => one.state.phase === 'ready').map(infoOf).sort((a, b) => a.createdMs - b.createdMs || (a.id < b.id ? -1 : 1)),
    get: (id) => {
      const entry = entries.get(id);
      return entry === undefined || entry.state.phase !== 'ready' ? null : infoOf(entry);
    },
    spec: (id) => entries.get(id)?.spec ?? null,
    onEvent: (listener) => room.listen(listener),
    exec: async (id, options) => await execInContainer(context, room.entry(id), options),
    logs: (id, options) => readLogs({ path: context.layout.log(room.entry(id).id), hasLog: room.entry(id).spec.logging.driver !== 'none', hasEnded: () => !isRunning(room.entry(id)), onEnd: (done) => room.onEnd(id, done) }, options),
    rewriteFile: async (id, target, content) => room.rewriteFile(room.entry(id), target, content),
    close: () => room.close(),
  };
}

class Room {
  readonly #context: EngineContext;
  readonly #entries: Map<string, Entry>;
  readonly locked: ReturnType<typeof keyedLock> = keyedLock();
  readonly #listeners = new Set<(event: ContainerEvent) => void>();
  readonly #names = new Set<string>();
  readonly #cleaning = new Map<string, Promise<void>>();
  readonly #health: HealthScheduler;
  #launches = 0;
  readonly #launchQueue: (() => void)[] = [];
  #stopWatching: () => void = () => undefined;
  #stopSweeping: () => void = () => undefined;
  #sweeps = 0;
  #isClosed = false;

  constructor(context: EngineContext, entries: Map<string, Entry>) {
    this.#context = context;
    this.#entries = entries;
    this.#health = healthScheduler({
      clock: context.clock,
      probe: async (entry, argv, signal) => await execInContainer(context, entry, { argv, environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false, signal }),
      onChange: (entry, health) => {
        writeQuick(`${context.layout.bundle(entry.id)}/health`, health);
        this.emit({ kind: 'health', containerId: entry.id, timeMs: context.clock.nowMs(), health });
      },
    });
  }

  async open(): Promise<void> {
    const { layout } = this.#context;
    for (const [id, entry] of await adopt(this.#context)) this.#entries.set(id, entry);
    this.#stopWatching = watchDir(layout.exits, (name) => this.onExit(name), (error) => this.#context.log.error('engine.watch', { error: String(error) }));
    for (const entry of this.#entries.values()) {
      this.#names.add(entry.spec.name);
      this.onExit(entry.id);
      if (!isRunning(entry)) continue;
      const known = readQuick(`${layout.bundle(entry.id)}/health`);
      entry.health = known === 'healthy' || known === 'unhealthy' ? known : 'starting';
      this.#health.watch(entry);
    }
    this.#sweep();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWatching();
    this.#stopSweeping();
    this.#health.close();
    this.#listeners.clear();
  }

  entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new AppError({ code: 'ENGINE_CONTAINER_UNKNOWN', message: `there is no container ${id.slice(0, 12)}` });
    return entry;
  }

  listen(listener: (event: ContainerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: ContainerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#context.log.error('engine.listener', { error: String(error), event: event.kind });
      }
    }
  }

  /** Calls `done` when the container's present run has ended (at once if none runs). The answer takes it back. */
  onEnd(id: string, done: () => void): () => void {
    const entry = this.#entries.get(id);
    if (entry === undefined || !isRunning(entry)) {
      done();
      return () => undefined;
    }
    entry.exitWaiters.push(done);
    return () => {
      entry.exitWaiters = entry.exitWaiters.filter((one) => one !== done);
    };
  }

  async create(id: string, spec: ContainerSpec): Promise<ContainerInfo> {
    const existing = this.#entries.get(id);
    if (existing !== undefined) {
      restoreSecrets(this.#context, existing, spec);
      return infoOf(existing);
    }
    if (this.#names.has(spec.name)) throw new AppError({ code: 'ENGINE_CONTAINER_NAME', message: `the name ${spec.name} is taken by another container of this node`, hint: `remove that one, or choose another container_name` });
    this.#names.add(spec.name);
    try {
      const entry = await createContainer(this.#context, id, spec, {
        begin: async (made) => {
          this.#entries.set(id, made);
          if (looksAround(made)) await makeAhead(this.#context, made);
          else await this.#launch(made, (state) => (made.state = state));
        },
        forget: () => this.#entries.delete(id),
      });
      this.emit({ kind: 'created', containerId: id, timeMs: entry.state.createdMs });
      return infoOf(entry);
    } catch (error) {
      this.#entries.delete(id);
      this.#names.delete(spec.name);
      throw error;
    }
  }

  async start(entry: Entry): Promise<ContainerInfo> {
    if (isRunning(entry)) return infoOf(entry);
    if (entry.missingSecrets.length > 0) {
      throw new AppError({ code: 'ENGINE_SECRET_GONE', message: `container ${entry.spec.name}: the secrets ${entry.missingSecrets.join(', ')} were only in memory and are gone`, hint: 'create the container again with its spec' });
    }
    // A process that waited since before may have died unseen; a fresh one is made then, once.
    for (let attempt = 0; ; attempt += 1) {
      if (!entry.isLaunched) await this.#launch(entry, (state) => writeState(this.#context, entry, state));
      const outcome = await this.#release(entry);
      if (outcome) return infoOf(entry);
      await destroyRun(this.#context, entry.id);
      entry.isLaunched = false;
      if (attempt === 1) throw new AppError({ code: 'ENGINE_RUNTIME_FAILED', message: `container ${entry.spec.name}: its first process ended before it could be started` });
    }
  }

  async #release(entry: Entry): Promise<boolean> {
    const { layout, runtime, clock, failpoint } = this.#context;
    const run = entry.state.run;
    if (run === null) return false;
    noteWanted(this.#context, entry, run);
    failpoint('start:requested');
    const outcome = await runtime.release(layout.runtimeState(entry.id), AbortSignal.timeout(releaseMsMax));
    failpoint('start:released');
    if (outcome !== 'released') {
      writeState(this.#context, entry, { ...entry.state, run: null });
      return false;
    }
    const startedMs = clock.nowMs();
    const now = entry.state.run;
    // NOTE: a very short program may be over, and seen to be over, by now.
    if (now !== null && now.finishedMs === null) noteStarted(this.#context, entry, now, startedMs);
    this.#context.disk.keep([layout.state(entry.id)], () => this.#saveRun(entry));
    failpoint('start:recorded');
    this.emit({ kind: 'started', containerId: entry.id, timeMs: startedMs, pid: run.pid });
    entry.health = 'none';
    entry.healthLog = [];
    if (isRunning(entry)) this.#health.watch(entry);
    this.onExit(entry.id);
    return true;
  }

  /** What was noted of a run beside its bundle, for after a reboot. An end has been written by itself. */
  #saveRun(entry: Entry): void {
    if (!this.#isClosed && this.#entries.get(entry.id) === entry && entry.state.phase === 'ready' && isRunning(entry)) writeState(this.#context, entry, entry.state);
  }

  /** In: who keeps the state with the new run, before anyone may see it. */
  async #launch(entry: Entry, record: (state: Entry['state']) => void): Promise<void> {
    const { rootfs, failpoint, bootId } = this.#context;
    await this.#cleaning.get(entry.id);
    await this.#launchSlot();
    try {
      failpoint('launch:begin');
      const path = await rootfs.mount(entry.id, entry.state.image.id);
      failpoint('launch:rootfs');
      const config = await prepareLaunch(this.#context, entry, path, (other) => this.#pidOf(other));
      failpoint('launch:mounts');
      const process = await launch(this.#context, entry, config);
      rotateLogs({ path: this.#context.layout.log(entry.id), filesMax: entry.spec.logging.maxFiles });
      failpoint('launch:created');
      record({ ...entry.state, run: { bootId, wanted: false, startedMs: null, finishedMs: null, exitCode: null, oomKilled: false, ...process } });
      entry.isLaunched = true;
      failpoint('launch:recorded');
    } catch (error) {
      await destroyRun(this.#context, entry.id);
      throw error;
    } finally {
      this.#launches -= 1;
      this.#launchQueue.shift()?.();
    }
  }

  /** Some at a time: a launch waits for the kernel most of its time, but a hundred would only wait for each other. */
  async #launchSlot(): Promise<void> {
    if (this.#launches >= launchesMax) await new Promise<void>((resolve) => this.#launchQueue.push(resolve));
    this.#launches += 1;
  }

  #pidOf(id: string): number | null {
    const entry = this.#entries.get(id);
    return entry !== undefined && isRunning(entry) ? (entry.state.run?.pid ?? null) : null;
  }

  kill(entry: Entry, signal: string): void {
    const number = knownSignal(signal);
    const run = entry.state.run;
    if (!isRunning(entry) || run === null) throw new AppError({ code: 'ENGINE_CONTAINER_NOT_RUNNING', message: `container ${entry.spec.name} does not run` });
    signalProcess(run, number);
  }

  async stop(entry: Entry, options: { readonly graceMs?: number | undefined; readonly signal?: string | undefined }): Promise<ContainerInfo> {
    const run = entry.state.run;
    if (!isRunning(entry) || run === null) return infoOf(entry);
    const wanted = options.signal ?? entry.spec.stopSignal;
    const number = wanted === null ? imageSignal(entry) : knownSignal(wanted);
    const graceMs = options.graceMs ?? entry.spec.stopGraceMs;
    this.#health.unwatch(entry);
    if (graceMs > 0) {
      signalProcess(run, number);
      this.#context.failpoint('stop:signalled');
      await this.#waitForExit(entry, graceMs);
    }
    if (isRunning(entry)) await this.#killNow(entry);
    return infoOf(entry);
  }

  async #killNow(entry: Entry): Promise<void> {
    const run = entry.state.run;
    if (run === null) return;
    signalProcess(run, kill);
    this.#context.failpoint('stop:signalled');
    if (await this.#waitForExit(entry, killWaitMs)) return;
    // Its monitor is gone too, or stuck: what can be ended is ended, and the end is recorded without a code.
    await destroyRun(this.#context, entry.id);
    this.#ended(entry, { exitCode: lostExitCode, finishedMs: this.#context.clock.nowMs(), oomKilled: false });
  }

  /** True once the exit is recorded. A process that is gone without one (its monitor was killed too) is not waited for. */
  async #waitForExit(entry: Entry, ms: number): Promise<boolean> {
    const { clock } = this.#context;
    const over = new AbortController();
    const takeBack = this.onEnd(entry.id, () => over.abort());
    const deadlineMs = clock.monotonicMs() + ms;
    let goneAt: number | null = null;
    while (isRunning(entry) && clock.monotonicMs() < deadlineMs) {
      await clock.sleep(Math.min(pollMs, Math.max(1, deadlineMs - clock.monotonicMs())), over.signal).catch(() => undefined);
      this.onExit(entry.id);
      const run = entry.state.run;
      if (!isRunning(entry) || run === null) break;
      if (!isAlive(run)) goneAt ??= clock.monotonicMs();
      // On a busy machine the monitor may be late with the code: who is alive is waited for.
      if (goneAt !== null && clock.monotonicMs() - goneAt > 10 * pollMs && !hasMonitor(this.#context.layout, entry.id)) break;
    }
    takeBack();
    return !isRunning(entry);
  }

  async remove(id: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (isRunning(entry) && !options.force) throw new AppError({ code: 'ENGINE_CONTAINER_RUNNING', message: `container ${entry.spec.name} runs`, hint: 'stop it first, or force its removal' });
    this.#health.unwatch(entry);
    await removeContainer(this.#context, entry, {
      volumes: options.volumes,
      end: async () => {
        if (isRunning(entry)) await this.#killNow(entry);
        await this.#cleaning.get(id);
      },
      forget: () => {
        this.#entries.delete(id);
        this.#names.delete(entry.spec.name);
      },
      secretsLeft: () => [...this.#entries.values()].some((one) => one.spec.files.some((file) => file.isSecret)),
    });
    this.emit({ kind: 'removed', containerId: id, timeMs: this.#context.clock.nowMs() });
  }

  rewriteFile(entry: Entry, target: string, content: Uint8Array): void {
    const wanted = normalizePath(target);
    const index = entry.spec.files.findIndex((file) => normalizePath(file.target) === wanted);
    const file = entry.spec.files[index];
    if (file === undefined) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${entry.spec.name} has no injected file ${target}` });
    rewriteInPlace(file.isSecret ? this.#context.layout.secret(entry.id, index) : this.#context.layout.file(entry.id, index), content);
    entry.spec = { ...entry.spec, files: entry.spec.files.map((one, at) => (at === index ? { ...one, content } : one)) };
  }

  /** The monitor wrote an exit code (or another name appeared in the directory). */
  onExit(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.state.run === null || !entry.isLaunched) return;
    const exit = readExit(this.#context, id);
    if (exit === null) return;
    this.#context.failpoint('exit:seen');
    this.#ended(entry, exit);
  }

  #ended(entry: Entry, exit: { readonly exitCode: number; readonly finishedMs: number; readonly oomKilled: boolean }): void {
    const wasRunning = isRunning(entry);
    this.#health.unwatch(entry);
    entry.isLaunched = false;
    if (entry.state.phase !== 'removing') recordExit(this.#context, entry, exit);
    else if (entry.state.run !== null) entry.state = { ...entry.state, run: { ...entry.state.run, ...exit } };
    this.#context.failpoint('exit:recorded');
    if (wasRunning) this.emit({ kind: 'exited', containerId: entry.id, timeMs: exit.finishedMs, exitCode: exit.exitCode, oomKilled: exit.oomKilled });
    const waiters = entry.exitWaiters;
    entry.exitWaiters = [];
    const cleaning = clearFinishedRun(this.#context, entry.id)
      .then(() => this.#context.failpoint('exit:cleaned'))
      .catch((error: unknown) => this.#context.log.error('engine.clear', { container: entry.id, error: String(error) }))
      .finally(() => {
        if (this.#cleaning.get(entry.id) === cleaning) this.#cleaning.delete(entry.id);
      });
    this.#cleaning.set(entry.id, cleaning);
    for (const done of waiters) done();
  }

  /** Logs are kept to their number of files, and a container whose monitor was killed is noticed. */
  #sweep(): void {
    this.#stopSweeping = this.#context.clock.after(
      sweepMs,
      () => {
        this.#sweeps += 1;
        for (const entry of this.#entries.values()) {
          if (!isRunning(entry) || entry.state.phase !== 'ready') continue;
          rotateLogs({ path: this.#context.layout.log(entry.id), filesMax: entry.spec.logging.maxFiles });
          const run = entry.state.run;
          if (this.#sweeps % sweepsPerLifeCheck === 0 && run !== null && !isAlive(run)) this.#lost(entry);
        }
        this.#sweep();
      },
      true,
    );
  }

  #lost(entry: Entry): void {
    this.onExit(entry.id);
    const run = entry.state.run;
    if (!isRunning(entry) || run === null) return;
    void this.locked(entry.id, async () => {
      // NOTE: its monitor may be about to write the code; it gets the time that `stop` would give it.
      if (await this.#waitForExit(entry, killWaitMs)) return;
      this.#context.log.warn('engine.monitor-lost', { container: entry.id });
      await destroyRun(this.#context, entry.id);
      this.#ended(entry, { exitCode: lostExitCode, finishedMs: this.#context.clock.nowMs(), oomKilled: false });
    }).catch((error: unknown) => this.#context.log.error('engine.lost', { container: entry.id, error: String(error) }));
  }
}

/** As Docker: an image that asks for what is no signal is stopped by SIGTERM. It must not be able to stay. */
function imageSignal(entry: Entry): number {
  const number = signalNumber(entry.state.image.config.stopSignal);
  return number < 1 ? signalNumber('SIGTERM') : number;
}

function knownSignal(name: string): number {
  const number = signalNumber(name);
  if (number < 1) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${JSON.stringify(name)} is no signal`, hint: 'write it as SIGTERM, TERM or 15' });
  return number;
}
