import { oomKills } from '../../os/cgroup.ts';
import { errorName } from '../../os/libc.ts';
import { existsQuick, factsQuick, readQuick, writeFresh, writeQuick } from '../../os/quick-files.ts';
import type { EngineContext } from './engine-context.ts';
import type { Entry } from './entry.ts';
import type { StoredRun, StoredState } from './stored-state.ts';

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

/**
 * Notes beside the bundle that a run was asked for, and when it began. `state.json` hears of it later: to replace a file makes the file
 * system write it out at once (ext4, 1 ms), and no other boot needs to know at the moment of the start.
 */
export function noteWanted(context: EngineContext, entry: Entry, run: StoredRun): void {
  note(context.layout.wanted(entry.id), '');
  entry.state = { ...entry.state, run: { ...run, wanted: true } };
}

export function noteStarted(context: EngineContext, entry: Entry, run: StoredRun, startedMs: number): void {
  note(context.layout.started(entry.id), String(startedMs));
  entry.state = { ...entry.state, run: { ...run, startedMs } };
}

/** Without a bundle nothing waits to be started either, which is found out, and mended, by the start itself. */
function note(path: string, text: string): void {
  try {
    writeFresh(path, text);
  } catch (error) {
    if (errorName(error) !== 'ENOENT') throw error;
  }
}

/** The state as it is with its notes, which are those of the present boot. */
export function withNotes(context: EngineContext, id: string, state: StoredState): StoredState {
  const { run } = state;
  if (run === null || run.finishedMs !== null || run.bootId !== context.bootId || !existsQuick(context.layout.wanted(id))) return state;
  const startedMs = Number(readQuick(context.layout.started(id)) ?? '');
  return { ...state, run: { ...run, wanted: true, startedMs: run.startedMs ?? (startedMs > 0 ? startedMs : null) } };
}

/** Survives our death by the rename. */
export function writeState(context: EngineContext, entry: Entry, state: StoredState): void {
  writeQuick(context.layout.state(entry.id), JSON.stringify(state));
  entry.state = state;
}
