import { AppError, isAppError } from '../../base/app-error.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import { graphOf } from '../../graph/graph.ts';
import { withDependencies } from '../../graph/order.ts';
import type { Deployment, DeploymentOptions } from '../../model/deployment.ts';
import type { ChangeEvent, Goal } from '../../model/progress.ts';
import type { ApiClient } from '../../wire/http-client.ts';
import { type CliContext, ExitWith } from '../context.ts';
import { followProject } from '../follow-logs.ts';
import { type Desk, makeDesk } from '../print/desk.ts';
import { printModes } from '../print/modes.ts';
import { withoutOrphans, withoutPulls, type ProgressPrinter } from '../print/progress.ts';
import { refuseByFile } from '../project-diagnostics.ts';
import { runChange } from '../run-change.ts';
import { loadProject, type LoadedProject } from './load-project.ts';
import { refuseFlags } from './not-yet.ts';
import { scaleFlag, secondsFlag, text, textList, usage } from './options.ts';
import type { ComposeFlags } from './flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** `compose up` and, with `start: false`, `compose create`. */
export async function up(context: CliContext, flags: ComposeFlags, services: readonly string[], options: Options): Promise<void> {
  checkFlags(options);
  checkOrphanFlags(flags, options);
  const modes = printModes(context, flags);
  const desk = makeDesk(context, modes);
  const loaded = await loadProject(context, flags, { services, scale: scaleFlag(options['scale']) });
  // NOTE: `create` of nothing makes nothing; so it is in Compose.
  if (options['start'] !== false && Object.keys(loaded.deployment.project.services).length === 0) throw nothingSelected(loaded.deployment.disabledServices ?? []);
  const client = await context.daemon();
  const deployment: Deployment = { ...loaded.deployment, options: deploymentOptions(services, options, flags.areOrphansRemoved === true) };
  const isDetached = options['detach'] === true || options['wait'] === true || options['start'] === false;
  const goal: Goal = options['start'] === false ? 'created' : options['wait'] === true ? 'healthy' : 'started';
  let hasRun = false;
  const watch = (printer: ProgressPrinter) => (event: ChangeEvent): void => {
    if (event.kind === 'progress' && event.id.startsWith('Container ')) hasRun = true;
    printer.event(event);
  };
  const deploy = async (signal?: AbortSignal): Promise<void> => {
    const printer = desk.printer(options['start'] === false ? 'create' : 'up');
    const change = runChange({
      client, context,
      printer: told({ ...printer, event: watch(printer) }, { hasPulls: options['quietPull'] !== true, hasOrphans: flags.areOrphansIgnored !== true }),
      path: `/v1/projects/${encodeURIComponent(loaded.name)}/up`,
      body: { deployment, goal, timeoutMs: secondsFlag('--wait-timeout', options['waitTimeout']) },
      ...(signal === undefined ? {} : { signal }),
    });
    await change.catch((error: unknown) => {
      if (isAppError(error) && error.reasons.length > 0) return refuseByFile(context, error, loaded.files);
      throw error;
    });
  };
  if (isDetached) return deploy();
  await attached({ context, client, loaded, options, desk, areLogsColoured: modes.areLogsColoured, hasRun: () => hasRun, services, deploy });
}

function nothingSelected(disabled: readonly string[]): AppError {
  const hint = disabled.length === 0 ? 'the file has no services' : `no active profile enables ${[...disabled].sort().join(', ')}: name one, or a profile by --profile`;
  return new AppError({ code: 'CLI_NO_SERVICE_SELECTED', message: 'no service selected', hint });
}

function told(printer: ProgressPrinter, wish: { readonly hasPulls: boolean; readonly hasOrphans: boolean }): ProgressPrinter {
  const some = wish.hasPulls ? printer : withoutPulls(printer);
  return wish.hasOrphans ? some : withoutOrphans(some);
}

function checkOrphanFlags(flags: ComposeFlags, options: Options): void {
  if (flags.areOrphansIgnored === true && (options['removeOrphans'] === true || flags.areOrphansRemoved === true)) throw usage('COMPOSE_IGNORE_ORPHANS and --remove-orphans exclude each other');
}

function checkFlags(options: Options): void {
  refuseFlags('up', { ...options, build: options['build'] === true ? true : undefined }, {
    build: 'building images comes later: give the service an `image:`',
    watch: 'watching comes later',
    menu: options['menu'] === 'false' ? '' : 'the interactive menu comes later',
  });
  if (options['forceRecreate'] === true && options['recreate'] === false) throw usage('--force-recreate and --no-recreate are incompatible');
  const isDetached = options['detach'] === true;
  if (options['alwaysRecreateDeps'] === true && options['recreate'] === false) throw usage('--always-recreate-deps and --no-recreate are incompatible');
  if (options['abortOnContainerExit'] === true && options['abortOnContainerFailure'] === true) throw usage('--abort-on-container-exit and --abort-on-container-failure are incompatible');
  for (const name of ['abortOnContainerExit', 'abortOnContainerFailure', 'exitCodeFrom', 'attach', 'attachDependencies']) {
    if (options[name] !== undefined && (isDetached || options['wait'] === true)) throw usage(`--detach and --wait cannot be combined with --${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  }
}

function deploymentOptions(services: readonly string[], options: Options, areOrphansRemoved: boolean): DeploymentOptions {
  const pull = text(options['pull']);
  if (pull !== null && pull !== 'always' && pull !== 'missing' && pull !== 'never') throw usage(`--pull takes always, missing or never, not "${pull}"`);
  return {
    services,
    scale: scaleFlag(options['scale']),
    forceRecreate: options['forceRecreate'] === true,
    noRecreate: options['recreate'] === false,
    alwaysRecreateDeps: options['alwaysRecreateDeps'] === true,
    noDeps: options['deps'] === false,
    removeOrphans: options['removeOrphans'] === true || areOrphansRemoved,
    renewAnonVolumes: options['renewAnonVolumes'] === true,
    noStart: options['start'] === false,
    stopGraceMs: secondsFlag('--timeout', options['timeout']),
    pull: pull ?? 'policy',
  };
}

type Attached = {
  readonly context: CliContext;
  readonly client: ApiClient;
  readonly loaded: LoadedProject;
  readonly options: Options;
  readonly desk: Desk;
  readonly areLogsColoured: boolean;
  /** Whether the deployment told of a container: each is started, or runs. */
  readonly hasRun: () => boolean;
  readonly services: readonly string[];
  /** The signal ends the telling; who gives none leaves Ctrl-C to it. */
  readonly deploy: (signal?: AbortSignal) => Promise<void>;
};

/**
 * Logs are followed from before the first container starts until the last one has ended. The first Ctrl-C stops the services
 * in reverse order while their last words are still printed; the second kills.
 */
async function attached(run: Attached): Promise<void> {
  const { context, client, loaded, options } = run;
  const names = attachedServices(run);
  const end = new AbortController();
  const exitCodeFrom = text(options['exitCodeFrom']);
  const abortsOnExit = options['abortOnContainerExit'] === true || exitCodeFrom !== null;
  const exits: { service: string; exitCode: number }[] = [];
  let interrupts = 0;
  let firstToEnd: number | null = null;
  // What is shown is stopped too: who ends the telling ends what was told of.
  const stops = stopper({ ...run, services: run.services.length === 0 ? [] : [...new Set([...run.services, ...names])] });
  const unsubscribe = context.onInterrupt(() => {
    interrupts += 1;
    if (interrupts === 1) stops.stop(secondsFlag('--timeout', options['timeout']), 'Gracefully Stopping... press Ctrl+C again to force');
    else stops.stop(0, '');
  });
  try {
    const following = followProject({
      client, context, output: run.desk, projectName: loaded.name, services: names, signal: end.signal,
      printer: { isColoured: options['color'] !== false && run.areLogsColoured, hasPrefix: options['logPrefix'] !== false, hasTimestamps: options['timestamps'] === true },
      since: 'now', untilAllExited: true,
      onExit: (service, exitCode) => {
        exits.push({ service, exitCode });
        if (!stops.isStopping() && (abortsOnExit || (options['abortOnContainerFailure'] === true && exitCode !== 0))) {
          firstToEnd = exitCode;
          stops.stop(secondsFlag('--timeout', options['timeout']), 'Aborting on container exit...');
        }
      },
    });
    try {
      await stops.deploy();
    } catch (error) {
      // Who gets the prompt back finds nothing that still runs.
      if (interrupts > 0) await stops.done().catch((reason: unknown) => passOver(reason, 'CLUSTER_PROJECT_NOT_FOUND'));
      if (interrupts > 0 || !stops.isStopping()) {
        // The telling ends by itself with the last words of what ran; where nothing did, it has none and no end.
        if (interrupts > 0 && run.hasRun()) await within(lastWordsMsMax, following);
        end.abort();
        await following.catch(() => undefined);
        throw interrupts > 0 ? new ExitWith(130) : error;
      }
    }
    // Where all is scaled to nothing there is no end that the following could see.
    if (!run.hasRun()) end.abort();
    await following;
    await stops.done();
  } finally {
    unsubscribe();
  }
  if (exitCodeFrom !== null) throw new ExitWith(exits.find((one) => one.service === exitCodeFrom)?.exitCode ?? 0);
  // Those that were stopped because of it ended with codes of their own.
  if (interrupts === 0 && firstToEnd !== null && firstToEnd !== 0) throw new ExitWith(firstToEnd);
}

const lastWordsMsMax = 2000;

/** Waits for the end, whatever it is, but not for long. */
async function within(maxMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work.catch(() => undefined), new Promise<void>((resolve) => void (timer = setTimeout(resolve, maxMs)))]);
  clearTimeout(timer);
}

function say(context: CliContext, text: string): void {
  context.err.write(context.messages.isJson ? `${JSON.stringify({ tail: true, text })}\n` : `${text}\n`);
}

type Stopper = { readonly deploy: () => Promise<void>; readonly stop: (graceMs: number | null, words: string) => void; readonly isStopping: () => boolean; readonly done: () => Promise<void> };

/** Deploys, and stops the services: a later stop hastens an earlier one. One change is told at a time, so a stop ends the telling of what was before. */
function stopper({ context, client, loaded, desk, services, deploy }: Attached): Stopper {
  let telling = new AbortController();
  let isStopping = false;
  let told: Promise<void> = Promise.resolve();
  return {
    deploy: () => (told = deploy(telling.signal)),
    isStopping: () => isStopping,
    stop: (graceMs, words) => {
      const before = told;
      isStopping = true;
      telling.abort();
      telling = new AbortController();
      const { signal } = telling;
      const stop = async (): Promise<void> => {
        await before.catch(() => undefined);
        if (words !== '') say(context, words);
        await runChange({ client, context, printer: desk.printer('stop'), path: `/v1/projects/${encodeURIComponent(loaded.name)}/stop`, body: { services, graceMs }, signal });
      };
      told = stop();
      // Who waits for the last sees its error; those before it were cut short.
      told.catch(() => undefined);
    },
    done: async () => {
      for (let one: Promise<void> | null = null; one !== told; ) {
        one = told;
        await one.catch((error: unknown) => {
          if (one === told) throw error;
        });
      }
    },
  };
}

function passOver(error: unknown, code: ErrorCode): void {
  if (!isAppError(error, code)) throw error;
}

function attachedServices(run: Attached): readonly string[] {
  const { loaded, options } = run;
  const only = textList(options['attach']);
  const without = new Set(textList(options['noAttach']));
  const project = loaded.deployment.project;
  const selected = options['attachDependencies'] === true ? withDependencies(graphOf(project), run.services, { withOptional: true }) : run.services;
  const base = only.length > 0 ? only : run.services.length > 0 ? selected : Object.keys(project.services);
  const exitCodeFrom = text(options['exitCodeFrom']);
  const unknown = [...base, ...without, ...(exitCodeFrom === null ? [] : [exitCodeFrom])].find((name) => project.services[name] === undefined);
  if (unknown !== undefined) throw new AppError({ code: 'CLI_NO_SUCH_SERVICE', message: `no such service: ${unknown}`, hint: `services: ${Object.keys(project.services).join(', ')}` });
  const shown = base.filter((name) => !without.has(name) && (only.length > 0 || project.services[name]?.attach !== false));
  // Whose exit code is waited for must be seen to end.
  return exitCodeFrom === null || shown.includes(exitCodeFrom) ? shown : [...shown, exitCodeFrom];
}

