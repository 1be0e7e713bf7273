import { AppError } from '../base/app-error.ts';
import { type CliContext, ExitWith } from './context.ts';
import { printError } from './print/error.ts';

/** Does something for each name; a failure is printed and the others go on. The exit code is 1 if any failed. */
export async function eachName(context: CliContext, names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
  let isFailed = false;
  for (const name of names) {
    try {
      await act(name);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      printError(context.err, error, { isColoured: context.err.isTty });
      isFailed = true;
    }
  }
  if (isFailed) throw new ExitWith(1);
}
