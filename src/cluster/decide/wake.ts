import type { Change } from '../../model/entry.ts';
import type { ServiceObject, TaskObject } from '../../model/objects.ts';
import { patch } from './draft.ts';
import { hasEnded, isCurrent, isLeaving } from './facts.ts';

/**
 * What `up` and `start` do with containers that are there and don't run: each is started again, a migration that has completed too,
 * as Compose does it. Only a command does this: what an ended container is to its policy after a reboot is decided in report.ts.
 * What could not be made is made anew.
 */
export function wake(service: ServiceObject, tasks: readonly TaskObject[]): Change[] {
  return tasks.flatMap((task) => {
    if (isLeaving(task) || !isCurrent(task, service)) return [];
    if (task.status.state === 'rejected') return [patch<'task'>(task, { desired: 'removed' })];
    const isDown = task.isDone || task.desired === 'stopped' || hasEnded(task);
    return isDown ? [patch<'task'>(task, { desired: 'prepared', isDone: false })] : [];
  });
}
