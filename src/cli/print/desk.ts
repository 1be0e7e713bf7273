import type { CliContext, Output } from '../context.ts';
import { progressPrinter, type PrintModes } from './modes.ts';
import type { ProgressPrinter } from './progress.ts';

/** Where the lines of a change and the output of containers share a terminal: what containers say is never drawn over. */
export type Desk = { readonly printer: (title: string) => ProgressPrinter; readonly out: Output; readonly err: Output };

export function makeDesk(context: CliContext, modes: PrintModes): Desk {
  let current: ProgressPrinter | null = null;
  const beside = (output: Output): Output => ({
    columns: output.columns,
    rows: output.rows,
    isTty: output.isTty,
    write: (text) => {
      if (current?.aside === undefined || !output.isTty) output.write(text);
      else current.aside(() => output.write(text));
    },
  });
  return {
    out: beside(context.out),
    err: beside(context.err),
    printer: (title) => {
      const printer = progressPrinter(context, modes, title);
      const own: ProgressPrinter = {
        ...printer,
        finish: () => {
          if (current === own) current = null;
          printer.finish();
        },
      };
      return (current = own);
    },
  };
}
