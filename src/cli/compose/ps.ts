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
  const noTrunc = options['trunc'] === false;
  if (format === 'json') return context.out.write(containers.map((one) => `${JSON.stringify(jsonRow(one, { nowMs: context.nowMs(), noTrunc }))}\n`).join(''));
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
  const fromFilters = textList(options['filter']).map((filter) => {
    const status = /^status=(.+)$/.exec(filter)?.[1];
    if (status === undefined) throw usage(`unknown filter "${filter}": only status=… is supported`);
    return status;
  });
  const wanted = [...textList(options['status']), ...fromFilters];
  const unknown = wanted.find((one) => !states.includes(one));
  if (unknown !== undefined) throw usage(`unknown status "${unknown}": ${states.join(', ')}`);
  return wanted;
}

/** The fields of Compose's JSON, one object a line. */
function jsonRow(one: ContainerSummary, { nowMs, noTrunc }: { readonly nowMs: number; readonly noTrunc: boolean }): Record<string, unknown> {
  return {
    Command: commandText(one.command, true), CreatedAt: `${new Date(one.createdMs).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`, ExitCode: one.exitCode ?? 0,
    Health: one.health === 'none' ? '' : one.health, ID: noTrunc ? one.id : one.id.slice(0, 12), Image: one.image,
    Labels: Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).sort().join(','),
    LocalVolumes: String(one.mounts.filter((mount) => !mount.startsWith('/')).length), Mounts: one.mounts.join(','), Name: one.name, Names: one.name, Networks: one.networks.join(','), Ports: portsText(one), Project: one.projectName ?? '',
    Publishers: one.ports.map((port) => ({ URL: port.hostIp ?? '', TargetPort: port.containerPort, PublishedPort: port.hostPort ?? 0, Protocol: port.protocol })),
    RunningFor: `${spanText(nowMs - one.createdMs)} ago`, Service: one.serviceName ?? '', Size: '0B', State: one.state, Status: statusText(one, nowMs),
  };
}
