// `compose config` alone, for comparing it with another program: `node test/conformance/config-main.ts compose -f a.yml config --format json`.
import { Command } from 'commander';
import { isAppError } from '../../src/base/app-error.ts';
import { addConfigCommand } from '../../src/cli/compose-config-flags.ts';
import type { ProjectFlags } from '../../src/cli/read-project.ts';

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];
const compose = new Command('compose')
  .enablePositionalOptions()
  .option('-f, --file <file>', 'files', collect)
  .option('--env-file <file>', 'env files', collect)
  .option('--profile <name>', 'profiles', collect)
  .option('-p, --project-name <name>', 'name')
  .option('--project-directory <dir>', 'folder');
addConfigCommand(compose, () => compose.opts<ProjectFlags>(), {
  env: process.env,
  cwd: process.cwd(),
  out: { write: (text) => void process.stdout.write(text) },
  err: { write: (text) => void process.stderr.write(text), isTty: false },
});
try {
  await new Command('flotilla').enablePositionalOptions().addCommand(compose).parseAsync(process.argv);
} catch (error) {
  if (!isAppError(error)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
