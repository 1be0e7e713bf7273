import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

const linesMax = 4;
const lineLengthMax = 220;

/**
 * For scripts/test.sh, into the directory COUNTS: `counts` (passed, failed), `left-out` (a line for each file with tests that did not
 * run), and one line more in `failures` for each thing that failed: its name and the first lines of what it says, with tabs between.
 * A hook, a file that can't be read and an error that nobody caught count like a test.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const dir = process.env['COUNTS'];
    if (dir === undefined) throw new Error('COUNTS is not set: the directory for the counts');
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const failures = [
      ...modules.flatMap(failuresOf),
      ...unhandled.map((error) => describeFailure('an error that nobody caught', [error])),
    ];
    writeFileSync(join(dir, 'counts'), `${tests.filter((test) => test.result().state === 'passed').length} ${failures.length}\n`);
    writeFileSync(join(dir, 'left-out'), modules.flatMap(leftOutOf).map((line) => `${line}\n`).join(''));
    appendFileSync(join(dir, 'failures'), failures.map((line) => `${line}\n`).join(''));
  }
}

function failuresOf(module: TestModule): string[] {
  const name = module.relativeModuleId;
  const hooks = (part: TestModule | TestSuite, title: string): string[] => (part.errors().length > 0 ? [describeFailure(title, part.errors())] : []);
  return [
    ...hooks(module, `${name} (around its tests)`),
    ...[...module.children.allSuites()].flatMap((suite) => hooks(suite, `${name} > ${suite.fullName} (around its tests)`)),
    ...[...module.children.allTests('failed')].map((test) => describeFailure(`${name} > ${test.fullName}`, test.result().errors ?? [])),
  ];
}

function leftOutOf(module: TestModule): string[] {
  // NOTE: tests behind a hook that failed are told by that.
  const skipped = [...module.children.allTests('skipped')].filter((test: TestCase) => test.options.mode === 'skip');
  return skipped.length > 0 ? [`left out here: ${skipped.length} of ${module.relativeModuleId}`] : [];
}

/** What the product itself said, wherever in the message it stands, and the first lines of the message. */
function describeFailure(name: string, errors: readonly { readonly message: string; readonly diff?: string | undefined }[]): string {
  const lines = errors.flatMap((error) => [error.message, error.diff ?? '']).flatMap((text) => stripVTControlCharacters(text).split('\n')).map((line) => line.replaceAll('\t', ' ').trimEnd()).filter((line) => line.trim() !== '');
  const own = lines.filter((line) => /\berror:? [A-Z]+_[A-Z_]+/.test(line)).slice(0, 2);
  const first = lines.filter((line) => !own.includes(line)).slice(0, linesMax - own.length);
  return [name, ...own, ...first].map((line) => line.slice(0, lineLengthMax)).join('\t');
}
