import { Composer, Lexer, LineCounter, Parser } from 'yaml';
import type { Document } from 'yaml';
import { limits } from '../../base/limits.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { positionAt } from './origins.ts';
import type { SourceText } from './origins.ts';
import { looseLexer } from './loose-lexer.ts';
import { explainYaml } from './yaml-errors.ts';

export type ReadDocument = { readonly source: SourceText; readonly document: Document };
export type ReadYaml = { readonly documents: readonly ReadDocument[]; readonly diagnostics: readonly Diagnostic[] };

/**
 * Reads the bytes of one YAML file into its documents, positions kept. Nothing is resolved yet: see build-model.ts.
 * Bound: the limits `composeFile…Max`, checked before the work that they bound.
 */
export function readYaml(file: string, content: string | Uint8Array): ReadYaml {
  const decoded = decode(content);
  if (typeof decoded !== 'string') return { documents: [], diagnostics: [{ ...decoded, file }] };
  const lines = new LineCounter();
  const source: SourceText = { file, text: decoded, lines };
  if (content.length > limits.composeFileBytesMax) {
    return refuse(file, 'SPEC_FILE_TOO_LARGE', `the file is ${content.length} bytes long; at most ${limits.composeFileBytesMax} are read`, 'Keep data out of the compose file: use configs or secrets with `file:`.');
  }
  try {
    const strict = compose(source, lines, new Lexer());
    if (strict.diagnostics.length === 0) return strict;
    // Only then the slower, looser one. If that fails too, the strict one says better where the mistake is.
    const counted = new LineCounter();
    const loose = compose({ ...source, lines: counted }, counted, looseLexer());
    return loose.diagnostics.length === 0 ? loose : strict;
  } catch (error) {
    // NOTE: the reader recurses; input made to be deep ends here instead of in a crash.
    if (error instanceof RangeError) return tooDeep(file);
    throw error;
  }
}

function compose(source: SourceText, lines: LineCounter, lexer: Lexer): ReadYaml {
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, merge: false, prettyErrors: false, strict: true, version: '1.2' });
  lines.addNewLine(0);
  const documents: Document[] = [];
  let oddities = 0;
  const guard = { lexemes: 0, flowDepth: 0, lineDepth: 0 };
  for (const lexeme of lexer.lex(source.text)) {
    const problem = watch(guard, lexeme, source.file);
    if (problem !== undefined) return problem;
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error' || token.type === 'directive') oddities += 1;
      for (const one of composer.next(token)) documents.push(one);
    }
    // What is no YAML at all would give a finding a word.
    if (oddities > limits.diagnosticsMax) break;
    if (documents.length > limits.composeDocumentsMax) return refuse(source.file, 'SPEC_FILE_TOO_LARGE', `the file holds more than ${limits.composeDocumentsMax} documents`, 'A compose file is one document.');
  }
  for (const token of parser.end()) for (const one of composer.next(token)) documents.push(one);
  for (const one of composer.end()) documents.push(one);
  const diagnostics: Diagnostic[] = [];
  if (documents.some((one) => one.errors.some((error) => error.code === 'RESOURCE_EXHAUSTION' || error.message.includes('call stack')))) return tooDeep(source.file);
  for (const one of documents) {
    for (const { start, end, ...words } of explainYaml(one.errors.slice(0, limits.diagnosticsMax), source.text, one)) {
      diagnostics.push({ severity: 'error', ...words, ...positionAt(source, start, end) });
    }
  }
  return { documents: documents.map((document) => ({ source, document })), diagnostics };
}

/** Refuses a file while it is being cut into words, before the costly steps. */
function watch(guard: { lexemes: number; flowDepth: number; lineDepth: number }, lexeme: string, file: string): ReadYaml | undefined {
  guard.lexemes += 1;
  if (guard.lexemes > limits.composeFileLexemesMax) {
    return refuse(file, 'SPEC_FILE_TOO_LARGE', `the file has more than ${limits.composeFileLexemesMax} words and signs`, 'Split it with `include:`.');
  }
  const first = lexeme.charCodeAt(0);
  if (lexeme.length === 1) {
    if (first === 91 || first === 123) guard.flowDepth += 1;
    else if (first === 93 || first === 125) guard.flowDepth -= 1;
    else if (first === 45 || first === 63) guard.lineDepth += 1;
  }
  if (first === 10 || first === 13) guard.lineDepth = 0;
  return guard.flowDepth > limits.composeDepthMax || guard.lineDepth > limits.composeDepthMax ? tooDeep(file) : undefined;
}

function tooDeep(file: string): ReadYaml {
  return refuse(file, 'SPEC_TOO_DEEP', `the file is nested more than ${limits.composeDepthMax} levels deep`, 'No key of the language needs more than a dozen levels.');
}

function refuse(file: string, code: Diagnostic['code'], message: string, hint: string): ReadYaml {
  return { documents: [], diagnostics: [{ severity: 'error', code, message, hint, file, line: 1, column: 1 }] };
}

type Undecodable = Pick<Diagnostic, 'severity' | 'code' | 'message' | 'hint' | 'line' | 'column'>;

/** UTF-8 or, by its mark, UTF-16; the mark is taken off. */
function decode(content: string | Uint8Array): string | Undecodable {
  if (typeof content === 'string') return withLineFeeds(content.startsWith('\ufeff') ? content.slice(1) : content);
  if (content.length > limits.composeFileBytesMax) return '';
  const [a = 0, b = 0] = content;
  const encoding = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : 'utf-8';
  try {
    return withLineFeeds(new TextDecoder(encoding, { fatal: true }).decode(content));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const line = new TextDecoder().decode(content).split('\ufffd')[0]?.split('\n') ?? [''];
    return {
      severity: 'error',
      code: 'SPEC_NOT_UTF8',
      message: 'the file is not valid UTF-8',
      hint: 'Save it with the encoding UTF-8.',
      line: line.length,
      column: (line.at(-1) ?? '').length + 1,
    };
  }
}

/** A carriage return alone ends a line too, as in YAML 1.1; the text keeps its length. */
function withLineFeeds(text: string): string {
  return text.includes('\r') ? text.replace(/\r(?!\n)/g, '\n') : text;
}
