import type { Command } from 'commander';
import { AppError } from '../../base/app-error.ts';
import type { ComposeFlags } from './flags.ts';

/** Commands of Compose that this version does not have: refused by name, never skipped. */
export const notYetCommands: readonly string[] = [
  'attach', 'bridge', 'build', 'commit', 'cp', 'events', 'export', 'images', 'kill', 'pause', 'port', 'publish', 'push', 'rm', 'run',
  'scale', 'stats', 'top', 'unpause', 'volumes', 'wait', 'watch',
];

/** What to use instead, where there is something. */
const instead: Readonly<Record<string, string>> = {
  attach: 'flotilla compose logs -f SERVICE',
  build: 'give the service an `image:`; build it with another tool for now',
  cp: 'flotilla compose exec -T SERVICE cat PATH > FILE, or tee PATH < FILE',
  images: 'flotilla images',
  kill: 'flotilla compose stop -t 0',
  port: 'flotilla compose ps shows the ports',
  push: 'push with the tool that built the image',
  rm: 'flotilla rm CONTAINER, or flotilla compose down SERVICE',
  run: 'flotilla compose exec SERVICE COMMAND, in a running container',
  scale: 'flotilla compose up -d --scale SERVICE=N',
  top: 'flotilla compose exec SERVICE ps',
  volumes: 'flotilla compose config --volumes',
  wait: 'flotilla compose up --exit-code-from SERVICE',
  watch: 'flotilla compose up -d again, after a change',
};

export function hiddenNotYet(program: Command, name: string): void {
  program
    .command(name, { hidden: true })
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(() => {
      throw notYet(name);
    });
}

export function notYet(name: string): AppError {
  return new AppError({ code: 'CLI_NOT_YET', message: `\`compose ${name}\` is not in this version`, hint: instead[name] });
}

/** Flags before the command that would change what it does, and that this version does not have. */
export function refuseGlobalFlags(flags: ComposeFlags): void {
  const hints = {
    dryRun: 'nothing was changed; flotilla compose config --hash \'*\' tells whether a service would be recreated',
    compatibility: 'names with underscores are not made: remove the flag',
    allResources: 'what no service uses is left out: remove the flag',
    parallel: 'the daemon bounds its work itself: remove the flag',
  } as const;
  for (const name of ['dryRun', 'compatibility', 'allResources', 'parallel'] as const) {
    if (flags[name] === undefined || flags[name] === false) continue;
    throw new AppError({ code: 'CLI_NOT_YET', message: `\`compose --${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}\` is not in this version`, hint: hints[name] });
  }
}

/** Refuses flags that Compose has and this version does not. */
export function refuseFlags(command: string, options: Readonly<Record<string, unknown>>, refused: Readonly<Record<string, string>>): void {
  for (const [name, hint] of Object.entries(refused)) {
    if (options[name] !== undefined && options[name] !== false) {
      throw new AppError({ code: 'CLI_NOT_YET', message: `\`compose ${command} --${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}\` is not in this version`, hint });
    }
  }
}
