import { describe, expect, test } from 'vitest';
import { refuseFlags, refuseGlobalFlags } from '../../src/cli/compose/not-yet.ts';
import { withoutPulls } from '../../src/cli/print/progress.ts';
import { unknownCommand } from '../../src/cli/unknown-command.ts';
import type { ChangeEvent, ProgressEvent } from '../../src/model/progress.ts';

describe('a word that is no command', () => {
  test.for([
    ['run', 'CLI_NOT_YET', 'flotilla compose up'],
    ['stack', 'CLI_NOT_YET', 'one node'],
    ['stop', 'CLI_NOT_YET', 'flotilla compose stop SERVICE'],
    ['up', 'CLI_UNKNOWN_COMMAND', 'did you mean `flotilla compose up`?'],
    ['imagse', 'CLI_UNKNOWN_COMMAND', 'did you mean `flotilla images`?'],
    ['xyzzy', 'CLI_UNKNOWN_COMMAND', 'flotilla help lists what there is'],
    ['constructor', 'CLI_UNKNOWN_COMMAND', 'flotilla help lists what there is'],
  ] as const)('%s', ([word, code, hint]) => {
    const error = unknownCommand(word, ['compose', 'images', 'ps']);
    expect(error.code).toBe(code);
    expect(error.hint).toContain(hint);
  });
});

describe('flags that would change what a command does are never passed over', () => {
  test.for(['dryRun', 'compatibility', 'allResources'] as const)('--%s is refused', (name) => {
    expect(() => refuseGlobalFlags({ [name]: true })).toThrow('is not in this version');
    expect(() => refuseGlobalFlags({ [name]: false })).not.toThrow();
  });

  test('the name is printed as it is typed', () => {
    expect(() => refuseGlobalFlags({ dryRun: true })).toThrow('`compose --dry-run`');
    expect(() => refuseFlags('up', { abortOnError: true }, { abortOnError: '' })).toThrow('`compose up --abort-on-error`');
  });
});

test('quiet pulls leave the lines of images and layers out, not their errors', () => {
  const line = (id: string, status: ProgressEvent['status'], parentId?: string): ChangeEvent => ({ kind: 'progress', id, status, text: 'x', ...(parentId === undefined ? {} : { parentId }) });
  const seen: string[] = [];
  const printer = withoutPulls({ event: (event) => void seen.push(event.kind === 'progress' ? event.id : event.kind), finish: () => undefined });
  for (const event of [line('Image a', 'working'), line('12ab', 'working', 'Image a'), line('Image b', 'error'), line('Container c', 'done'), { kind: 'done' } as const]) printer.event(event);
  expect(seen).toEqual(['Image b', 'Container c', 'done']);
});
