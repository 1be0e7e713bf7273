import { text } from '../compose/options.ts';
import type { CliContext } from '../context.ts';
import { parseCommand } from '../parse-command.ts';
import { printModes, progressPrinter } from '../print/modes.ts';
import { runChange } from '../run-change.ts';

export async function runPull(args: readonly string[], context: CliContext): Promise<void> {
  const { args: names, options } = await parseCommand('pull', args, context, (command) =>
    command
      .description('Download an image from a registry')
      .argument('<name[:tag|@digest]>')
      .option('-q, --quiet', 'Suppress verbose output')
      .option('--platform <platform>', 'Set platform if server is multi-platform capable'),
  );
  const reference = names[0] ?? '';
  const modes = printModes(context, {});
  const client = await context.daemon();
  await runChange({
    client, context,
    printer: progressPrinter(context, options['quiet'] === true ? { ...modes, progress: 'quiet' } : modes, 'pull'),
    path: '/v1/images/pull', body: { images: [{ reference, platform: text(options['platform']) ?? (context.env['DOCKER_DEFAULT_PLATFORM'] || undefined), policy: 'always' }], ignoreFailures: false },
  });
  context.out.write(`${reference}\n`);
}
