import { AppError } from '../../base/app-error.ts';
import type { CliContext, Output } from '../context.ts';
import { createProgressPrinter, type ProgressMode, type ProgressPrinter } from './progress.ts';

/** How this run prints: from the flags, the environment and the terminal, by Compose's rules. */
export type PrintModes = { readonly progress: ProgressMode; readonly isColoured: boolean; readonly areLogsColoured: boolean; readonly target: Output };

export function printModes(context: CliContext, flags: { readonly progress?: string | undefined; readonly ansi?: string | undefined; readonly isStatusOnStdout?: boolean }): PrintModes {
  const { env } = context;
  const target = flags.isStatusOnStdout === true ? context.out : context.err;
  const ansi = (env['NO_COLOR'] ?? '') === '' ? (flags.ansi ?? 'auto') : 'never';
  const asked = flags.progress ?? 'auto';
  if (asked === 'tty' && ansi === 'never') throw new AppError({ code: 'CLI_USAGE', message: 'can\'t use --progress tty while ANSI support is disabled' });
  if (asked === 'plain' && ansi === 'always') throw new AppError({ code: 'CLI_USAGE', message: 'can\'t use --progress plain while ANSI support is forced' });
  const isColoured = ansi === 'always' || (ansi === 'auto' && target.isTty);
  const areLogsColoured = ansi === 'always' || (ansi === 'auto' && context.out.isTty);
  switch (asked) {
    case 'tty':
    case 'plain':
    case 'json':
    case 'quiet':
      return { progress: asked, isColoured, areLogsColoured, target };
    case 'auto':
      return { progress: target.isTty && ansi !== 'never' ? 'tty' : 'plain', isColoured, areLogsColoured, target };
    default:
      throw new AppError({ code: 'CLI_USAGE', message: `unsupported --progress value "${asked}"`, hint: 'auto, tty, plain, json or quiet' });
  }
}

export function progressPrinter(context: CliContext, modes: PrintModes, title: string): ProgressPrinter {
  return createProgressPrinter({ mode: modes.progress, out: modes.target, title, isColoured: modes.isColoured, nowMs: context.nowMs, isDryRun: false });
}
