import { Lexer } from 'yaml';

/**
 * A lexer that lets quoted texts and lists in brackets go on at any indentation, as the reference's reader does and many
 * files need: `["a",` on one line and `"b"]` at the beginning of the next.
 * NOTE: it reaches into the package's lexer; test/spec/yaml.test.ts notices if a new version of it has no such field.
 */
export function looseLexer(): Lexer {
  const lexer = new Lexer();
  const state = { indentNext: lexer['indentNext'], isQuoted: false };
  const readQuoted = lexer['parseQuotedScalar'].bind(lexer);
  lexer['parseQuotedScalar'] = function* quoted() {
    state.isQuoted = true;
    const next = yield* readQuoted();
    state.isQuoted = false;
    return next;
  };
  Object.defineProperty(lexer, 'indentNext', {
    get: () => (state.isQuoted || lexer['flowLevel'] > 0 ? 0 : state.indentNext),
    set: (value: number) => {
      state.indentNext = value;
    },
  });
  return lexer;
}
