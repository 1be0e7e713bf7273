import type { ContainerInfo, HealthState } from '../../model/container.ts';
import type { ContainerSpec } from '../../model/container-spec.ts';
import { commandLine } from './process.ts';
import type { StoredState } from './stored-state.ts';

export type HealthLogLine = ContainerInfo['healthLog'][number];

/** What the engine holds in memory of one container. Changed only under the container's lock, or by its own exit. */
export type Entry = {
  readonly id: string;
  spec: ContainerSpec;
  state: StoredState;
  /** Targets of secrets whose content did not survive a reboot. */
  missingSecrets: readonly string[];
  /** True while a process of the runtime waits or runs for it. */
  isLaunched: boolean;
  health: HealthState;
  healthLog: readonly HealthLogLine[];
  /** Called once, when the present run has ended. */
  exitWaiters: (() => void)[];
};

export function newEntry(id: string, spec: ContainerSpec, state: StoredState): Entry {
  return { id, spec, state, missingSecrets: [], isLaunched: false, health: 'none', healthLog: [], exitWaiters: [] };
}

export function isRunning(entry: Entry): boolean {
  const run = entry.state.run;
  return run !== null && run.wanted && run.finishedMs === null;
}

export function infoOf(entry: Entry): ContainerInfo {
  const { spec, state } = entry;
  const run = state.run;
  const hasRun = run !== null && run.wanted;
  return {
    id: entry.id,
    name: spec.name,
    image: spec.image,
    imageId: state.image.id,
    labels: { ...state.image.config.labels, ...spec.labels },
    state: isRunning(entry) ? 'running' : hasRun ? 'exited' : 'created',
    pid: isRunning(entry) ? (run?.pid ?? null) : null,
    createdMs: state.createdMs,
    startedMs: hasRun ? run.startedMs : null,
    finishedMs: hasRun ? run.finishedMs : null,
    exitCode: hasRun ? run.exitCode : null,
    oomKilled: hasRun && run.oomKilled,
    health: entry.health,
    healthLog: entry.healthLog,
    command: commandLine(spec, state.image.config),
  };
}
