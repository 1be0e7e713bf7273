import { Command, CommanderError, Option } from 'commander';
import { AppError } from '../../base/app-error.ts';
import { nearestWord } from '../../base/nearest.ts';
import { type CliContext, ExitWith } from '../context.ts';
import { addConfigCommand } from '../compose-config-flags.ts';
import type { ComposeFlags, Settings } from './flags.ts';
import { hiddenNotYet, notYet, notYetCommands, refuseGlobalFlags } from './not-yet.ts';

/** `flotilla compose …`: the flags of each command are declared here, what they do is in a file of its own. */
export async function runCompose(args: readonly string[], context: CliContext): Promise<void> {
  const program = composeProgram(context);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    // A command line that can't be read was not settled either.
    const { progress } = program.opts<ComposeFlags>();
    if (progress !== undefined) context.messages.isJson = progress === 'json';
    if (!(error instanceof CommanderError)) throw error;
    // Without a command the help is an answer to a mistake.
    if (error.code === 'commander.help') context.err.write(program.helpInformation());
    if (error.code === 'commander.help' || error.code === 'commander.helpDisplayed' || error.code === 'commander.version') throw new ExitWith(error.exitCode);
    if (error.code === 'commander.unknownCommand') {
      const name = /'(.*?)'/.exec(error.message)?.[1] ?? '';
      throw new AppError({ code: 'CLI_UNKNOWN_COMMAND', message: `flotilla compose has no command \`${name}\``, hint: didYouMean(name, program) });
    }
    throw new AppError({ code: 'CLI_USAGE', message: error.message.replace(/^error: /, ''), hint: `flotilla compose ${commandOf(program, args)}--help` });
  }
}

/** The command that the words are for, with a space behind it. */
function commandOf(program: Command, args: readonly string[]): string {
  const found = args.find((word) => program.commands.some((one) => one.name() === word));
  return found === undefined ? '' : `${found} `;
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

function composeProgram(context: CliContext): Command {
  const program = new Command('flotilla compose')
    .description('Define and run multi-container applications')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.out.write(text), writeErr: () => undefined })
    .addOption(new Option('--all-resources', 'Include all resources, even those not used by services').hideHelp())
    .addOption(new Option('--ansi <when>', 'Control when to print ANSI control characters').choices(['never', 'always', 'auto']))
    .addOption(new Option('--compatibility', 'Run compose in backward compatibility mode').hideHelp())
    .addOption(new Option('--dry-run', 'Execute command in dry run mode').hideHelp())
    .option('--env-file <file>', 'Specify an alternate environment file', collect)
    .option('-f, --file <file>', 'Compose configuration files', collect)
    .addOption(new Option('--parallel <n>', 'Control max parallelism, -1 for unlimited').hideHelp())
    .option('--profile <name>', 'Specify a profile to enable', collect)
    .addOption(new Option('--progress <type>', 'Set type of progress output').choices(['auto', 'tty', 'plain', 'json', 'quiet']))
    .option('--project-directory <dir>', 'Specify an alternate working directory')
    .option('-p, --project-name <name>', 'Project name');
  let settings: Partial<Settings> = {};
  const flags = (): ComposeFlags => ({ ...program.opts<ComposeFlags>(), ...settings });
  program.hook('preAction', async (_, command) => {
    refuseGlobalFlags(flags());
    if (command.name() === 'help' || notYetCommands.includes(command.name())) return;
    settings = await settle(context, flags(), command.name());
  });
  addLifecycle(program, flags, context);
  addReading(program, flags, context);
  addConfigCommand(program, flags, context);
  for (const name of notYetCommands) hiddenNotYet(program, name);
  addHelp(program);
  return program;
}

/** Commander's own would show an empty page for a command that is not there yet, and fail where all is asked for. */
function addHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help [command]')
    .description('Display help for a command')
    .action((name: string | undefined) => {
      if (name === undefined) program.outputHelp();
      else if (notYetCommands.includes(name)) throw notYet(name);
      else {
        const command = program.commands.find((one) => one.name() === name || one.aliases().includes(name));
        if (command === undefined) throw new AppError({ code: 'CLI_UNKNOWN_COMMAND', message: `flotilla compose has no command \`${name}\``, hint: didYouMean(name, program) });
        command.outputHelp();
      }
    });
}

function didYouMean(name: string, program: Command): string {
  const near = nearestWord(name, program.commands.map((one) => one.name()));
  return near === undefined ? 'flotilla compose --help lists what there is' : `did you mean \`flotilla compose ${near}\`?`;
}

/** Reads the variables that count as flags, and says of those that change nothing that they do. */
async function settle(context: CliContext, flags: ComposeFlags, command: string): Promise<Settings> {
  const { readSettings, tellFindings } = await import('./settings.ts');
  const { settings, findings } = readSettings(context, flags, command);
  context.messages.isJson = settings.progress === 'json';
  if (settings.ansi === 'never' || settings.ansi === 'always') context.messages.isColoured = settings.ansi === 'always' && (context.env['NO_COLOR'] ?? '') === '';
  if (findings.length > 0) await tellFindings(context, findings);
  return settings;
}

function addUp(program: Command, flags: () => ComposeFlags, context: CliContext): void {
  program
    .command('up [services...]')
    .description('Create and start containers')
    .option('-d, --detach', 'Detached mode: Run containers in the background')
    .option('--wait', 'Wait for services to be running|healthy. Implies detached mode.')
    .option('--wait-timeout <seconds>', 'Maximum duration in seconds to wait for the project to be running|healthy')
    .option('--scale <service=n>', 'Scale SERVICE to NUM instances', collect)
    .option('--force-recreate', 'Recreate containers even if their configuration and image haven\'t changed')
    .option('--no-recreate', 'If containers already exist, don\'t recreate them')
    .option('--always-recreate-deps', 'Recreate dependent containers')
    .option('--no-deps', 'Don\'t start linked services')
    .option('--no-start', 'Don\'t start the services after creating them')
    .option('--remove-orphans', 'Remove containers for services not defined in the Compose file')
    .option('-V, --renew-anon-volumes', 'Recreate anonymous volumes instead of retrieving data from the previous containers')
    .option('-t, --timeout <seconds>', 'Use this timeout in seconds for container shutdown')
    .option('--pull <policy>', 'Pull image before running ("always"|"missing"|"never")')
    .option('--quiet-pull', 'Pull without printing progress information')
    .option('--timestamps', 'Show timestamps')
    .option('--no-log-prefix', 'Don\'t print prefix in logs')
    .option('--no-color', 'Produce monochrome output')
    .option('--attach <service>', 'Restrict attaching to the specified services', collect)
    .addOption(noAttach())
    .option('--attach-dependencies', 'Automatically attach to log output of dependent services')
    .option('--abort-on-container-exit', 'Stops all containers if any container was stopped')
    .option('--abort-on-container-failure', 'Stops all containers if any container exited with failure')
    .option('--exit-code-from <service>', 'Return the exit code of the selected service container')
    .option('--no-build', 'Don\'t build an image, even if it\'s policy')
    .option('-y, --yes', 'Assume "yes" as answer to all prompts')
    .addOption(new Option('--build', 'Build images before starting containers').hideHelp())
    .addOption(new Option('-w, --watch', 'Watch source code').hideHelp())
    .addOption(new Option('--menu [on]', 'Enable interactive shortcuts').hideHelp())
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./up.ts')).up(context, flags(), services, options));
}

/** NOTE: commander takes a flag that begins with `no-` for the opposite of the other one; this one has values of its own. */
function noAttach(): Option {
  const option = new Option('--no-attach <service>', 'Do not attach (stream logs) to the specified services').argParser(collect);
  option.negate = false;
  return option;
}

function addLifecycle(program: Command, flags: () => ComposeFlags, context: CliContext): void {
  addUp(program, flags, context);
  program
    .command('create [services...]')
    .description('Creates containers for a service')
    .option('--force-recreate', 'Recreate containers even if their configuration and image haven\'t changed')
    .option('--no-recreate', 'If containers already exist, don\'t recreate them')
    .option('--remove-orphans', 'Remove containers for services not defined in the Compose file')
    .option('--scale <service=n>', 'Scale SERVICE to NUM instances', collect)
    .option('--pull <policy>', 'Pull image before running')
    .option('--quiet-pull', 'Pull without printing progress information')
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./up.ts')).up(context, flags(), services, { ...options, start: false }));
  program
    .command('down [services...]')
    .description('Stop and remove containers, networks')
    .option('--remove-orphans', 'Remove containers for services not defined in the Compose file')
    .option('--rmi <type>', 'Remove images used by services ("local"|"all")')
    .option('-t, --timeout <seconds>', 'Specify a shutdown timeout in seconds')
    .option('-v, --volumes', 'Remove named volumes declared in the "volumes" section and anonymous volumes attached to containers')
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./down.ts')).down(context, flags(), services, options));
  for (const [name, text] of [['stop', 'Stop services'], ['restart', 'Restart service containers']] as const) {
    const command = program.command(`${name} [services...]`).description(text).option('-t, --timeout <seconds>', 'Specify a shutdown timeout in seconds');
    if (name === 'restart') command.option('--no-deps', 'Don\'t restart dependent services');
    command.action(async (services: string[], options: Record<string, unknown>) => (await import('./change.ts')).change(context, flags(), name, services, options));
  }
  program
    .command('start [services...]')
    .description('Start services')
    .option('--wait', 'Wait for services to be running|healthy')
    .option('--wait-timeout <seconds>', 'Maximum duration in seconds to wait for the project to be running|healthy')
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./change.ts')).change(context, flags(), 'start', services, options));
  program
    .command('pull [services...]')
    .description('Pull service images')
    .option('--ignore-buildable', 'Ignore images that can be built')
    .option('--ignore-pull-failures', 'Pull what it can and ignores images with pull failures')
    .option('--include-deps', 'Also pull services declared as dependencies')
    .option('--policy <policy>', 'Apply pull policy ("missing"|"always")')
    .option('-q, --quiet', 'Pull without printing progress information')
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./pull.ts')).pull(context, flags(), services, options));
}

function addReading(program: Command, flags: () => ComposeFlags, context: CliContext): void {
  program
    .command('ps [services...]')
    .description('List containers')
    .option('-a, --all', 'Show all stopped containers')
    .option('--format <format>', 'Format output: table or json', 'table')
    .option('--filter <filter>', 'Filter services by a property (supported filters: status)', collect)
    .option('--status <status>', 'Filter services by status', collect)
    .option('--services', 'Display services')
    .option('-q, --quiet', 'Only display IDs')
    .option('--no-trunc', 'Don\'t truncate output')
    .option('--no-orphans', 'Exclude orphaned services (not declared by project)')
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./ps.ts')).ps(context, flags(), services, options));
  program
    .command('logs [services...]')
    .description('View output from containers')
    .option('-f, --follow', 'Follow log output')
    .option('--index <n>', 'index of the container if service has multiple replicas')
    .option('--no-color', 'Produce monochrome output')
    .option('--no-log-prefix', 'Don\'t print prefix in logs')
    .option('--since <time>', 'Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)')
    .option('-n, --tail <lines>', 'Number of lines to show from the end of the logs for each container', 'all')
    .option('-t, --timestamps', 'Show timestamps')
    .option('--until <time>', 'Show logs before a timestamp or relative')
    .action(async (services: string[], options: Record<string, unknown>) => (await import('./logs.ts')).logs(context, flags(), services, options));
  program
    .command('exec <service> <command...>')
    .description('Execute a command in a running container')
    .passThroughOptions()
    .option('-d, --detach', 'Detached mode: Run command in the background')
    .option('-e, --env <key=value>', 'Set environment variables', collect)
    .option('--index <n>', 'Index of the container if service has multiple replicas')
    .option('-T, --no-tty', 'Disable pseudo-TTY allocation')
    .option('-i, --interactive', 'Keep STDIN open even if not attached', true)
    .option('--privileged', 'Give extended privileges to the process')
    .option('-u, --user <user>', 'Run the command as this user')
    .option('-w, --workdir <dir>', 'Path to workdir directory for this command')
    .action(async (service: string, command: string[], options: Record<string, unknown>) => (await import('./exec.ts')).exec(context, flags(), service, command, options));
  program
    .command('ls')
    .description('List running compose projects')
    .option('-a, --all', 'Show all stopped Compose projects')
    .option('--format <format>', 'Format output: table or json', 'table')
    .option('-q, --quiet', 'Only display project names')
    .action(async (options: Record<string, unknown>) => (await import('./ls.ts')).ls(context, options));
  program
    .command('version')
    .description('Show the version information')
    .option('-f, --format <format>', 'Format the output: pretty or json')
    .option('--short', 'Shows only the version number')
    .action(async (options: Record<string, unknown>) => (await import('./version.ts')).version(context, options));
}
