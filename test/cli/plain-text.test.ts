import { expect, test } from 'vitest';
import { AppError } from '../../src/base/app-error.ts';
import type { Output } from '../../src/cli/context.ts';
import { printError } from '../../src/cli/print/error.ts';
import { createProgressPrinter } from '../../src/cli/print/progress.ts';
import { formatTable } from '../../src/cli/print/table.ts';

const hostile = 'busybox:\u001b]0;evil\u0007\u009b2J\u202e';

function paper(): Output & { readonly text: () => string } {
  let text = '';
  return { write: (one) => void (text += String(one)), isTty: true, columns: () => 80, rows: () => 24, text: () => text };
}

// Source: CVE-2021-25743 and its kind: a name that moves the cursor, renames the window or hides what follows.
test.for<[name: string, print: (out: Output) => void]>([
  ['an error', (out) => printError(out, new AppError({ code: 'ENGINE_IMAGE_NAME', message: hostile, hint: hostile, at: { kind: 'object', object: hostile } }), { isColoured: false })],
  ['a line of progress', (out) => createProgressPrinter({ mode: 'plain', out, title: 'x', isColoured: false, nowMs: () => 0, isDryRun: false }).event({ kind: 'progress', id: hostile, status: 'error', text: 'Error', details: hostile })],
  ['a warning', (out) => createProgressPrinter({ mode: 'quiet', out, title: 'x', isColoured: false, nowMs: () => 0, isDryRun: false }).event({ kind: 'warning', code: 'X', message: hostile })],
  ['a table', (out) => out.write(formatTable(['IMAGE'], [[hostile]]))],
])('%s shows control characters instead of obeying them', ([, print]) => {
  const out = paper();
  print(out);
  expect(out.text()).toContain('\\u001b]0;evil\\u0007\\u009b2J\\u202e');
  expect([...out.text()].filter((one) => one !== '\n' && (one < ' ' || (one >= '\u007f' && one <= '\u009f')))).toEqual([]);
});
