import { AppError } from '../../base/app-error.ts';
import type { CliContext, Output } from '../context.ts';
import { createProgressPrinter, type ProgressMode, type ProgressPrinter } from './progress.ts';

/** How this run prints: from the flags, the environment and the terminal, by Compose's rules. */
export type PrintModes = { readonly progress: ProgressMode; readonly isColoured: boolean; readonly target: Output };

export function printModes(context: CliContext, flags: { readonly progress?: string; readonly ansi?: string }): PrintModes {
  const { env } = context;
  const target = isTrue(env['COMPOSE_STATUS_STDOUT']) ? context.out : context.err;
  const ansi = (env['NO_COLOR'] ?? '') === '' ? (flags.ansi ?? env['COMPOSE_ANSI'] ?? 'auto') : 'never';
  const asked = flags.progress ?? env['COMPOSE_PROGRESS'] ?? 'auto';
  if (asked === 'tty' && ansi === 'never') throw new AppError({ code: 'CLI_USAGE', message: 'can\'t use --progress tty while ANSI support is disabled' });
  if (asked === 'plain' && ansi === 'always') throw new AppError({ code: 'CLI_USAGE', message: 'can\'t use --progress plain while ANSI support is forced' });
  const isColoured = ansi === 'always' || (ansi === 'auto' && target.isTty);
  switch (asked) {
    case 'tty':
    case 'plain':
    case 'json':
    case 'quiet':
      return { progress: asked, isColoured, target };
    case 'auto':
      return { progress: target.isTty && ansi !== 'never' ? 'tty' : 'plain', isColoured, target };
    default:
      throw new AppError({ code: 'CLI_USAGE', message: `unsupported --progress value "${asked}"`, hint: 'auto, tty, plain, json or quiet' });
  }
}

export function progressPrinter(context: CliContext, modes: PrintModes, title: string): ProgressPrinter {
  return createProgressPrinter({ mode: modes.progress, out: modes.target, title, isColoured: modes.isColoured, nowMs: context.nowMs, isDryRun: false });
}

function isTrue(value: string | undefined): boolean {
  return value === '1' || value?.toLowerCase() === 'true';
}
