import type { CliContext } from '../context.ts';
import { printModes, progressPrinter } from '../print/modes.ts';
import { runChange } from '../run-change.ts';
import { loadProject } from './load-project.ts';
import { text, usage } from './options.ts';
import type { ComposeFlags } from './flags.ts';

export async function pull(context: CliContext, flags: ComposeFlags, services: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const policy = text(options['policy']) ?? 'always';
  if (policy !== 'always' && policy !== 'missing') throw usage(`--policy takes missing or always, not "${policy}"`);
  const modes = options['quiet'] === true ? { ...printModes(context, flags), progress: 'quiet' as const } : printModes(context, flags);
  const { deployment } = await loadProject(context, flags, { services, scale: {}, isDependenciesLeftOut: options['includeDeps'] !== true });
  const images = Object.values(deployment.project.services)
    .filter((service) => service.image !== undefined && !(options['ignoreBuildable'] === true && service.build !== undefined))
    .map((service) => ({ reference: service.image, platform: service.platform, policy: service.pull_policy === 'never' ? 'never' : policy }));
  const client = await context.daemon();
  await runChange({
    client, context, printer: progressPrinter(context, modes, 'pull'),
    path: '/v1/images/pull', body: { images, ignoreFailures: options['ignorePullFailures'] === true },
  });
}
