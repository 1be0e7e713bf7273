import { AppError } from '../base/app-error.ts';
import { type CliContext, ExitWith, type Output } from './context.ts';
import { isCharacterDevice, writeNow } from '../os/output-fd.ts';
import { errorLine, printError } from './print/error.ts';

type Command = { readonly summary: string; readonly load: () => Promise<(args: readonly string[], context: CliContext) => Promise<void>> };

/** The top level. Each command is a file of its own, loaded when it is called. */
const commands: Readonly<Record<string, Command>> = {
  compose: { summary: 'Run applications of compose files', load: async () => (await import('./compose/program.ts')).runCompose },
  ps: { summary: 'List containers', load: async () => (await import('./commands/ps.ts')).runPs },
  logs: { summary: 'Show the output of a container', load: async () => (await import('./commands/logs.ts')).runLogs },
  exec: { summary: 'Run a command in a running container', load: async () => (await import('./commands/exec.ts')).runExec },
  inspect: { summary: 'Show all that is known of containers, images, volumes', load: async () => (await import('./commands/inspect.ts')).runInspect },
  rm: { summary: 'Remove containers', load: async () => (await import('./commands/rm.ts')).runRm },
  images: { summary: 'List images', load: async () => (await import('./commands/images.ts')).runImages },
  pull: { summary: 'Fetch an image from its registry', load: async () => (await import('./commands/pull.ts')).runPull },
  rmi: { summary: 'Remove images', load: async () => (await import('./commands/rmi.ts')).runRmi },
  info: { summary: 'Show what this node runs on', load: async () => (await import('./commands/info.ts')).runInfo },
  version: { summary: 'Show the versions of the command and the daemon', load: async () => (await import('./commands/version.ts')).runVersion },
  store: { summary: 'Operate the replicated store: status, members, backup, restore, recover, verify', load: async () => (await import('./commands/store.ts')).runStore },
  doctor: { summary: 'Say what is missing on this machine, and the line that mends it', load: async () => (await import('./commands/doctor.ts')).runDoctor },
};

/** Runs one command line. Answers the exit code: 0 ok, 1 failed, 3 usage, 4 no daemon, 130 interrupted, or the command's own. */
export async function run(args: readonly string[]): Promise<number> {
  const err = outputOf(2, () => process.stderr);
  const context = makeContext(err);
  try {
    await dispatch(args, context);
    return 0;
  } catch (error) {
    const reason: unknown = error instanceof ExitWith ? error.reason : error;
    if (reason !== undefined && context.messages.isJson) err.write(errorLine(reason));
    else if (reason !== undefined) printError(err, reason, context.messages);
    return error instanceof ExitWith ? error.exitCode : exitCodeOf(error);
  }
}

async function dispatch(args: readonly string[], context: CliContext): Promise<void> {
  const [name, ...rest] = args;
  if (name === 'help' && rest.length > 0) return dispatch([...rest, '--help'], context);
  if (name === undefined || name === 'help' || name === '-h' || name === '--help') {
    context.out.write(usage());
    if (name === undefined) throw new ExitWith(1);
    return;
  }
  // Only its help comes here: bin/flotilla hands the daemon all else.
  if (name === 'daemon') return context.out.write((await import('../os/daemon-start.ts')).daemonUsage);
  if (name === '-v' || name === '--version') return (await import('./commands/version.ts')).runVersion(['--short'], context);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw (await import('./unknown-command.ts')).unknownCommand(name, [...Object.keys(commands), 'daemon']);
  await (await command.load())(rest, context);
}

function usage(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = [...Object.entries(commands), ['daemon', { summary: 'Run the daemon in the foreground' }] as const].map(([name, { summary }]) => `  ${name.padEnd(width + 2)}${summary}`);
  return `Usage: flotilla COMMAND [OPTIONS]\n\nRuns Compose applications, on a laptop and on a cluster.\n\nCommands:\n${lines.join('\n')}\n\nRun \`flotilla COMMAND --help\` for more on a command.\n`;
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof AppError)) return 1;
  if (error.code === 'WIRE_NO_DAEMON' || error.code === 'WIRE_DENIED' || error.code === 'CLI_DAEMON_NOT_STARTED' || error.code === 'OS_DAEMON_START') return 4;
  if (error.code === 'CLI_USAGE' || error.code === 'CLI_UNKNOWN_COMMAND') return 3;
  return 1;
}

function makeContext(err: Output): CliContext {
  return {
    env: process.env,
    cwd: process.cwd(),
    out: outputOf(1, () => process.stdout),
    err,
    daemon: async () => (await import('./daemon-client.ts')).connectOrStart(process.env),
    daemonIfRunning: async () => (await import('./daemon-client.ts')).connectIfRunning(process.env),
    onInterrupt: (listener) => {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
    // Made when it is asked for: a terminal's stream costs a command some milliseconds.
    get stdin() {
      return process.stdin;
    },
    nowMs: () => Date.now(),
    messages: { isJson: false, isColoured: err.isTty && (process.env['NO_COLOR'] ?? '') === '' },
  };
}

/** Writes to files and pipes directly; only a terminal needs Node's stream, which costs milliseconds to make. */
function outputOf(fd: 1 | 2, makeStream: () => NodeJS.WriteStream): Output {
  const isDevice = isCharacterDevice(fd);
  let made: NodeJS.WriteStream | undefined;
  const stream = (): NodeJS.WriteStream => {
    if (made !== undefined) return made;
    made = makeStream();
    made.on('error', ended);
    return made;
  };
  return {
    write: (text) => {
      if (isDevice || made !== undefined) void stream().write(text);
      else {
        // What is left over waits for a pipe that somebody made non-blocking, and that is full: Node's stream knows how to.
        const rest = writeNow(fd, typeof text === 'string' ? Buffer.from(text) : text, ended);
        if (rest.length > 0) void stream().write(rest);
      }
    },
    get isTty() {
      return isDevice && stream().isTTY === true;
    },
    columns: () => (isDevice ? (stream().columns || 80) : 80),
    rows: () => (isDevice ? (stream().rows || 24) : 24),
  };
}

/** A reader that went away (`| head`) ends the command quietly. */
function ended(error: unknown): void {
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') process.exit(0);
  throw error;
}
