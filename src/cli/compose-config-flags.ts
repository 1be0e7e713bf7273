import type { Command } from 'commander';
import type { ConfigHost } from './compose-config.ts';
import type { ProjectFlags } from './read-project.ts';

type Options = Readonly<Record<string, unknown>>;

/** Declares `compose config`: the canonical form of a project, or one of its lists. */
export function addConfigCommand(program: Command, flags: () => ProjectFlags, host: ConfigHost): void {
  program
    .command('config [services...]')
    .alias('convert')
    .description('Parse, resolve and render compose file in canonical format')
    .option('--format <format>', 'Format the output: yaml or json')
    .option('--services', 'Print the service names, one per line')
    .option('--volumes', 'Print the volume names, one per line')
    .option('--networks', 'Print the network names, one per line')
    .option('--models', 'Print the model names, one per line')
    .option('--profiles', 'Print the profile names, one per line')
    .option('--images', 'Print the image names, one per line')
    .option('--variables', 'Print model variables and default values')
    .option('--environment', 'Print environment used for interpolation')
    .option('--hash <services>', 'Print the service config hash, one per line')
    .option('--no-interpolate', "Don't interpolate environment variables")
    .option('--no-normalize', "Don't normalize compose model")
    .option('--no-path-resolution', "Don't resolve file paths")
    .option('--no-consistency', "Don't check model consistency - warning: may produce invalid Compose output")
    .option('--no-env-resolution', "Don't resolve service env files")
    .option('--resolve-image-digests', 'Pin image tags to digests')
    .option('--lock-image-digests', 'Produces an override file with image digests')
    .option('-q, --quiet', "Only validate the configuration, don't print anything")
    .option('-o, --output <file>', 'Save to file (default to stdout)')
    .option('--graph <format>', 'Print the order of the services: dot, mermaid or json')
    .option('--check-target <target>', 'List what would be refused on a target: laptop or cluster')
    .action(async (services: string[], options: Options) => (await import('./compose-config.ts')).config(host, flags(), services, options));
}
