import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { complaintFilter, type ExecFiles } from '../../src/engine/container/exec-complaint.ts';
import { realClock } from '../../src/os/real-clock.ts';

let dir = '';
let files: ExecFiles;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-complaint-'));
  files = { process: join(dir, 'process'), pid: join(dir, 'pid'), log: join(dir, 'log') };
});
afterEach(() => rmSync(dir, { recursive: true }));

type Scene = { readonly says: string; readonly code: number; readonly log?: string; readonly hasRun?: boolean };

/** What is passed on, and what is made of the end. */
function outcome({ says, code, log, hasRun = false }: Scene): { readonly shown: string; readonly code: number; readonly error: string | undefined } {
  if (hasRun) writeFileSync(files.pid, '7');
  if (log !== undefined) writeFileSync(files.log, `${JSON.stringify({ msg: log, level: 'error', time: 'now' })}\n`);
  let shown = '';
  const filter = complaintFilter(realClock, files, { container: 'c', argv: ['/tool', '-x'], workingDir: '/w' }, (chunk) => void (shown += Buffer.from(chunk).toString()));
  filter.take(Buffer.from(says));
  const end = filter.end(code);
  return { shown, code: end?.exitCode ?? code, error: end?.error.code };
}

describe('what a runtime says of a command that it could not run is its own', () => {
  // As crun 1.8, crun 1.14 and runc 1.1 say it.
  test.for<readonly [string, Scene, number, string]>([
    ['crun: no such program', { says: 'executable file `/tool` not found in $PATH: No such file or directory\n', log: 'executable file `/tool` not found in $PATH: No such file or directory', code: 255 }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ['crun: no such program, nothing logged', { says: 'executable file `/tool` not found in $PATH: No such file or directory\n', code: 1 }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ['crun: a script without its interpreter', { says: 'exec: No such file or directory\n', log: 'exec: No such file or directory', hasRun: true, code: 255 }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ['a newer crun: the same, nothing logged', { says: 'exec: No such file or directory\n', hasRun: true, code: 1 }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ['a newer crun: no program', { says: 'exec: Exec format error\n', hasRun: true, code: 1 }, 126, 'ENGINE_COMMAND_NOT_FOUND'],
    ['crun: a file that is none', { says: 'open executable: Permission denied\n', log: 'open executable: Permission denied', code: 255 }, 126, 'ENGINE_COMMAND_NOT_FOUND'],
    ['crun: no such folder', { says: 'chdir `/w`: No such file or directory\n', log: 'chdir `/w`: No such file or directory', code: 255 }, 127, 'ENGINE_CONTAINER_SPEC'],
    ['runc: no such program', { says: 'x\n', log: 'exec failed: unable to start container process: exec: "/tool": executable file not found in $PATH', code: 255 }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ['runc: a folder', { says: 'x\n', log: 'exec failed: unable to start container process: exec: "/tool": permission denied', code: 255 }, 126, 'ENGINE_COMMAND_NOT_FOUND'],
    ['runc: a script without its interpreter', { says: 'exec /tool: no such file or directory\n', hasRun: true, code: 1 }, 127, 'ENGINE_COMMAND_NOT_FOUND'],
    ['runc: something else', { says: 'x\n', log: 'cannot exec in a stopped container', code: 255 }, 126, 'ENGINE_RUNTIME_FAILED'],
  ])('%s', ([, scene, code, error]) => {
    expect(outcome(scene)).toEqual({ shown: '', code, error });
  });
});

describe("a program's own words are passed on", () => {
  test.for<readonly [string, Scene]>([
    ['a failure', { says: 'ls: /none: No such file or directory\n', hasRun: true, code: 1 }],
    ['success that sounds like none', { says: 'error: exec: not found\n', hasRun: true, code: 0 }],
    ["a shell's", { says: 'sh: exec: line 0: tool: not found\n', hasRun: true, code: 127 }],
    ['words that begin as a runtime\'s do', { says: 'exec: cannot find the file that was named\n', hasRun: true, code: 2 }],
    ['before it is known that it runs', { says: 'permission denied\n', code: 0 }],
  ])('%s', ([, scene]) => {
    expect(outcome(scene)).toEqual({ shown: scene.says, code: scene.code, error: undefined });
  });

  test('those that sound like a runtime\'s are there once it is known whose they are, not only at the end', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const filter = complaintFilter(realClock, files, { container: 'c', argv: ['/tool'], workingDir: '/' }, (chunk) => resolve(Buffer.from(chunk).toString()));
    filter.take(Buffer.from('error: not found\n'));
    writeFileSync(files.pid, '7');
    expect(await promise).toBe('error: not found\n');
    expect(filter.end(1)).toBe(null);
  });
});
