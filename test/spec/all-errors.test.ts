import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { folder, loadFiles } from './load-files.ts';
import { sampleModel } from './samples.ts';

/** `CODE line: message` of every error, in order. */
function errorsOf(text: string, others: Readonly<Record<string, string>> = {}): readonly string[] {
  const result = loadFiles({ 'compose.yaml': text, ...others }, { projectName: { name: 'app', isExplicit: false } });
  if (!('diagnostics' in result)) throw new Error(result.kind);
  return result.diagnostics.filter((one) => one.severity === 'error').map((one) => `${one.code} ${one.file === `${folder}/compose.yaml` ? '' : `${one.file?.slice(folder.length + 1) ?? ''}:`}${one.line}`);
}

describe('errors of all phases are told at once', () => {
  test('an unknown key hides no undefined name, no circle, no bad port, no bad size, no missing file', () => {
    const text = `services:
  web:
    image: nginx
    prots: ["80:80"]
    networks: [front, back]
    depends_on: [api]
  api:
    image: api
    depends_on: [worker]
    ports: ["80800000:80", "81:81"]
    volumes: ["data:/data", "cache:/cache"]
  worker:
    image: worker
    depends_on: [web]
    secrets: [key]
    mem_limit: 5 parsecs
  jobs:
    env_file: missing.env
networks:
  front: {}
volumes:
  cache: {}
`;
    expect(errorsOf(text)).toEqual([
      'SPEC_UNKNOWN_KEY 4', 'SPEC_UNDEFINED 5', 'GRAPH_CYCLE 9', 'SPEC_BAD_VALUE 10', 'SPEC_UNDEFINED 11', 'SPEC_UNDEFINED 15', 'SPEC_BAD_VALUE 16', 'SPEC_CONFLICT 17', 'SPEC_FILE_NOT_FOUND 18',
    ]);
  });

  test('a variable that is missing hides nothing either', () => {
    expect(errorsOf('services:\n  a:\n    image: ${IMAGE:?set it}\n    networks: [x]\n  b:\n    image: b\n    imagee: b\n')).toEqual(['SPEC_VARIABLE_REQUIRED 3', 'SPEC_UNDEFINED 4', 'SPEC_UNKNOWN_KEY 7']);
  });

  test('errors of a file that is included, and of the one that includes it', () => {
    const included = 'services:\n  db:\n    image: db\n    colour: red\n';
    expect(errorsOf('include: [db.yaml]\nservices:\n  a: {image: a, depends_on: [db], networks: [x]}\n', { 'db.yaml': included })).toEqual(['SPEC_UNDEFINED 3', 'SPEC_UNKNOWN_KEY db.yaml:4']);
  });

  test('a service that extends nobody is told with what else is wrong', () => {
    expect(errorsOf('services:\n  a: {extends: b, networks: [x]}\n  c: {image: c, colour: red}\n')).toEqual(['SPEC_EXTENDS_UNKNOWN 2', 'SPEC_UNDEFINED 2', 'SPEC_UNKNOWN_KEY 3']);
  });
});

/** Each has one mistake, and nothing of what follows from it is told. */
test.for<readonly [string, string, readonly string[]]>([
  ['a misspelt image', 'services:\n  a:\n    imagee: a\n', ['SPEC_UNKNOWN_KEY 3']],
  ['an image that is no text', 'services:\n  a:\n    image: 5\n', ['SPEC_WRONG_TYPE 3']],
  ['a build that is no path', 'services:\n  a:\n    build: 5\n', ['SPEC_WRONG_TYPE 3']],
  ['a key of build', 'services:\n  a:\n    build:\n      context: .\n      colour: red\n', ['SPEC_UNKNOWN_KEY 5']],
  ['a service that is a text', 'services:\n  a: text\n  b: {image: b, depends_on: [a]}\n', ['SPEC_WRONG_TYPE 2']],
  ['a network that is a text', 'services:\n  a: {image: a, networks: [n]}\nnetworks:\n  n: text\n', ['SPEC_WRONG_TYPE 4']],
  ['a volume with a wrong option', 'services:\n  a: {image: a, volumes: ["v:/v"]}\nvolumes:\n  v: {driver: 5}\n', ['SPEC_WRONG_TYPE 4']],
  ['a secret whose file is no text', 'services:\n  a: {image: a, secrets: [s]}\nsecrets:\n  s: {file: 5}\n', ['SPEC_WRONG_TYPE 4']],
  ['misspelt `networks:`', 'services:\n  a: {image: a, networks: [n]}\nnetwroks:\n  n: {}\n', ['SPEC_UNKNOWN_KEY 3']],
  ['a bad name of a service', 'services:\n  "a b": {image: a}\n  c: {image: c, depends_on: ["a b"]}\n', ['SPEC_BAD_NAME 2']],
  ['a bad condition', 'services:\n  a: {image: a}\n  b: {image: b, depends_on: {a: {condition: good}}}\n', ['SPEC_BAD_VALUE 3']],
  ['profiles that are no list, of a service that needs another with profiles', 'services:\n  a: {image: a, profiles: [x]}\n  b: {image: b, profiles: 5, depends_on: [a]}\n', ['SPEC_WRONG_TYPE 3']],
  ['a limit that is no number, beside the same elsewhere', 'services:\n  a:\n    image: a\n    mem_limit: 5m\n    deploy: {resources: {limits: {memory: 5 parsecs}}}\n', ['SPEC_BAD_VALUE 5']],
  ['a variable in the image of a base', 'services:\n  a: {image: "${A:?}"}\n  b: {extends: a}\n', ['SPEC_VARIABLE_REQUIRED 2']],
  ['a variable in a list of networks', 'services:\n  a: {image: a, networks: ["${A:?}"]}\n', ['SPEC_VARIABLE_REQUIRED 2']],
  ['services that are a list', 'services: [a]\nnetworks: {n: text}\n', ['SPEC_WRONG_TYPE 1', 'SPEC_WRONG_TYPE 2']],
  ['an env file without a name', 'services:\n  a: {image: a, env_file: [{path: ""}]}\n', ['SPEC_BAD_VALUE 2']],
  ['an included file that is not there', 'include: [x.yaml]\nservices:\n  a: {image: a, depends_on: [b]}\n', ['SPEC_FILE_NOT_FOUND 1']],
])('%s is told alone', ([, text, expected]) => {
  expect(errorsOf(text)).toEqual(expected);
});

const junk: readonly unknown[] = [null, 5, '', 'x', [], {}, [null], [5], [''], { a: null }, true, '${X:?}', ['${X:?}'], 'service:nobody', { path: '' }, [{ path: null }], [{}]];

/** A value with a few of its parts exchanged for what does not belong there, and a few of its keys misspelt. */
function corrupted(value: unknown, chance: () => number, depth: number = 0): unknown {
  if (depth > 1 && chance() < 0.04) return junk[Math.floor(chance() * junk.length)];
  if (Array.isArray(value)) return value.map((one) => corrupted(one, chance, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [chance() < 0.02 ? `${key}x` : key, corrupted(one, chance, depth + 1)]));
}

test('files with many mistakes end in errors, never in a throw', () => {
  const { float } = seededRandom(1);
  let failed = 0;
  for (let seed = 0; seed < 500; seed += 1) {
    const result = loadFiles({ 'compose.json': JSON.stringify(corrupted(sampleModel(seed), float)) });
    if (result.kind === 'failed') failed += 1;
    expect([seed, result.kind, 'diagnostics' in result && result.diagnostics.some((one) => one.severity === 'error')]).toEqual([seed, result.kind, result.kind === 'failed']);
  }
  expect(failed).toBeGreaterThan(400);
}, 20_000);
