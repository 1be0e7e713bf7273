import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

export type ShellWordsOptions = {
  /**
   * The rules of newer releases of the reference's own library: `\\n` and `\\t` outside single quotes mean the control
   * characters, and a stray bracket is refused. Compose files are read by the older rules.
   */
  readonly isStrict?: boolean;
  /** Replaces `$NAME` and `${NAME}`; an unquoted value is cut into words again. Compose files never ask for it. */
  readonly lookup?: (name: string) => string | undefined;
  /** Answers what a command in backquotes or `$( )` prints. Compose files never ask for it. */
  readonly run?: (command: string) => Parsed<string>;
};

type Mode = 'plain' | 'single' | 'double' | 'back' | 'dollar';
type Word = 'none' | 'bare' | 'quoted';

/** What has been read so far: the words, the word being read, and the command inside backquotes. */
type State = { words: string[]; buffer: string; command: string; mode: Mode; word: Word; isEscaped: boolean };

const problem = refused('the command line has an unclosed quote, bracket or escape');

/**
 * Cuts `sh -c "echo hi"` into words as the reference does for `command` and `entrypoint` given as text.
 * Quotes group, a backslash keeps the next character, and an unquoted `; & | < >` ends the line: what stands behind it is
 * dropped, because no shell runs it. Text between a bracket that closes too early and the next one stays together.
 * Source: mattn/go-shellwords (behaviour).
 */
export function splitShellWords(line: string, options: ShellWordsOptions = {}): Parsed<string[]> {
  const state: State = { words: [], buffer: '', command: '', mode: 'plain', word: 'none', isEscaped: false };
  for (const char of line) {
    const step = take(state, char, options);
    if (step === 'end') break;
    if (typeof step !== 'string') return step;
  }
  const last = finishWord(state, options);
  if (last !== undefined) return last;
  return state.isEscaped || state.mode !== 'plain' ? problem : parsed(state.words);
}

type Step = 'next' | 'end' | Extract<Parsed<never>, { ok: false }>;

function take(state: State, char: string, options: ShellWordsOptions): Step {
  if (state.isEscaped) {
    const isControl = options.isStrict === true && (char === 't' || char === 'n');
    state.buffer += isControl ? (char === 't' ? '\t' : '\n') : char;
    state.isEscaped = false;
    state.word = 'bare';
    return 'next';
  }
  if (char === '\\') {
    if (state.mode === 'single') state.buffer += char;
    else state.isEscaped = true;
    return 'next';
  }
  if (/[ \t\r\n]/.test(char)) return takeSpace(state, char, options);
  const special = takeSpecial(state, char, options);
  if (special !== 'plain') return special;
  state.word = 'bare';
  state.buffer += char;
  if (state.mode === 'back' || state.mode === 'dollar') state.command += char;
  return 'next';
}

function takeSpace(state: State, char: string, options: ShellWordsOptions): Step {
  if (state.mode !== 'plain') {
    state.buffer += char;
    state.command += char;
    return 'next';
  }
  return finishWord(state, options) ?? 'next';
}

function takeSpecial(state: State, char: string, options: ShellWordsOptions): Step | 'plain' {
  const { mode } = state;
  if (char === '`' && (mode === 'plain' || mode === 'back')) return takeBackquote(state, options);
  if (char === ')' && (mode === 'plain' || mode === 'dollar')) return mode === 'plain' ? openByMistake(state, options) : closeDollar(state, options);
  if (char === '(' && (mode === 'plain' || mode === 'dollar')) {
    if (mode === 'dollar' || !state.buffer.endsWith('$')) return problem;
    state.mode = 'dollar';
    state.buffer += char;
    return 'next';
  }
  if (char === '"' && (mode === 'plain' || mode === 'double' || mode === 'back')) return toggle(state, 'double');
  if (char === "'" && (mode === 'plain' || mode === 'single' || mode === 'back')) return toggle(state, 'single');
  if (/[;&|<>]/.test(char) && mode === 'plain') {
    // `2>file`: the number belongs to the redirection, not to the command.
    if (char === '>' && /^[0-9]/.test(state.buffer)) state.word = 'none';
    return 'end';
  }
  return 'plain';
}

function toggle(state: State, quote: 'single' | 'double'): Step {
  if (state.mode === 'back') return problem;
  if (state.mode === quote) state.word = 'quoted';
  state.mode = state.mode === quote ? 'plain' : quote;
  return 'next';
}

function takeBackquote(state: State, options: ShellWordsOptions): Step | 'plain' {
  const isClosing = state.mode === 'back';
  const { command } = state;
  state.command = '';
  state.mode = isClosing ? 'plain' : 'back';
  if (options.run === undefined) return 'plain';
  return isClosing ? replaceCommand(state, { command, prefix: 0, run: options.run }) : 'next';
}

/** The older rules take a stray `)` for the begin of what the next `)` ends. */
function openByMistake(state: State, { isStrict }: ShellWordsOptions): Step | 'plain' {
  if (isStrict === true) return problem;
  state.mode = 'dollar';
  return 'plain';
}

function closeDollar(state: State, options: ShellWordsOptions): Step {
  const { command } = state;
  state.command = '';
  state.mode = 'plain';
  if (options.run !== undefined) return replaceCommand(state, { command, prefix: 2, run: options.run });
  state.buffer += ')';
  state.word = 'bare';
  return 'next';
}

function replaceCommand(state: State, { command, prefix, run }: { command: string; prefix: number; run: (command: string) => Parsed<string> }): Step {
  const printed = run(command);
  if (!printed.ok) return printed;
  const keep = state.buffer.length - command.length - prefix;
  if (keep < 0) return problem;
  state.buffer = state.buffer.slice(0, keep) + printed.value;
  return 'next';
}

function finishWord(state: State, { lookup, isStrict = false }: ShellWordsOptions): Extract<Step, object> | undefined {
  if (state.word === 'none') return undefined;
  if (lookup === undefined) state.words.push(state.buffer);
  else if (state.word === 'quoted') state.words.push(expandNames(state.buffer, lookup));
  else {
    const again = splitShellWords(expandNames(state.buffer, lookup), { isStrict });
    if (!again.ok) return again;
    state.words.push(...again.value);
  }
  state.buffer = '';
  state.word = 'none';
  return undefined;
}

function expandNames(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\\([\s\S]?)|\$\{([\p{L}\p{Nd}_]*)\}|\$([\p{L}\p{Nd}_]+)/gu, (_, escaped?: string, inBraces?: string, bare?: string) => escaped ?? lookup(inBraces ?? bare ?? '') ?? '');
}
