import { unmountAll } from '../../os/mount.ts';
import { listQuick, readQuick, removeQuick } from '../../os/quick-files.ts';
import type { RunLayout } from './layout.ts';

/** What another boot left below the run root belongs to processes that are gone. */
export function clearFormerBoot(run: RunLayout, bootId: string): void {
  if (readQuick(run.boot)?.trim() === bootId) return;
  unmountAll(run.secretsRoot);
  for (const path of [run.bundles, run.runtimeRoot, run.exits, run.secretsRoot]) removeQuick(path);
}

/** Whether something is there of a container of this boot: of one that runs, or secrets, which one that has ended needs for its next run. */
export function hasRuns(run: RunLayout): boolean {
  return [run.bundles, run.secretsRoot].some((dir) => listQuick(dir).length > 0);
}
