import { usage } from '../compose/options.ts';
import type { CliContext } from '../context.ts';
import { parseCommand } from '../parse-command.ts';

export async function runInfo(args: readonly string[], context: CliContext): Promise<void> {
  const { options } = await parseCommand('info', args, context, (command) => command.description('Display what this node runs on').option('-f, --format <format>', 'pretty or json', 'pretty'));
  if (options['format'] !== 'pretty' && options['format'] !== 'json') throw usage(`--format takes pretty or json in this version, not "${String(options['format'])}"`);
  const client = await context.daemon();
  const info = await client.call('GET', '/v1/info');
  if (options['format'] === 'json') return context.out.write(`${JSON.stringify(info)}\n`);
  const rows = typeof info === 'object' && info !== null ? Object.entries(info) : [];
  context.out.write(rows.map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}\n`).join(''));
}
