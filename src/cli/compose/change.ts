import { isAppError } from '../../base/app-error.ts';
import type { CliContext } from '../context.ts';
import { printModes, progressPrinter } from '../print/modes.ts';
import { runChange } from '../run-change.ts';
import { noSuchService, projectNameOf } from './load-project.ts';
import { secondsFlag } from './options.ts';
import type { ComposeFlags } from './flags.ts';

/** `compose stop`, `start`, `restart`: a wish for containers that are there. */
export async function change(context: CliContext, flags: ComposeFlags, verb: 'stop' | 'start' | 'restart', services: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const modes = printModes(context, flags);
  const project = await projectNameOf(context, flags);
  const client = await context.daemon();
  const changing = runChange({
    client, context,
    printer: progressPrinter(context, modes, verb),
    path: `/v1/projects/${encodeURIComponent(project.name)}/${verb}`,
    body: {
      services,
      graceMs: secondsFlag('--timeout', options['timeout']),
      noDeps: options['deps'] === false,
      wait: options['wait'] === true,
      timeoutMs: secondsFlag('--wait-timeout', options['waitTimeout']),
    },
  });
  await changing.catch((error: unknown) => {
    // What isn't deployed doesn't run: there is nothing to stop. Only a start has nothing to go by.
    if (verb === 'start' || !isAppError(error, 'CLUSTER_PROJECT_NOT_FOUND')) throw error;
    noSuchService(project, services);
  });
}
