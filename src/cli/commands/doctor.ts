import { examineMachine } from '../../os/doctor.ts';
import { type CliContext, ExitWith } from '../context.ts';
import { parseCommand } from '../parse-command.ts';

/** Each thing that is needed, whether it is there, and for each that is not the line that mends it. Exit code 1 when one is missing. */
export async function runDoctor(args: readonly string[], context: CliContext): Promise<void> {
  const { options } = await parseCommand('doctor', args, context, (command) => command.description('Say what is missing on this machine').option('--format <format>', 'pretty or json', 'pretty'));
  const checks = examineMachine(context.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', context.env['FLOTILLA_ROOT'] ?? '/var/lib/flotilla');
  const missing = checks.filter((one) => !one.isOk && one.isRequired);
  if (options['format'] === 'json') context.out.write(`${JSON.stringify(checks)}\n`);
  else {
    const client = await context.daemonIfRunning();
    for (const one of checks) {
      context.out.write(`${one.isOk ? '✔' : one.isRequired ? '✘' : '!'} ${one.name}: ${one.found}\n`);
      if (one.fix !== null) context.out.write(`    mend it: ${one.fix}\n`);
    }
    context.out.write(`${client === null ? '!' : '✔'} daemon: ${client === null ? 'not running; the first command starts it' : 'running'}\n`);
    context.out.write(missing.length === 0 ? 'All that is needed is here.\n' : `${missing.length} missing.\n`);
  }
  if (missing.length > 0) throw new ExitWith(1);
}
