import { type CliContext, ExitWith } from '../context.ts';
import { followProject } from '../follow-logs.ts';
import { printModes } from '../print/modes.ts';
import { noSuchService, projectNameOf } from './load-project.ts';
import { text, timeFlag, usage, wholeNumber } from './options.ts';
import type { ComposeFlags } from './flags.ts';

/** Follows with `-f` until every followed container has ended; one Ctrl-C ends it at once. */
export async function logs(context: CliContext, flags: ComposeFlags, services: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const project = await projectNameOf(context, flags);
  noSuchService(project, services);
  const tail = text(options['tail']) ?? 'all';
  if (tail !== 'all' && !/^\d+$/.test(tail)) throw usage(`--tail takes a number of lines or all, not "${tail}"`);
  const client = await context.daemon();
  const end = new AbortController();
  const unsubscribe = context.onInterrupt(() => end.abort(new ExitWith(130)));
  try {
    await followProject({
      client, context, projectName: project.name, services, signal: end.signal,
      follow: options['follow'] === true,
      tail: tail === 'all' ? null : Number(tail),
      since: timeFlag('--since', options['since'], context.nowMs()),
      untilMs: timeFlag('--until', options['until'], context.nowMs()),
      index: wholeNumber('--index', options['index']),
      printer: { isColoured: options['color'] !== false && printModes(context, flags).areLogsColoured, hasPrefix: options['logPrefix'] !== false, hasTimestamps: options['timestamps'] === true },
    });
  } finally {
    unsubscribe();
  }
  if (end.signal.aborted) throw new ExitWith(130);
}
