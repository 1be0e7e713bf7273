import { Command } from 'commander';
import { text, textList } from '../compose/options.ts';
import type { CliContext } from '../context.ts';
import { execIn } from '../exec-session.ts';
import { parseCommand } from '../parse-command.ts';

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

export async function runExec(args: readonly string[], context: CliContext): Promise<void> {
  const { args: words, options } = await parseCommand('exec', args, context, (command: Command) =>
    command
      .description('Execute a command in a running container')
      .passThroughOptions()
      .argument('<container>')
      .argument('<command...>')
      .option('-d, --detach', 'Detached mode: run command in the background')
      .option('-e, --env <key=value>', 'Set environment variables', collect)
      .option('-i, --interactive', 'Keep STDIN open even if not attached')
      .option('--privileged', 'Give extended privileges to the command')
      .option('-t, --tty', 'Allocate a pseudo-TTY')
      .option('-u, --user <user>', 'Username or UID (format: "<name|uid>[:<group|gid>]")')
      .option('-w, --workdir <dir>', 'Working directory inside the container'),
  );
  const [name = '', ...argv] = words;
  const client = await context.daemon();
  const found = await client.call('GET', `/v1/containers/${encodeURIComponent(name)}`);
  await execIn({
    client, context, containerId: idOf(found), argv,
    isTty: options['tty'] === true, isInteractive: options['interactive'] === true, isDetached: options['detach'] === true,
    environment: textList(options['env']), user: text(options['user']), workingDir: text(options['workdir']), isPrivileged: options['privileged'] === true,
  });
}

function idOf(found: unknown): string {
  return typeof found === 'object' && found !== null && 'Id' in found && typeof found.Id === 'string' ? found.Id : '';
}
