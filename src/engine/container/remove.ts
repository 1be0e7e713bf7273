import { removeTree, writeFileDurable } from '../../os/files.ts';
import { unmountAll } from '../../os/mount.ts';
import { signalProcess } from '../../os/process-handle.ts';
import { removeQuick, writeQuick } from '../../os/quick-files.ts';
import { clearFinishedRun, destroyRun } from './clear-run.ts';
import type { EngineContext } from './engine-context.ts';
import type { Entry } from './entry.ts';

const exitMsMax = 2000;
const kill = 9;

/** Removes a container; from the mark on it is gone for everyone, and a death of this process only delays the rest. */
export async function removeContainer(
  context: EngineContext,
  entry: Entry,
  options: { readonly volumes: boolean; readonly end: () => Promise<void>; readonly forget: () => void; readonly secretsLeft: () => boolean },
): Promise<void> {
  const { layout, failpoint } = context;
  const { id } = entry;
  failpoint('remove:begin');
  const marked = { ...entry.state, phase: 'removing' as const, anonymousVolumes: options.volumes ? entry.state.anonymousVolumes : [] };
  const anonymous = marked.anonymousVolumes;
  entry.state = marked;
  const ended = options.end();
  await mark(context, entry, { hasVolumes: entry.spec.mounts.length > 0 || marked.imageVolumes.length > 0 });
  failpoint('remove:marked');
  await ended;
  failpoint('remove:killed');
  if (entry.isLaunched) await endWaiting(context, entry);
  else await clearFinishedRun(context, id);
  failpoint('remove:runtime');
  await context.rootfs.remove(id);
  failpoint('remove:rootfs');
  const named = entry.spec.mounts.flatMap((mount) => (mount.kind === 'volume' && !anonymous.includes(mount.volumeName) ? [mount.volumeName] : []));
  options.forget();
  for (const name of anonymous) await context.volumes.remove(name);
  for (const name of named) await context.volumes.release(name);
  failpoint('remove:volumes');
  removeQuick(layout.secrets(id));
  if (entry.spec.files.some((file) => file.isSecret) && !options.secretsLeft()) unmountAll(layout.secretsRoot);
  failpoint('remove:secrets');
  await removeTree(layout.container(id));
  failpoint('remove:dir');
}

/**
 * Without volumes the disk is not waited for: a machine that dies now has the container again, as one that nobody wishes for, and it is
 * removed as such. One with volumes would take those along that its successor has inherited.
 */
async function mark(context: EngineContext, entry: Entry, facts: { readonly hasVolumes: boolean }): Promise<void> {
  const path = context.layout.state(entry.id);
  const text = JSON.stringify(entry.state);
  if (facts.hasVolumes) await writeFileDurable(path, text);
  else writeQuick(path, text);
}

/** A process that waits to be started is ended; the monitor tells of it as of any other. */
async function endWaiting(context: EngineContext, entry: Entry): Promise<void> {
  const run = entry.state.run;
  if (run !== null && signalProcess(run, kill)) {
    const deadlineMs = context.clock.monotonicMs() + exitMsMax;
    while (entry.isLaunched && context.clock.monotonicMs() < deadlineMs) await context.clock.sleep(1);
  }
  if (entry.isLaunched) await destroyRun(context, entry.id);
  else await clearFinishedRun(context, entry.id);
}
