import type { ChangeEvent } from '../model/progress.ts';
import type { ApiClient } from '../wire/http-client.ts';
import { type CliContext, ExitWith } from './context.ts';
import type { ProgressPrinter } from './print/progress.ts';

/**
 * Calls a changing door of the daemon and prints its events as they come. Throws the error that ends it, after the last line was drawn. A
 * Ctrl-C ends the telling with 130, the terminal as it was; what the daemon has begun goes on, and that is said.
 */
export async function runChange(options: {
  readonly client: ApiClient;
  readonly context: CliContext;
  readonly printer: ProgressPrinter;
  readonly path: string;
  readonly body: unknown;
  /** The caller has its own answer to Ctrl-C; this ends the telling. */
  readonly signal?: AbortSignal;
}): Promise<void> {
  const { context, printer } = options;
  const end = new AbortController();
  const signal = options.signal ?? end.signal;
  let hasBegun = false;
  let isOver = false;
  const interrupted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new ExitWith(130))));
  const tell = async (): Promise<void> => {
    for await (const event of options.client.lines('POST', options.path, options.body, signal)) {
      if (isOver) return;
      // NOTE: the daemon is our own, of a version that was checked; an event of another shape prints as nothing.
      const known = event as ChangeEvent;
      // Images are fetched ahead of the change, and for who asked only.
      if (known.kind === 'progress' && known.parentId === undefined && !known.id.startsWith('Image ')) hasBegun = true;
      printer.event(known);
    }
  };
  const unsubscribe = options.signal === undefined ? context.onInterrupt(() => end.abort()) : () => undefined;
  try {
    await Promise.race([tell(), interrupted]);
  } finally {
    isOver = true;
    unsubscribe();
    if (end.signal.aborted && hasBegun) printer.event({ kind: 'warning', code: 'CLI_INTERRUPTED', message: 'interrupted; what was begun goes on: flotilla compose ps shows it' });
    printer.finish();
  }
}
