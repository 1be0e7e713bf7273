import { oomKills } from '../../os/cgroup.ts';
import { factsQuick, readQuick, writeQuick } from '../../os/quick-files.ts';
import type { EngineContext } from './engine-context.ts';
import type { Entry } from './entry.ts';
import type { StoredState } from './stored-state.ts';

export type Exit = { readonly exitCode: number; readonly finishedMs: number; readonly oomKilled: boolean };

/** The exit that the monitor wrote down; null where there is none (yet). */
export function readExit(context: EngineContext, id: string): Exit | null {
  const path = context.layout.exit(id);
  const text = readQuick(path);
  if (text === null || !/^\d{1,3}\s*$/.test(text)) return null;
  return {
    exitCode: Number(text),
    finishedMs: Math.round(factsQuick(path)?.modifiedMs ?? context.clock.nowMs()),
    oomKilled: (oomKills(context.cgroups, context.layout.cgroup(id)) ?? 0) > 0,
  };
}

/** Writes how the run ended. A run that was never let go ends without a trace: the container is as created. */
export function recordExit(context: EngineContext, entry: Entry, exit: Exit): void {
  const run = entry.state.run;
  if (run === null) return;
  writeState(context, entry, { ...entry.state, run: run.wanted ? { ...run, startedMs: run.startedMs ?? exit.finishedMs, ...exit } : null });
}

/** Survives our death by the rename; the durable form is for the steps that must survive the machine's. */
export function writeState(context: EngineContext, entry: Entry, state: StoredState): void {
  writeQuick(context.layout.state(entry.id), JSON.stringify(state));
  entry.state = state;
}
