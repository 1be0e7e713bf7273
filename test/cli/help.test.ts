import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const source = join(import.meta.dirname, '../../src');
const cli = (...args: readonly string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(source, 'cli/main.ts'), ...args], { encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'], FLOTILLA_RUN: '/nonexistent' } });
  return { code: status, stdout, stderr };
};
const namesIn = (page: string): string[] => [...(page.split('Commands:\n')[1] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1] ?? '');
const topLevel = namesIn(cli('help').stdout);
const ofCompose = namesIn(cli('compose', '--help').stdout);

describe('help', () => {
  test('is there for every command that is listed', () => {
    expect(topLevel).toEqual(expect.arrayContaining(['compose', 'exec', 'doctor', 'daemon']));
    expect(ofCompose).toEqual(expect.arrayContaining(['up', 'down', 'config', 'help']));
  });

  test.for(topLevel)('flotilla help %s prints what --help prints', (name) => {
    const asked = cli('help', name);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(asked.stdout).toMatch(new RegExp(`^Usage: flotilla ${name}\\b`));
    const printed = name === 'daemon' ? spawnSync(process.execPath, [join(source, 'daemon/main.ts'), 'daemon', '--help'], { encoding: 'utf8' }) : spawnSync(process.execPath, [join(source, 'cli/main.ts'), name, '--help'], { encoding: 'utf8' });
    expect([printed.status, printed.stdout]).toEqual([0, asked.stdout]);
  });

  test('of a command of compose is had in three ways', () => {
    for (const name of ofCompose.filter((one) => one !== 'help')) {
      const page = cli('compose', name, '--help');
      expect(page).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(new RegExp(`^Usage: flotilla compose ${name}\\b[^]*\n\nOptions:\n`)) });
      expect(cli('compose', 'help', name), name).toEqual(page);
      if (name === 'up') expect(cli('help', 'compose', name)).toEqual(page);
    }
    expect(cli('compose', 'help')).toEqual(cli('compose', '--help'));
  }, 30_000);

  test('of what is not there says so', () => {
    expect(cli('help', 'imagse')).toMatchObject({ code: 3, stderr: expect.stringContaining('did you mean `flotilla images`?') });
    expect(cli('help', 'stack')).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_NOT_YET') });
    expect(cli('compose', 'help', 'watch')).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_NOT_YET: `compose watch`') });
    for (const args of [['compose', 'help', 'pss'], ['compose', 'pss']]) expect(cli(...args)).toMatchObject({ code: 3, stderr: expect.stringMatching(/CLI_UNKNOWN_COMMAND: .*`pss`\n.*did you mean `flotilla compose ps`/) });
    expect(cli('compose', 'up', '--nonsense')).toMatchObject({ code: 3, stderr: expect.stringContaining('hint: flotilla compose up --help') });
  });
});
