import { programVersion } from '../../base/version.ts';
import { usage } from '../compose/options.ts';
import type { CliContext } from '../context.ts';
import { parseCommand } from '../parse-command.ts';

export async function runVersion(args: readonly string[], context: CliContext): Promise<void> {
  const { options } = await parseCommand('version', args, context, (command) =>
    command.description('Show the versions').option('--short', 'Only the version of the command').option('-f, --format <format>', 'pretty or json', 'pretty'),
  );
  if (options['format'] !== 'pretty' && options['format'] !== 'json') throw usage(`--format takes pretty or json in this version, not "${String(options['format'])}"`);
  if (options['short'] === true) return context.out.write(`${programVersion}\n`);
  const client = await context.daemonIfRunning();
  const daemon = client === null ? null : await client.call('GET', '/v1/version');
  if (options['format'] === 'json') return context.out.write(`${JSON.stringify({ Client: { Version: programVersion, NodeVersion: process.version }, Server: daemon })}\n`);
  context.out.write(`Flotilla version ${programVersion} (Node.js ${process.version})\nDaemon: ${daemon === null ? 'not running' : describe(daemon)}\n`);
}

function describe(daemon: unknown): string {
  return typeof daemon === 'object' && daemon !== null ? Object.entries(daemon).map(([name, value]) => `${name} ${String(value)}`).join(', ') : String(daemon);
}
