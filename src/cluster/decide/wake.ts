import type { Change } from '../../model/entry.ts';
import type { ServiceObject, TaskObject } from '../../model/objects.ts';
import { patch } from './draft.ts';
import { hasEnded, isCurrent, isLeaving } from './facts.ts';

/**
 * What `up` and `start` do with containers that are there and don't run. Compose starts every one of them, and so runs a migration
 * again at each `up`; here what has completed for this very version of its service stays completed (docker/compose#11808), unless
 * `isForced`. What could not be made is made anew.
 */
export function wake(service: ServiceObject, tasks: readonly TaskObject[], isForced: boolean): Change[] {
  return tasks.flatMap((task) => {
    if (isLeaving(task) || !isCurrent(task, service)) return [];
    if (task.status.state === 'rejected') return [patch<'task'>(task, { desired: 'removed' })];
    if (task.isDone && !isForced) return [];
    const isDown = task.desired === 'stopped' || hasEnded(task);
    return isDown ? [patch<'task'>(task, { desired: 'prepared', isDone: false })] : [];
  });
}
