import { expect, test } from 'vitest';
import { runStore } from '../../src/cli/commands/store.ts';
import type { CliContext, Output } from '../../src/cli/context.ts';
import type { ApiClient } from '../../src/wire/http-client.ts';

function contextOf(answer: unknown): { readonly context: CliContext; readonly asked: string[]; readonly written: string[] } {
  const [asked, written]: [string[], string[]] = [[], []];
  const out: Output = { write: (text) => void written.push(String(text)), isTty: false, columns: () => 80, rows: () => 24 };
  const refuse = (): never => {
    throw new Error('not used here');
  };
  const client: ApiClient = {
    call: async (method, path) => {
      asked.push(`${method} ${path}`);
      return answer;
    },
    lines: refuse, upgrade: refuse,
  };
  const context: CliContext = { env: {}, cwd: '/', out, err: out, daemon: async () => client, daemonIfRunning: async () => client, onInterrupt: () => () => undefined, stdin: process.stdin, nowMs: () => 0, messages: { isJson: false, isColoured: false } };
  return { context, asked, written };
}

test.for(['rotate', 'lock', 'unlock'])('store keys %s asks the daemon for it', async (kind) => {
  const { context, asked, written } = contextOf(kind === 'lock' ? { unlockKey: 'FLKEY-1-x' } : null);
  await runStore(['keys', kind], context);
  expect(asked).toEqual([`POST /v1/store/keys/${kind}`]);
  expect(written.join('')).toBe(kind === 'lock' ? 'unlockKey: FLKEY-1-x\n' : 'done\n');
});

test('another word, or none, is refused before anything is asked', async () => {
  const { context, asked } = contextOf(null);
  for (const words of [['keys'], ['keys', 'forget']]) await expect(runStore(words, context)).rejects.toMatchObject({ code: 'CLI_USAGE' });
  expect(asked).toEqual([]);
});
