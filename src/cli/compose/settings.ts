import { AppError } from '../../base/app-error.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import type { CliContext } from '../context.ts';
import { newReader, readEnvironment, type ReadHost } from '../read-project.ts';
import type { ComposeFlags, Settings } from './flags.ts';

/** Variables that Docker Compose once read, or reads for what is not here, and why they change nothing. */
const unheeded: readonly (readonly [name: string, reason: string])[] = [
  ['COMPOSE_CONVERT_WINDOWS_PATHS', 'there are no Windows paths here'],
  ...['COMPOSE_API_VERSION', 'COMPOSE_DOCKER_CLI_BUILD', 'COMPOSE_FORCE_WINDOWS_HOST', 'COMPOSE_HTTP_TIMEOUT', 'COMPOSE_INTERACTIVE_NO_CLI', 'COMPOSE_TLS_VERSION'].map((name) => [name, 'Compose 1 read it'] as const),
];

/**
 * What the COMPOSE_… variables say: those of the process, and below them those of .env. They count as flags that were not given. Each
 * has its effect, is refused, or is told of in `findings`.
 * Source: Docker Compose, "Configure pre-defined environment variables".
 */
export function readSettings(host: ReadHost, flags: ComposeFlags, command: string): { readonly settings: Settings; readonly findings: readonly Diagnostic[] } {
  const { environment } = readEnvironment(host, flags);
  const valueOf = (name: string): string | undefined => environment.get(name) || undefined;
  const isOn = (name: string): boolean => isTrue(valueOf(name));
  if (isOn('COMPOSE_COMPATIBILITY')) throw new AppError({ code: 'CLI_NOT_YET', message: 'COMPOSE_COMPATIBILITY is not in this version', hint: 'names with underscores are not made: unset it' });
  const settings: Settings = {
    progress: flags.progress ?? oneOf('COMPOSE_PROGRESS', valueOf('COMPOSE_PROGRESS'), ['auto', 'tty', 'plain', 'json', 'quiet']),
    ansi: flags.ansi ?? oneOf('COMPOSE_ANSI', valueOf('COMPOSE_ANSI'), ['never', 'always', 'auto']),
    isStatusOnStdout: isOn('COMPOSE_STATUS_STDOUT'),
    areOrphansIgnored: isOn('COMPOSE_IGNORE_ORPHANS'),
    areOrphansRemoved: isOn('COMPOSE_REMOVE_ORPHANS'),
  };
  return { settings, findings: findingsOf(valueOf, command) };
}

export async function tellFindings(context: CliContext, findings: readonly Diagnostic[]): Promise<void> {
  const { warn } = await import('../project-diagnostics.ts');
  await warn(context, findings, newReader());
}

function findingsOf(valueOf: (name: string) => string | undefined, command: string): readonly Diagnostic[] {
  const findings = unheeded.filter(([name]) => valueOf(name) !== undefined).map(([name, reason]) => finding(name, reason));
  const parallel = valueOf('COMPOSE_PARALLEL_LIMIT');
  if (parallel !== undefined && !/^-?\d+$/.test(parallel)) throw new AppError({ code: 'CLI_USAGE', message: `COMPOSE_PARALLEL_LIMIT must be a whole number, not "${parallel}"` });
  if (Number(parallel) > 0) findings.push(finding('COMPOSE_PARALLEL_LIMIT', 'the daemon bounds its work itself'));
  if (command === 'up' && isTrue(valueOf('COMPOSE_MENU'))) findings.push(finding('COMPOSE_MENU', 'the interactive menu comes later'));
  return findings;
}

function finding(name: string, reason: string): Diagnostic {
  return { severity: 'warning', code: 'CLI_VARIABLE_UNHEEDED', message: `${name} has no effect: ${reason}`, hint: `unset ${name}, or take it out of .env`, line: 0, column: 0 };
}

function oneOf(name: string, value: string | undefined, allowed: readonly string[]): string | undefined {
  if (value === undefined || allowed.includes(value)) return value;
  throw new AppError({ code: 'CLI_USAGE', message: `${name} is "${value}"`, hint: `set it to one of: ${allowed.join(', ')}` });
}

function isTrue(value: string | undefined): boolean {
  return ['1', 't', 'true', 'y'].includes((value ?? '').trim().toLowerCase());
}
