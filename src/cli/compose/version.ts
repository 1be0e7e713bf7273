import { programVersion } from '../../base/version.ts';
import type { CliContext } from '../context.ts';
import { usage } from './options.ts';

export async function version(context: CliContext, options: Readonly<Record<string, unknown>>): Promise<void> {
  const format = options['format'] ?? 'pretty';
  if (format !== 'pretty' && format !== 'json') throw usage(`--format takes pretty or json, not "${String(format)}"`);
  if (options['short'] === true) context.out.write(`${programVersion}\n`);
  else context.out.write(format === 'json' ? `${JSON.stringify({ version: programVersion })}\n` : `Flotilla Compose version ${programVersion}\n`);
}
