import type { RemovedContainer } from '../../model/progress.ts';
import { eachName } from '../each-name.ts';
import type { CliContext } from '../context.ts';
import { parseCommand } from '../parse-command.ts';

export async function runRm(args: readonly string[], context: CliContext): Promise<void> {
  const { args: names, options } = await parseCommand('rm', args, context, (command) =>
    command
      .description('Remove one or more containers')
      .argument('<container...>')
      .option('-f, --force', 'Force the removal of a running container (uses SIGKILL)')
      .option('-v, --volumes', 'Remove anonymous volumes associated with the container'),
  );
  const client = await context.daemon();
  const query = `?force=${options['force'] === true ? 1 : 0}&volumes=${options['volumes'] === true ? 1 : 0}`;
  await eachName(context, names, async (name) => {
    // NOTE: our own daemon's answer.
    const { replacedBy } = (await client.call('DELETE', `/v1/containers/${encodeURIComponent(name)}${query}`)) as RemovedContainer;
    context.out.write(`${name}\n`);
    if (replacedBy === null) return;
    const { projectName, serviceName } = replacedBy;
    context.err.write(`${name} is gone, but service ${serviceName} of application ${projectName} is to have it, and gets a new one.\n  to have none: flotilla compose -p ${projectName} stop ${serviceName}, or down ${serviceName}\n`);
  });
}
