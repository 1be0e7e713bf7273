import type { ContainerSummary } from '../../model/progress.ts';
import type { CliContext } from '../context.ts';
import { formatTable } from '../print/table.ts';
import { usage } from './options.ts';

/** Projects with a running container; all that are known with `--all`. */
export async function ls(context: CliContext, options: Readonly<Record<string, unknown>>): Promise<void> {
  const { format } = options;
  if (format !== 'table' && format !== 'json') throw usage(`--format takes table or json in this version, not "${String(format)}"`);
  const client = await context.daemon();
  // NOTE: our own daemon's answers.
  const [projects, containers] = (await Promise.all([client.call('GET', '/v1/projects'), client.call('GET', '/v1/containers?all=1')])) as [readonly { readonly name: string; readonly configFiles: readonly string[] }[], readonly ContainerSummary[]];
  const rows = projects.flatMap((project) => {
    const own = containers.filter((one) => one.projectName === project.name);
    const isRunning = own.some((one) => one.state === 'running');
    return isRunning || options['all'] === true ? [{ Name: project.name, Status: statusOf(own), ConfigFiles: project.configFiles.join(',') }] : [];
  });
  if (options['quiet'] === true) context.out.write(rows.map((row) => `${row.Name}\n`).join(''));
  else if (format === 'json') context.out.write(`${JSON.stringify(rows)}\n`);
  else context.out.write(formatTable(['NAME', 'STATUS', 'CONFIG FILES'], rows.map((row) => [row.Name, row.Status, row.ConfigFiles])));
}

/** `exited(1), running(3)`. */
function statusOf(containers: readonly ContainerSummary[]): string {
  const counts = new Map<string, number>();
  for (const one of containers) counts.set(one.state, (counts.get(one.state) ?? 0) + 1);
  return [...counts].sort().map(([state, count]) => `${state}(${count})`).join(', ');
}
