import { isAppError } from '../../base/app-error.ts';
import { AppError } from '../../base/app-error.ts';
import type { CliContext } from '../context.ts';
import { ExitWith } from '../context.ts';
import { parseCommand } from '../parse-command.ts';
import { printError } from '../print/error.ts';

const kinds = ['container', 'image', 'volume', 'network'] as const;

/** Prints a JSON list, as Docker does; what is not found is said for each name, and the exit code is 1. */
export async function runInspect(args: readonly string[], context: CliContext): Promise<void> {
  const { args: names, options } = await parseCommand('inspect', args, context, (command) =>
    command.description('Return low-level information on containers, images, volumes, networks').argument('<name...>').option('--type <type>', 'Only inspect objects of the given type'),
  );
  const client = await context.daemon();
  const wanted = kinds.filter((kind) => options['type'] === undefined || options['type'] === kind);
  if (wanted.length === 0) throw new AppError({ code: 'CLI_USAGE', message: `--type takes ${kinds.join(', ')}, not "${String(options['type'])}"` });
  const found: unknown[] = [];
  let isMissing = false;
  for (const name of names) {
    const one = await findFirst(wanted, (kind) => client.call('GET', `/v1/${kind}s/${encodeURIComponent(name)}`));
    if (one !== null) found.push(one);
    else {
      isMissing = true;
      printError(context.err, new AppError({ code: 'CLI_NO_SUCH_OBJECT', message: `no such ${wanted.length === 1 ? wanted[0] : 'object'}: ${name}` }), { isColoured: false });
    }
  }
  context.out.write(`${JSON.stringify(found, null, 4)}\n`);
  if (isMissing) throw new ExitWith(1);
}

async function findFirst(wanted: readonly string[], call: (kind: string) => Promise<unknown>): Promise<unknown> {
  for (const kind of wanted) {
    try {
      return await call(kind);
    } catch (error) {
      if (!isAppError(error) || !error.code.endsWith('_NOT_FOUND')) throw error;
    }
  }
  return null;
}
