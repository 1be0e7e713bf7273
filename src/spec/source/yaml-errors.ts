import type { Diagnostic } from '../../base/diagnostic.ts';

type Explained = Pick<Diagnostic, 'code' | 'message' | 'hint'>;

/** Says in plain words what the YAML reader stumbled over, and what usually mends it. */
export function explainYaml(code: string, message: string, text: string, offset: number): Explained {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, lineStart + 200))?.[0] ?? '';
  if (code === 'TAB_AS_INDENT' || (indent.includes('\t') && offset <= lineStart + indent.length + 1)) {
    return { code: 'SPEC_TAB_INDENT', message: 'a tab is used for indentation', hint: 'YAML allows spaces only: replace the tab by two spaces.' };
  }
  const found = explanations[code];
  return {
    code: 'SPEC_YAML_SYNTAX',
    message: found?.message ?? firstSentence(message),
    ...(found?.hint === undefined ? {} : { hint: found.hint }),
  };
}

const explanations: Readonly<Record<string, { readonly message: string; readonly hint?: string }>> = {
  BAD_INDENT: { message: 'this line is indented differently from its neighbours', hint: 'Keys of one mapping begin in the same column.' },
  MULTILINE_IMPLICIT_KEY: { message: 'a key must be on one line with its colon', hint: 'A `:` may be missing, or a text with `: ` in it needs quotes.' },
  MISSING_CHAR: { message: 'a sign is missing here: a closing quote, bracket, or the `:` after a key', hint: 'Close the quote or bracket that was opened, or write `key: value`.' },
  BLOCK_AS_IMPLICIT_KEY: { message: 'a second `: ` on one line', hint: 'Put quotes around a text that holds `: `, or begin a new line.' },
  BLOCK_IN_FLOW: { message: 'indented blocks are not allowed inside [ ] or { }' },
  BAD_ALIAS: { message: 'this `*alias` is not written right', hint: 'Quote a text that begins with `*`.' },
  UNEXPECTED_TOKEN: { message: 'this is not expected here', hint: 'Texts that begin with one of @ ` % & * ! | > need quotes.' },
  BAD_SCALAR_START: { message: 'a plain text can not begin with this sign', hint: 'Put quotes around it.' },
  BAD_DQ_ESCAPE: { message: 'an unknown escape in a "double-quoted" text', hint: "Use '…' where a backslash means itself." },
  BAD_PROP_ORDER: { message: 'anchors and tags must come right before the value' },
};

function firstSentence(message: string): string {
  const line = message.split('\n')[0] ?? message;
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}
