import { isAppError } from '../base/app-error.ts';
import type { ApiClient } from '../wire/http-client.ts';
import type { CliContext, Output } from './context.ts';
import { LogPrinter, type LogPrinterOptions, type LogStreamEvent } from './print/log-lines.ts';

export type FollowOptions = {
  readonly client: ApiClient;
  readonly context: CliContext;
  /** Where the output goes, if not straight to the command's. */
  readonly output?: { readonly out: Output; readonly err: Output };
  readonly projectName: string;
  /** Empty: all. */
  readonly services: readonly string[];
  readonly printer: LogPrinterOptions;
  readonly signal?: AbortSignal;
  readonly follow?: boolean;
  readonly tail?: number | null;
  /** `now`: only what is written from this moment on, by containers that run or will run. */
  readonly since?: 'now' | number | null;
  readonly untilMs?: number | null;
  readonly index?: number | null;
  /** Ends once every container that was seen running has ended, rather than waiting for new ones. */
  readonly untilAllExited?: boolean;
  readonly onExit?: (service: string, exitCode: number) => void;
};

/** Prints the output of a project's containers; ends with them, with the signal, or with the last line. */
export async function followProject(options: FollowOptions): Promise<void> {
  const query = new URLSearchParams();
  for (const service of options.services) query.append('service', service);
  if (options.follow !== false) query.set('follow', '1');
  if (options.tail !== undefined && options.tail !== null) query.set('tail', String(options.tail));
  if (options.since === 'now') query.set('tail', '0');
  else if (options.since !== undefined && options.since !== null) query.set('since', String(options.since));
  if (options.untilMs !== undefined && options.untilMs !== null) query.set('until', String(options.untilMs));
  if (options.index !== undefined && options.index !== null) query.set('index', String(options.index));
  if (options.untilAllExited === true) query.set('attach', '1');
  // As Compose writes it: the project is known to who asked.
  const shortName = (name: string): string => (name.startsWith(`${options.projectName}-`) ? name.slice(options.projectName.length + 1) : name);
  const { out, err } = options.output ?? options.context;
  const printer = new LogPrinter(out, err, options.printer);
  try {
    for await (const event of options.client.lines('GET', `/v1/projects/${encodeURIComponent(options.projectName)}/logs?${query.toString()}`, undefined, options.signal)) {
      // NOTE: as in run-change: our own daemon's events.
      const known = event as (LogStreamEvent & { readonly service?: string }) | { readonly kind: 'containers'; readonly names: readonly string[] };
      if (known.kind === 'containers') printer.expect(known.names.map(shortName));
      else {
        if (known.kind === 'line' || options.untilAllExited === true) printer.print({ ...known, container: shortName(known.container) });
        if (known.kind === 'exited' && !known.isRestarting) options.onExit?.(known.service ?? '', known.exitCode);
      }
    }
  } catch (error) {
    if (options.signal?.aborted === true && !isAppError(error)) return;
    throw error;
  }
}
