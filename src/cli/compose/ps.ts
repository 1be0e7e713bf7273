import type { ContainerSummary } from '../../model/progress.ts';
import type { CliContext } from '../context.ts';
import { commandText, spanText, portsText, statusText } from '../print/human.ts';
import { formatTable } from '../print/table.ts';
import { noSuchService, projectNameOf } from './load-project.ts';
import { text, textList, usage } from './options.ts';
import type { ComposeFlags } from './flags.ts';

const states = ['paused', 'restarting', 'removing', 'running', 'dead', 'created', 'exited'];

export async function ps(context: CliContext, flags: ComposeFlags, services: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const format = text(options['format']) ?? 'table';
  if (format !== 'table' && format !== 'json') throw usage(`--format takes table or json in this version, not "${format}"`);
  const wanted = wantedStates(options);
  const project = await projectNameOf(context, flags);
  noSuchService(project, services);
  const client = await context.daemon();
  const all = wanted.length > 0 || options['all'] === true;
  const answer = await client.call('GET', `/v1/containers?project=${encodeURIComponent(project.name)}${all ? '&all=1' : ''}`);
  // NOTE: our own daemon's answer.
  const containers = (answer as readonly ContainerSummary[])
    .filter((one) => services.length === 0 || services.includes(one.serviceName ?? ''))
    .filter((one) => wanted.length === 0 || wanted.includes(one.state))
    .filter((one) => options['orphans'] !== false || project.serviceNames === null || project.serviceNames.includes(one.serviceName ?? ''));
  if (options['quiet'] === true) return context.out.write(containers.map((one) => `${one.id}\n`).join(''));
  if (options['services'] === true) return context.out.write([...new Set(containers.map((one) => `${one.serviceName ?? ''}\n`))].join(''));
  if (format === 'json') return context.out.write(containers.map((one) => `${JSON.stringify(jsonRow(one, context.nowMs()))}\n`).join(''));
  const noTrunc = options['trunc'] === false;
  context.out.write(
    formatTable(
      ['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'CREATED', 'STATUS', 'PORTS'],
      containers.map((one) => [
        one.name, one.image, commandText(one.command, noTrunc), one.serviceName ?? '',
        `${spanText(context.nowMs() - one.createdMs)} ago`, statusText(one, context.nowMs()), portsText(one),
      ]),
    ),
  );
}

function wantedStates(options: Readonly<Record<string, unknown>>): readonly string[] {
  const filter = text(options['filter']);
  const fromFilter = filter === null ? null : /^status=(.+)$/.exec(filter);
  if (filter !== null && fromFilter === null) throw usage(`unknown filter "${filter}": only status=… is supported`);
  const wanted = [...textList(options['status']), ...(fromFilter?.[1] === undefined ? [] : [fromFilter[1]])];
  const unknown = wanted.find((one) => !states.includes(one));
  if (unknown !== undefined) throw usage(`unknown status "${unknown}": ${states.join(', ')}`);
  return wanted;
}

/** The fields of Compose's JSON, one object a line. */
function jsonRow(one: ContainerSummary, nowMs: number): Record<string, unknown> {
  return {
    Command: commandText(one.command, true), CreatedAt: new Date(one.createdMs).toISOString(), ExitCode: one.exitCode ?? 0,
    Health: one.health === 'none' ? '' : one.health, ID: one.id, Image: one.image,
    Labels: Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).sort().join(','),
    LocalVolumes: String(one.mounts.filter((mount) => !mount.startsWith('/')).length), Mounts: one.mounts.join(','), Name: one.name, Names: one.name, Networks: one.networks.join(','), Ports: portsText(one), Project: one.projectName ?? '',
    Publishers: one.ports.map((port) => ({ URL: port.hostIp ?? '', TargetPort: port.containerPort, PublishedPort: port.hostPort ?? 0, Protocol: port.protocol })),
    RunningFor: `${spanText(nowMs - one.createdMs)} ago`, Service: one.serviceName ?? '', Size: '0B', State: one.state, Status: statusText(one, nowMs),
  };
}
