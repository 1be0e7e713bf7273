import { AppError } from '../../base/app-error.ts';
import type { ContainerSummary } from '../../model/progress.ts';
import type { CliContext } from '../context.ts';
import { execIn } from '../exec-session.ts';
import { noSuchService, projectNameOf } from './load-project.ts';
import { text, textList, wholeNumber } from './options.ts';
import type { ComposeFlags } from './flags.ts';

export async function exec(context: CliContext, flags: ComposeFlags, service: string, command: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const project = await projectNameOf(context, flags);
  noSuchService(project, [service]);
  const client = await context.daemon();
  const index = wholeNumber('--index', options['index']);
  // NOTE: our own daemon's answer.
  const containers = (await client.call('GET', `/v1/containers?project=${encodeURIComponent(project.name)}`)) as readonly ContainerSummary[];
  const own = containers.filter((one) => one.serviceName === service && one.state === 'running').sort((a, b) => (a.slot ?? 0) - (b.slot ?? 0));
  const target = index === null ? own[0] : own.find((one) => one.slot === index);
  if (target === undefined) {
    throw new AppError({ code: 'CLI_NO_CONTAINER', message: index === null ? `service "${service}" is not running` : `service "${service}" is not running container #${index}`, hint: 'flotilla compose ps -a' });
  }
  await execIn({
    client, context, containerId: target.id, argv: command,
    isTty: options['tty'] !== false && context.stdin.isTTY === true && context.out.isTty,
    isInteractive: options['interactive'] !== false,
    isDetached: options['detach'] === true,
    environment: textList(options['env']),
    user: text(options['user']),
    workingDir: text(options['workdir']),
    isPrivileged: options['privileged'] === true,
  });
}
