import type { CliContext } from '../context.ts';
import { printModes, progressPrinter } from '../print/modes.ts';
import { withoutOrphans } from '../print/progress.ts';
import { runChange } from '../run-change.ts';
import { projectNameOf } from './load-project.ts';
import { secondsFlag, text, usage } from './options.ts';
import type { ComposeFlags } from './flags.ts';

export async function down(context: CliContext, flags: ComposeFlags, services: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const rmi = text(options['rmi']);
  if (rmi !== null && rmi !== 'local' && rmi !== 'all') throw usage(`invalid value for --rmi: "${rmi}"`);
  const modes = printModes(context, flags);
  const project = await projectNameOf(context, flags);
  const client = await context.daemon();
  await runChange({
    client, context,
    printer: flags.areOrphansIgnored === true ? withoutOrphans(progressPrinter(context, modes, 'down')) : progressPrinter(context, modes, 'down'),
    path: `/v1/projects/${encodeURIComponent(project.name)}/down`,
    body: {
      services,
      volumes: options['volumes'] === true,
      removeOrphans: options['removeOrphans'] === true || flags.areOrphansRemoved === true,
      graceMs: secondsFlag('--timeout', options['timeout']),
      rmi,
      knownServices: project.serviceNames,
      disabledServices: project.disabledNames,
    },
  });
}
