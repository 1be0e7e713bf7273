import { describe, expect, test } from 'vitest';
import { parseDotenv, parseRawEnv } from '../../src/spec/dotenv/parse.ts';
import type { DotenvResult } from '../../src/spec/dotenv/parse.ts';
import { cpuMs } from '../cpu-time.ts';
import { fc } from '../property.ts';

const lookup = (name: string): string | undefined => (name === 'HOME' ? '/home/app' : undefined);

/** `A=1 B=2` as JSON pairs, or the error with its line. */
function show(result: DotenvResult): string {
  return result.ok ? [...result.values].map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(' ') : `! ${result.error.line}:${result.error.column} ${result.error.message}`;
}

describe('env files', () => {
  // Source: answers of Docker Compose 2.40.3 for the same files.
  test.for([
    ['plain', 'A=1\nB = 2\n C=3 ', 'A="1" B="2" C="3"'],
    ['a colon', 'A: b\nB : c\n', 'A="b" B="c"'],
    ['export', 'export A=1\nexport B\nexport HOME\n', 'A="1" HOME="/home/app"'],
    ['comments', '# x\nA=1 # y\nB=x#y #z\nC=#x\nD= #x\n', 'A="1" B="x#y" C="#x" D="#x"'],
    ['quotes', `A='x $HOME'\nB="x $HOME"\nC="a\nb"\n`, 'A="x $HOME" B="x /home/app" C="a\\nb"'],
    ['escapes', String.raw`A="\n\t\"\\\$B"` + '\n' + String.raw`B='\n'`, String.raw`A="\n\t\"\\$B" B="\\n"`],
    ['odd escapes stay', String.raw`A="\x41\u0041\101\0101\c"`, String.raw`A="\\x41\\u0041\\101A\\c"`],
    ['expansion', 'A=1\nB=${A}2\nC=${X:-x}$A\n', 'A="1" B="12" C="x1"'],
    ['the environment wins', 'HOME=/x\nA=$HOME', 'HOME="/x" A="/home/app"'],
    ['bare keys are looked up', 'HOME\nX\nA=1', 'HOME="/home/app" A="1"'],
    ['a bare key at the end of the file is a value without a name', 'A=1\nHOME', 'A="1" ="HOME"'],
    ['a statement behind a quote', `A='x'B=1\n`, 'A="x" B="1"'],
    ['line breaks of Windows, and a mark of UTF-8', '\ufeffA=\r\nB="2"\r\n', 'A="" B="2"'],
    ['an equals sign in the value', 'A==b\nB=c=d', 'A="=b" B="c=d"'],
    ['a space in a key', 'X=1\nA B=1\n', '! 2:1 key cannot contain a space'],
    ['a bad character in a key', 'A@=1\n', '! 1:2 unexpected character "@" in variable name "A@=1"'],
    ['an unclosed quote', 'A=1\n\nB="x\ny\n', '! 3:3 unterminated quoted value "x'],
    ['a variable that must be set', 'A=${X:?no}\n', '! 1:3 required variable X is missing a value: no'],
  ] as const)('%s', ([, text, want]) => {
    expect(show(parseDotenv(text, { lookup }))).toBe(want);
  });

  test.for([
    ['values are taken as they are', `A=x'y"z $B # c\nB= 1 \n`, `A="x'y\\"z $B # c" B=" 1 "`],
    ['bare keys are looked up', 'HOME\nX', 'HOME="/home/app"'],
    ['comments and blanks', '# x\n\n  A=1\n', 'A="1"'],
    ['no name', 'A=1\n=2', '! 2:1 no variable name on line \'=2\''],
    ['a blank in a name', 'A =1', "! 1:1 variable 'A ' contains whitespaces"],
  ] as const)('format raw: %s', ([, text, want]) => {
    expect(show(parseRawEnv(text, lookup))).toBe(want);
  });

  test('any text gives values or an error with a line of the file', () => {
    const parts = fc.constantFrom('A', 'B', '=', ':', ' ', '\n', '"', "'", '\\', '#', '$A', '${', '}', 'export ', '\t', '\r');
    fc.assert(fc.property(fc.array(parts, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      const result = parseDotenv(text, { lookup });
      return result.ok || (result.error.line >= 1 && result.error.line <= text.split('\n').length);
    }), { numRuns: 2000 });
  });

  test('large files are read in time that grows with their size', () => {
    expect(cpuMs(() => {
      expect(parseDotenv('A=1\n'.repeat(200_000), { lookup }).ok).toBe(true);
      expect(parseDotenv(`A="${'x\\n'.repeat(500_000)}"`, { lookup }).ok).toBe(true);
      expect(parseDotenv('#\n'.repeat(500_000), { lookup }).ok).toBe(true);
    })).toBeLessThan(2_000);
  });
});
