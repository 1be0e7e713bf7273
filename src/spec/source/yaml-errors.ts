import { isScalar, visit } from 'yaml';
import type { Document } from 'yaml';
import type { Diagnostic } from '../../base/diagnostic.ts';

/** What the YAML reader stumbled over. */
export type YamlProblem = { readonly code: string; readonly message: string; readonly pos: readonly [number, number] };

export type Explained = Pick<Diagnostic, 'code' | 'message' | 'hint'> & {
  /** The characters that are meant: where the mistake is, which is not always where the reader noticed it. */
  readonly start: number;
  readonly end: number;
};

type Words = { readonly message: string; readonly hint?: string };

/**
 * Says in plain words what is wrong with the YAML of a document, where, and what usually mends it.
 * One mistake makes the reader stumble several times: of those that follow from another, only the first is told.
 */
export function explainYaml(problems: readonly YamlProblem[], text: string, document: Document): Explained[] {
  const out: Explained[] = [];
  const misplaced = new Set<number>();
  for (const [index, problem] of problems.entries()) {
    const item = misplacedItem(problem, text);
    if (item !== null) {
      if (!misplaced.has(item.start)) out.push(item);
      misplaced.add(item.start);
      continue;
    }
    const isEcho = index > 0 && problem.message.includes('in YAML stream');
    const isDoubled = problem.code === 'BLOCK_AS_IMPLICIT_KEY' && problems.some((other) => other.code === 'MULTILINE_IMPLICIT_KEY' && other.pos[0] === problem.pos[0]);
    if (!isEcho && !isDoubled) out.push(explain(problem, text, document));
  }
  return out;
}

function explain(problem: YamlProblem, text: string, document: Document): Explained {
  const { code, message, pos } = problem;
  const [start, end] = pos;
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, lineStart + 200))?.[0] ?? '';
  if (code === 'TAB_AS_INDENT' || (indent.includes('\t') && start <= lineStart + indent.length + 1)) {
    const tab = lineStart + indent.indexOf('\t');
    return { code: 'SPEC_TAB_INDENT', message: 'a tab is used for indentation', hint: 'YAML allows spaces only: replace the tab by two spaces.', start: tab, end: tab + 1 };
  }
  if (message.startsWith('Missing closing')) return unclosedQuote(problem, document);
  if (code === 'MULTILINE_IMPLICIT_KEY') return keyOverLines(problem, text);
  const words = wordsOf(code, message);
  return { code: 'SPEC_YAML_SYNTAX', ...words, start, end };
}

/** A list item that begins in another column than the one right above it: the reader takes it for the end of that one's text. */
function misplacedItem({ pos }: YamlProblem, text: string): Explained | null {
  const lineStart = text.lastIndexOf('\n', pos[0] - 1) + 1;
  const start = lineStart + indentAt(text, lineStart);
  const aboveStart = text.lastIndexOf('\n', lineStart - 2) + 1;
  const above = aboveStart + indentAt(text, aboveStart);
  if (lineStart === 0 || !isItem(text, start) || !isItem(text, above) || start - lineStart >= above - aboveStart) return null;
  const [own, other] = [start - lineStart, above - aboveStart];
  return { code: 'SPEC_YAML_SYNTAX', message: `this item is indented by ${own} spaces, the one above by ${other}`, hint: 'Items of one list begin in the same column.', start, end: start + 1 };
}

function isItem(text: string, at: number): boolean {
  return text.charAt(at) === '-' && /[ \n]/.test(text.charAt(at + 1));
}

/** The reader notices at the end of the file; the mistake is at the quote that opens. */
function unclosedQuote({ pos }: YamlProblem, document: Document): Explained {
  let opening = pos[0];
  visit(document, {
    Scalar: (_, node) => {
      const isQuoted = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE');
      if (isQuoted && node.range != null && node.range[1] >= pos[0] - 1) opening = node.range[0];
    },
  });
  return { code: 'SPEC_YAML_SYNTAX', message: 'this quote is never closed', hint: 'Put the same quote behind the end of the text.', start: opening, end: opening + 1 };
}

/** A plain text runs on over the next line, until a colon there makes the whole of it a key. */
function keyOverLines({ pos }: YamlProblem, text: string): Explained {
  const newline = text.indexOf('\n', pos[0]);
  const lineStart = text.lastIndexOf('\n', pos[0] - 1) + 1;
  const before = indentAt(text, lineStart);
  const after = indentAt(text, newline + 1);
  if (newline >= 0 && newline < pos[1] && after > before) {
    const start = newline + 1 + after;
    const lineEnd = text.indexOf('\n', start);
    const colon = text.indexOf(':', start);
    const end = colon > start && (lineEnd < 0 || colon < lineEnd) ? colon : start + 1;
    const message = 'this line is indented more than the one above, where nothing opens';
    return { code: 'SPEC_YAML_SYNTAX', message, hint: 'Keys of one mapping begin in the same column; a key whose value follows below ends with `:`.', start, end };
  }
  const end = newline < 0 ? pos[1] : Math.min(newline, pos[1]);
  return { code: 'SPEC_YAML_SYNTAX', message: 'a colon and a space are missing here', hint: 'Write `key: value`.', start: pos[0], end };
}

function indentAt(text: string, lineStart: number): number {
  let at = lineStart;
  while (text.charAt(at) === ' ') at += 1;
  return at - lineStart;
}

function wordsOf(code: string, message: string): Words {
  const flow = /^Flow (sequence|map)\b.*end with a ([\]}])/.exec(message);
  if (flow !== null) {
    const closing = flow[2] ?? ']';
    return { message: `a \`${closing === ']' ? '[' : '{'}\` above is not closed before this line`, hint: `Put \`${closing}\` behind its last item.` };
  }
  if (message.startsWith('Implicit map keys need to be followed')) return { message: 'a `:` is missing behind this key', hint: 'Write `key: value`, or `key:` alone.' };
  if (message.includes('at node end')) return { message: 'this stands behind a value that is already complete', hint: 'Put quotes around the whole text, or begin a new line.' };
  return explanations[code] ?? { message: firstSentence(message) };
}

const explanations: Readonly<Record<string, Words>> = {
  BAD_INDENT: { message: 'this line is indented differently from its neighbours', hint: 'Keys of one mapping begin in the same column.' },
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
