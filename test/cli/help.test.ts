import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCompose } from '../../src/cli/compose/program.ts';
import { type CliContext, ExitWith, type Output } from '../../src/cli/context.ts';

const source = join(import.meta.dirname, '../../src');
const cli = (...args: readonly string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(source, 'cli/main.ts'), ...args], { encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'], FLOTILLA_RUN: '/nonexistent' } });
  return { code: status, stdout, stderr };
};
/** In this process: what `flotilla compose …` prints. */
async function compose(...args: readonly string[]): Promise<string> {
  let out = '';
  const stream: Output = { isTty: false, write: (text) => void (out += String(text)), columns: () => 80, rows: () => 24 };
  const nobody = async (): Promise<never> => {
    throw new Error('help asks no daemon');
  };
  const context: CliContext = { env: {}, cwd: '/', out: stream, err: stream, daemon: nobody, daemonIfRunning: nobody, onInterrupt: () => () => undefined, stdin: process.stdin, nowMs: () => 0, messages: { isJson: false, isColoured: false } };
  await runCompose(args, context).catch((error: unknown) => {
    if (!(error instanceof ExitWith) || error.exitCode !== 0) throw error;
  });
  return out;
}
const namesIn = (page: string): string[] => [...(page.split('Commands:\n')[1] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1] ?? '');
const topLevel = namesIn(cli('help').stdout);
const ofCompose = namesIn(cli('compose', '--help').stdout);

describe('help', () => {
  test('is there for every command that is listed', () => {
    expect(topLevel).toEqual(expect.arrayContaining(['compose', 'exec', 'doctor', 'daemon']));
    expect(ofCompose).toEqual(expect.arrayContaining(['up', 'down', 'config', 'help']));
  });

  test.for(topLevel)('flotilla help %s', (name) => {
    expect(cli('help', name)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(new RegExp(`^Usage: flotilla ${name}\\b[^]*\n\nOptions:\n`)) });
  });

  test('is the same by --help; the daemon has its own', () => {
    expect(cli('ps', '--help')).toEqual(cli('help', 'ps'));
    const daemon = spawnSync(process.execPath, [join(source, 'daemon/main.ts'), 'daemon', '--help'], { encoding: 'utf8' });
    expect([daemon.status, daemon.stdout]).toEqual([0, cli('help', 'daemon').stdout]);
    expect(cli('help', 'compose', 'up')).toEqual(cli('compose', 'up', '--help'));
  });

  test('of a command of compose is had in two ways', async () => {
    for (const name of ofCompose.filter((one) => one !== 'help')) {
      const page = await compose(name, '--help');
      expect(page).toMatch(new RegExp(`^Usage: flotilla compose ${name}\\b[^]*\n\nOptions:\n`));
      expect(await compose('help', name), name).toBe(page);
    }
    expect(await compose('help')).toBe(await compose('--help'));
  });

  test('of what is not there says so', () => {
    expect(cli('help', 'imagse')).toMatchObject({ code: 3, stderr: expect.stringContaining('did you mean `flotilla images`?') });
    expect(cli('help', 'stack')).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_NOT_YET') });
    expect(cli('compose', 'help', 'watch')).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_NOT_YET: `compose watch`') });
    for (const args of [['compose', 'help', 'pss'], ['compose', 'pss']]) expect(cli(...args)).toMatchObject({ code: 3, stderr: expect.stringMatching(/CLI_UNKNOWN_COMMAND: .*`pss`\n.*did you mean `flotilla compose ps`/) });
    expect(cli('compose', 'up', '--nonsense')).toMatchObject({ code: 3, stderr: expect.stringContaining('hint: flotilla compose up --help') });
  });
});
