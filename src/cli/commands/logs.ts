import type { LogLine } from '../../model/container.ts';
import { type CliContext, ExitWith } from '../context.ts';
import { text, timeFlag, usage } from '../compose/options.ts';
import { parseCommand } from '../parse-command.ts';

export async function runLogs(args: readonly string[], context: CliContext): Promise<void> {
  const { args: names, options } = await parseCommand('logs', args, context, (command) =>
    command
      .description('Fetch the logs of a container')
      .argument('<container>')
      .option('-f, --follow', 'Follow log output')
      .option('--since <time>', 'Show logs since timestamp or relative (e.g. 42m)')
      .option('-n, --tail <lines>', 'Number of lines to show from the end of the logs', 'all')
      .option('-t, --timestamps', 'Show timestamps')
      .option('--until <time>', 'Show logs before a timestamp or relative'),
  );
  const tail = text(options['tail']) ?? 'all';
  if (tail !== 'all' && !/^\d+$/.test(tail)) throw usage(`--tail takes a number of lines or all, not "${tail}"`);
  const query = new URLSearchParams();
  if (options['follow'] === true) query.set('follow', '1');
  if (tail !== 'all') query.set('tail', tail);
  for (const name of ['since', 'until'] as const) {
    const at = timeFlag(`--${name}`, options[name], context.nowMs());
    if (at !== null) query.set(name, String(at));
  }
  const client = await context.daemon();
  const end = new AbortController();
  const unsubscribe = context.onInterrupt(() => end.abort(new ExitWith(130)));
  try {
    for await (const line of client.lines('GET', `/v1/containers/${encodeURIComponent(names[0] ?? '')}/logs?${query.toString()}`, undefined, end.signal)) {
      // NOTE: our own daemon's answer.
      const one = line as LogLine;
      (one.stream === 'stdout' ? context.out : context.err).write(`${options['timestamps'] === true ? `${one.time} ` : ''}${one.text}${one.isPartial ? '' : '\n'}`);
    }
  } finally {
    unsubscribe();
  }
}
