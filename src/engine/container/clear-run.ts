import { cgroupProcesses, killCgroup, removeCgroup } from '../../os/cgroup.ts';
import { findProcesses } from '../../os/machine.ts';
import { processId, signalProcess } from '../../os/process-handle.ts';
import { readQuick, removeQuick } from '../../os/quick-files.ts';
import type { EngineContext } from './engine-context.ts';

const roundsMax = 400;
const roundMs = 5;
const kill = 9;

/**
 * Removes what a finished run leaves: its cgroup, the runtime's state and the bundle. Does what the runtime's `delete`
 * does for a container without hooks, without its process. A process left in the cgroup (it left the pid namespace, or shared
 * the host's) is killed first.
 */
export async function clearFinishedRun(context: EngineContext, id: string): Promise<void> {
  const { cgroups, layout, clock } = context;
  const path = layout.cgroup(id);
  for (let round = 0; !removeCgroup(cgroups, path); round += 1) {
    // NOTE: the kernel keeps a group busy for some microseconds after its last process ended.
    if (round > 0 && cgroupProcesses(cgroups, path).length > 0) killCgroup(cgroups, path);
    if (round === roundsMax) {
      context.log.warn('engine.cgroup-busy', { container: id, path });
      break;
    }
    await clock.sleep(round < 4 ? 1 : roundMs);
  }
  removeQuick(layout.runtimeState(id));
  removeQuick(layout.bundle(id));
  removeQuick(layout.exit(id));
}

/**
 * Ends whatever runs for a container, in whatever state of being made, and clears it: the monitor, the runtime's own processes,
 * the container. Used where a run was begun and nobody knows how far it came.
 */
export async function destroyRun(context: EngineContext, id: string): Promise<void> {
  const { layout } = context;
  for (let round = 0; round < roundsMax; round += 1) {
    const found = runProcesses(context, id);
    if (found.length === 0) break;
    for (const pid of found) {
      const process = processId(pid);
      if (process !== null) signalProcess(process, kill);
    }
    killCgroup(context.cgroups, layout.cgroup(id));
    await context.clock.sleep(roundMs);
  }
  await clearFinishedRun(context, id);
}

/** The monitor and the runtime's commands for this container, and its first process. */
function runProcesses(context: EngineContext, id: string): number[] {
  const { layout, cgroups } = context;
  const own = findProcesses([id]).filter(({ argv }) => argv.some((word) => word.includes(layout.runRoot))).map(({ pid }) => pid);
  const first = Number(readQuick(`${layout.bundle(id)}/pid`) ?? '0');
  const inGroup = cgroupProcesses(cgroups, layout.cgroup(id));
  // NOTE: the number in the file may have been given to another process since: it counts only while it is in the group.
  return [...new Set([...own, ...inGroup, ...(inGroup.includes(first) ? [first] : [])])];
}
