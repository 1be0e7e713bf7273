import type { CliContext } from '../context.ts';
import { eachName } from '../each-name.ts';
import { parseCommand } from '../parse-command.ts';

export async function runRmi(args: readonly string[], context: CliContext): Promise<void> {
  const { args: names, options } = await parseCommand('rmi', args, context, (command) =>
    command.description('Remove one or more images').argument('<image...>').option('-f, --force', 'Force removal of the image'),
  );
  const client = await context.daemon();
  await eachName(context, names, async (name) => {
    // NOTE: our own daemon's answer.
    const gone = (await client.call('DELETE', `/v1/images/${encodeURIComponent(name)}?force=${options['force'] === true ? 1 : 0}`)) as { readonly untagged: readonly string[]; readonly deleted: readonly string[] };
    for (const one of gone.untagged) context.out.write(`Untagged: ${one}\n`);
    for (const one of gone.deleted) context.out.write(`Deleted: ${one}\n`);
  });
}
