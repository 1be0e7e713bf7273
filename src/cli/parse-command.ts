import { Command, CommanderError } from 'commander';
import { AppError } from '../base/app-error.ts';
import { type CliContext, ExitWith } from './context.ts';

/** Declares and parses one top-level command: `declare` adds its flags, the answer is what was given. */
export async function parseCommand(
  name: string,
  args: readonly string[],
  context: CliContext,
  declare: (command: Command) => Command,
): Promise<{ readonly args: readonly string[]; readonly options: Readonly<Record<string, unknown>> }> {
  const command = declare(new Command(`flotilla ${name}`))
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.out.write(text), writeErr: () => undefined });
  try {
    await command.action(() => undefined).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.help') throw new ExitWith(0);
    throw new AppError({ code: 'CLI_USAGE', message: error.message.replace(/^error: /, ''), hint: `flotilla ${name} --help` });
  }
  return { args: command.args, options: command.opts() };
}
