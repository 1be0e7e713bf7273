import type { InjectedFile } from '../../model/container-spec.ts';
import { removeTree } from '../../os/files.ts';
import { listCgroups } from '../../os/cgroup.ts';
import { isAlive } from '../../os/process-handle.ts';
import { listQuick, makeDirQuick, readBytesQuick, readQuick, removeQuick, writeQuick } from '../../os/quick-files.ts';
import { unmountAll } from '../../os/mount.ts';
import { destroyRun } from './clear-run.ts';
import { clearFormerBoot } from './former-boot.ts';
import { newEntry } from './entry.ts';
import type { Entry } from './entry.ts';
import type { EngineContext } from './engine-context.ts';
import { recordExit, withNotes, writeState } from './exits.ts';
import { hasMonitor } from './launch.ts';
import { decodeSpec } from './stored-spec.ts';
import { parseState } from './stored-state.ts';
import type { StoredState } from './stored-state.ts';

const idPattern = /^[0-9a-f]{64}$/;
const releaseMsMax = 1000;

/**
 * Reads what is on disk and settles it: running containers are taken over as they are, those that ended meanwhile get their exit
 * code, half-made ones and half-removed ones go, and nothing is left of containers that nobody knows.
 */
export async function adopt(context: EngineContext): Promise<Map<string, Entry>> {
  const { layout } = context;
  prepareRunRoot(context);
  const entries = new Map<string, Entry>();
  for (const id of listQuick(layout.containers)) {
    const state = idPattern.test(id) ? readState(context, id) : null;
    const entry = state === null ? null : readEntry(context, id, state);
    if (entry === null || entry.state.phase !== 'ready') await removeEverything(context, id, state);
    else {
      await settleRun(context, entry);
      entries.set(id, entry);
    }
  }
  await removeStrangers(context, entries);
  if (![...entries.values()].some((entry) => entry.spec.files.some((file) => file.isSecret))) unmountAll(layout.secretsRoot);
  return entries;
}

function prepareRunRoot(context: EngineContext): void {
  const { layout, bootId } = context;
  clearFormerBoot(layout, bootId);
  for (const path of [layout.runRoot, layout.bundles, layout.runtimeRoot, layout.exits, layout.secretsRoot, layout.containers]) makeDirQuick(path, 0o700);
  writeQuick(layout.boot, bootId);
}

function readState(context: EngineContext, id: string): StoredState | null {
  const text = readQuick(context.layout.state(id));
  return text === null ? null : parseState(text);
}

function readEntry(context: EngineContext, id: string, state: StoredState): Entry | null {
  const { layout } = context;
  const specText = readQuick(layout.spec(id));
  if (specText === null) return null;
  const decoded = decodeSpec(specText, ({ index, isSecret }: { index: number; isSecret: InjectedFile['isSecret'] }) =>
    readBytesQuick(isSecret ? layout.secret(id, index) : layout.file(id, index)),
  );
  if (decoded === null) return null;
  const entry = newEntry(id, decoded.spec, withNotes(context, id, state));
  entry.missingSecrets = decoded.missing;
  return entry;
}

async function settleRun(context: EngineContext, entry: Entry): Promise<void> {
  const { layout, bootId } = context;
  const run = entry.state.run;
  const isOver = run === null || run.finishedMs !== null;
  if (isOver || run.bootId !== bootId) {
    if (!isOver && run.wanted) recordExit(context, entry, { exitCode: lostExitCode, finishedMs: context.clock.nowMs(), oomKilled: false });
    else if (!isOver) entry.state = { ...entry.state, run: null };
    return await destroyRun(context, entry.id);
  }
  // A monitor that lives and has no code yet writes it: the watch sees that.
  if (readQuick(layout.exit(entry.id)) !== null || isAlive(run) || hasMonitor(layout, entry.id)) {
    entry.isLaunched = true;
    if (run.wanted && run.startedMs === null) await finishStart(context, entry);
    return;
  }
  // Neither alive nor with an exit code: its monitor was killed too.
  if (run.wanted) recordExit(context, entry, { exitCode: lostExitCode, finishedMs: context.clock.nowMs(), oomKilled: false });
  else entry.state = { ...entry.state, run: null };
  await destroyRun(context, entry.id);
}

/** What is told of a run whose end nobody saw, as Docker does after a reboot. */
export const lostExitCode = 255;

/**
 * Everything of a container that is half made or half removed. Its spec may have been lost while its volumes are there: those
 * of a container that died before it got there are known by the state alone.
 */
async function removeEverything(context: EngineContext, id: string, state: StoredState | null): Promise<void> {
  const { layout } = context;
  context.log.info('engine.half-done-removed', { container: id, phase: state?.phase ?? 'unreadable' });
  await destroyRun(context, id);
  await context.rootfs.remove(id);
  for (const name of state?.anonymousVolumes ?? []) await context.volumes.remove(name);
  removeQuick(layout.secrets(id));
  await removeTree(layout.container(id));
}

/** Traces of containers that have no directory any more, or never had one. */
async function removeStrangers(context: EngineContext, entries: ReadonlyMap<string, Entry>): Promise<void> {
  const { layout, cgroups } = context;
  const traces = [
    ...listQuick(layout.bundles),
    ...listQuick(layout.runtimeRoot).filter((name) => idPattern.test(name)),
    ...listQuick(layout.exits),
    ...listQuick(layout.secretsRoot),
    ...listCgroups(cgroups, layout.cgroupParent),
    ...(await context.rootfs.list()),
  ];
  for (const id of new Set(traces)) {
    if (entries.has(id) || !idPattern.test(id)) continue;
    await destroyRun(context, id);
    await context.rootfs.remove(id);
    removeQuick(layout.secrets(id));
  }
}

/** The start was asked for and we died in it: the process may wait still, or be long on its way. */
async function finishStart(context: EngineContext, entry: Entry): Promise<void> {
  const { run } = entry.state;
  if (run === null) return;
  const outcome = await context.runtime.release(context.layout.runtimeState(entry.id), AbortSignal.timeout(releaseMsMax)).catch(() => 'nobody' as const);
  context.log.info('engine.start-finished', { container: entry.id, outcome });
  writeState(context, entry, { ...entry.state, run: { ...run, startedMs: context.clock.nowMs() } });
}
