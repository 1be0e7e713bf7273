import { humanSize } from '../../base/units.ts';
import type { ImageInfo } from '../../model/container.ts';
import { usage } from '../compose/options.ts';
import type { CliContext } from '../context.ts';
import { parseCommand } from '../parse-command.ts';
import { spanText } from '../print/human.ts';
import { formatTable } from '../print/table.ts';

export async function runImages(args: readonly string[], context: CliContext): Promise<void> {
  const { args: names, options } = await parseCommand('images', args, context, (command) =>
    command
      .description('List images')
      .argument('[repository]')
      .option('-q, --quiet', 'Only show image IDs')
      .option('--no-trunc', 'Don\'t truncate output')
      .option('--digests', 'Show digests')
      .option('--format <format>', 'table or json', 'table'),
  );
  const format = options['format'];
  if (format !== 'table' && format !== 'json') throw usage(`--format takes table or json in this version, not "${String(format)}"`);
  const client = await context.daemon();
  // NOTE: our own daemon's answer.
  const images = (await client.call('GET', '/v1/images')) as readonly ImageInfo[];
  const rows = images.flatMap((image) => rowsOf(image, options['trunc'] === false)).filter((row) => names[0] === undefined || row.repository === names[0] || `${row.repository}:${row.tag}` === names[0]);
  if (options['quiet'] === true) return context.out.write([...new Set(rows.map((row) => `${row.id}\n`))].join(''));
  const ago = (ms: number): string => `${spanText(context.nowMs() - ms)} ago`;
  if (format === 'json') {
    return context.out.write(rows.map((row) => `${JSON.stringify({ ID: row.id, Repository: row.repository, Tag: row.tag, Digest: row.digest, CreatedSince: ago(row.createdMs), CreatedAt: new Date(row.createdMs).toISOString(), Size: humanSize(row.sizeBytes) })}\n`).join(''));
  }
  const hasDigests = options['digests'] === true;
  context.out.write(
    formatTable(
      ['REPOSITORY', 'TAG', ...(hasDigests ? ['DIGEST'] : []), 'IMAGE ID', 'CREATED', 'SIZE'],
      rows.map((row) => [row.repository, row.tag, ...(hasDigests ? [row.digest] : []), row.id, ago(row.createdMs), humanSize(row.sizeBytes)]),
    ),
  );
}

type Row = { readonly repository: string; readonly tag: string; readonly digest: string; readonly id: string; readonly createdMs: number; readonly sizeBytes: number };

function rowsOf(image: ImageInfo, noTrunc: boolean): Row[] {
  const id = noTrunc ? image.id : image.id.replace('sha256:', '').slice(0, 12);
  const base = { id, createdMs: image.createdMs, sizeBytes: image.sizeBytes };
  const digestOf = (repository: string): string => image.repoDigests.find((one) => one.startsWith(`${repository}@`))?.split('@')[1] ?? '<none>';
  if (image.tags.length === 0) {
    const repository = image.repoDigests[0]?.split('@')[0] ?? '<none>';
    return [{ ...base, repository, tag: '<none>', digest: digestOf(repository) }];
  }
  return image.tags.map((tag) => {
    const cut = tag.lastIndexOf(':');
    const repository = tag.slice(0, cut);
    return { ...base, repository, tag: tag.slice(cut + 1), digest: digestOf(repository) };
  });
}
