import { type AppError, isAppError } from '../../base/app-error.ts';
import { rootDirOf, runDirOf } from '../../base/daemon-dirs.ts';
import type { NetworkOverlap } from '../../model/progress.ts';
import { examineMachine } from '../../os/doctor.ts';
import type { Check } from '../../os/doctor-disk.ts';
import type { ApiClient } from '../../wire/http-client.ts';
import { type CliContext, ExitWith } from '../context.ts';
import { parseCommand } from '../parse-command.ts';

/** Each thing that is needed, whether it is there, and for each that is not the line that mends it. Exit code 1 when one is missing. */
export async function runDoctor(args: readonly string[], context: CliContext): Promise<void> {
  const { options } = await parseCommand('doctor', args, context, (command) => command.description('Say what is missing on this machine').option('--format <format>', 'pretty or json', 'pretty'));
  const { client, refusal } = await daemonOf(context);
  const { env } = context;
  const checks = [
    ...examineMachine({ path: env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', root: rootDirOf(env), runDir: runDirOf(env) }),
    ...(client === null ? [] : await subnetChecks(client)),
  ];
  const missing = checks.filter((one) => !one.isOk && one.isRequired);
  if (options['format'] === 'json') context.out.write(`${JSON.stringify(checks)}\n`);
  else {
    for (const one of checks) {
      context.out.write(`${one.isOk ? '✔' : one.isRequired ? '✘' : '!'} ${one.name}: ${one.found}\n`);
      if (one.fix !== null) context.out.write(`    mend it: ${one.fix}\n`);
    }
    context.out.write(`${client === null ? '!' : '✔'} daemon: ${client !== null ? 'running' : (refusal?.message ?? 'not running; the first command starts it')}\n`);
    if (refusal?.hint !== undefined) context.out.write(`    mend it: ${refusal.hint}\n`);
    context.out.write(missing.length === 0 ? 'All that is needed is here.\n' : `${missing.length} missing.\n`);
  }
  if (missing.length > 0) throw new ExitWith(1);
}

/** NOTE: who may not open its socket is told the rest all the same. */
async function daemonOf(context: CliContext): Promise<{ readonly client: ApiClient | null; readonly refusal: AppError | null }> {
  try {
    return { client: await context.daemonIfRunning(), refusal: null };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { client: null, refusal: error };
  }
}

/** Whether the host reaches anything else by the addresses of a network. */
async function subnetChecks(client: ApiClient): Promise<readonly Check[]> {
  const base = { name: 'subnets', isRequired: false };
  try {
    // NOTE: our own daemon's answer.
    const overlaps = (await client.call('GET', '/v1/network-overlaps')) as readonly NetworkOverlap[];
    if (overlaps.length === 0) return [{ ...base, isOk: true, found: 'no network meets another of this host', fix: null }];
    return overlaps.map((one) => ({ ...base, isOk: false, found: `network ${one.networkName} (${one.subnet}) meets ${one.meets.join(', ')}, which this host reaches by another way: one of the two can't be reached`, fix: fixOf(one) }));
  } catch (error) {
    if (!isAppError(error)) throw error;
    return [{ ...base, isOk: false, found: `the daemon could not tell: ${error.message}`, fix: 'where it is of another version, restart it: sudo systemctl restart flotilla' }];
  }
}

function fixOf({ networkName, projectName, isOfFile }: NetworkOverlap): string {
  if (isOfFile) return `give ${networkName} another subnet in its compose file (networks: … ipam:), then flotilla compose up -d`;
  const again = projectName === null ? 'make it anew' : `make it anew, it gets a free one: flotilla compose -p ${projectName} down, then up -d`;
  return `${again}; to keep clear of those addresses for good: addressPools in /etc/flotilla/config.json`;
}
