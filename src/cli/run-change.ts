import type { ChangeEvent } from '../model/progress.ts';
import type { ApiClient } from '../wire/http-client.ts';
import type { CliContext } from './context.ts';
import type { ProgressPrinter } from './print/progress.ts';

/** Calls a changing door of the daemon and prints its events as they come. Throws the error that ends it, after the last line was drawn. */
export async function runChange(options: {
  readonly client: ApiClient;
  readonly context: CliContext;
  readonly printer: ProgressPrinter;
  readonly path: string;
  readonly body: unknown;
  readonly signal?: AbortSignal;
}): Promise<void> {
  try {
    for await (const event of options.client.lines('POST', options.path, options.body, options.signal)) {
      // NOTE: the daemon is our own, of a version that was checked; an event of another shape prints as nothing.
      options.printer.event(event as ChangeEvent);
    }
  } finally {
    options.printer.finish();
  }
}
