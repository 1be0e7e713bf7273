import type { ContainerSummary } from '../../model/progress.ts';
import type { CliContext } from '../context.ts';
import { usage, wholeNumber } from '../compose/options.ts';
import { parseCommand } from '../parse-command.ts';
import { commandText, spanText, portsText, statusText } from '../print/human.ts';
import { formatTable } from '../print/table.ts';

export async function runPs(args: readonly string[], context: CliContext): Promise<void> {
  const { options } = await parseCommand('ps', args, context, (command) =>
    command
      .description('List containers')
      .option('-a, --all', 'Show all containers (default shows just running)')
      .option('-q, --quiet', 'Only display container IDs')
      .option('--no-trunc', 'Don\'t truncate output')
      .option('--format <format>', 'table or json', 'table')
      .option('-l, --latest', 'Show the latest created container (includes all states)')
      .option('-n, --last <n>', 'Show n last created containers (includes all states)'),
  );
  const format = options['format'];
  if (format !== 'table' && format !== 'json') throw usage(`--format takes table or json in this version, not "${String(format)}"`);
  const last = options['latest'] === true ? 1 : wholeNumber('--last', options['last']);
  const client = await context.daemon();
  // NOTE: our own daemon's answer.
  let containers = (await client.call('GET', `/v1/containers${options['all'] === true || last !== null ? '?all=1' : ''}`)) as readonly ContainerSummary[];
  containers = [...containers].sort((a, b) => b.createdMs - a.createdMs);
  if (last !== null) containers = containers.slice(0, last);
  const noTrunc = options['trunc'] === false;
  const idOf = (one: ContainerSummary): string => (noTrunc ? one.id : one.id.slice(0, 12));
  const nowMs = context.nowMs();
  if (options['quiet'] === true) return context.out.write(containers.map((one) => `${idOf(one)}\n`).join(''));
  if (format === 'json') {
    return context.out.write(
      containers
        .map((one) => `${JSON.stringify({ ID: idOf(one), Image: one.image, Command: commandText(one.command, true), CreatedAt: new Date(one.createdMs).toISOString(), RunningFor: `${spanText(nowMs - one.createdMs)} ago`, Status: statusText(one, nowMs), State: one.state, Ports: portsText(one), Names: one.name, Networks: one.networks.join(','), Mounts: one.mounts.join(','), Labels: Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).sort().join(',') })}\n`)
        .join(''),
    );
  }
  context.out.write(
    formatTable(
      ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES'],
      containers.map((one) => [idOf(one), one.image, commandText(one.command, noTrunc), `${spanText(nowMs - one.createdMs)} ago`, statusText(one, nowMs), portsText(one), one.name]),
    ),
  );
}
