import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Diagnostic } from '../../src/base/diagnostic.ts';
import { projectEnvironment } from '../../src/spec/environment.ts';
import type { Phases } from '../../src/spec/input.ts';
import { normalizeName } from '../../src/spec/project-name.ts';
import { comparable, difference, diskHost, jsonOf, loadWith, memoryHost, whyNot } from './compare.ts';
import type { Host } from './compare.ts';
import type { Case, CaseResult, RunSet } from './set.ts';

/** compose-go/load.json: files and options of the reference's own tests. */
export const runLoad: RunSet = (cases) => cases.map(loadCase);

function loadCase(one: Case): CaseResult {
  const options = record(one['options']);
  const place = (path: string): string => path.replace('$SRC', '/SRC').replace('$TMP', '/TMP');
  const cwd = place(text(one['cwd']));
  const workingDir = place(text(one['workdir']));
  const files = new Map<string, string>();
  const names: string[] = [];
  for (const file of Array.isArray(one['files']) ? one['files'].map(record) : []) {
    let name = place(text(file['name']));
    while (names.includes(name)) name += '+';
    names.push(name);
    files.set(name, text(file['text']));
  }
  const phases: Partial<Phases> = {
    normalize: options['SkipNormalization'] !== true,
    checkConsistency: options['SkipConsistencyCheck'] !== true,
    validate: options['SkipValidation'] !== true,
    interpolate: options['SkipInterpolation'] !== true,
    resolvePaths: options['ResolvePaths'] !== false,
    discardEnvFiles: options['discardEnvFiles'] === true,
    resolveEnvironment: options['SkipResolveEnvironment'] !== true,
    extends: options['SkipExtends'] !== true,
    include: options['SkipInclude'] !== true,
  };
  const memory = memoryHost(files);
  const source = process.env['SOURCE_FILES'];
  const host: Host = (path) => {
    const found = memory(path);
    if (found.kind === 'file' || source === undefined) return found;
    return diskHost((path.startsWith('/') ? path : join(cwd, path)).replace('/SRC', source));
  };
  const name = text(options['projectName']);
  const result = loadWith(host, {
    files: names,
    workingDir,
    environment: new Map(Object.entries(record(one['env'])).map(([key, value]) => [key, text(value)])),
    projectName: name === '' ? undefined : { name, isExplicit: options['projectNameImperativelySet'] === true },
    profiles: list(options['Profiles']),
    services: list(options['SelectedServices']),
    home: '/home/app',
    phases,
  });
  if ('error' in one) return result.kind === 'failed' ? { id: one.id, ok: true } : { id: one.id, ok: false, why: `expected the error ${text(one['error'])}` };
  if (result.kind === 'failed') return { id: one.id, ok: false, why: whyNot(result.diagnostics), ...(isOutside(result.diagnostics) ? { outside: true } : {}) };
  // Where the recorder could not write the model down, it says in words that the files load.
  if (typeof one['expect'] === 'string') return { id: one.id, ok: true };
  const want = comparable(one['expect']);
  const got = comparable(jsonOf(result.project, false), [['/SRC', '$SRC'], ['/TMP', '$TMP']]);
  return want === got ? { id: one.id, ok: true } : { id: one.id, ok: false, why: difference(want, got) };
}

/** True where all that is missing are files which the set does not hold. */
function isOutside(diagnostics: readonly Diagnostic[]): boolean {
  const errors = diagnostics.filter((one) => one.severity === 'error');
  return errors.length > 0 && errors.every((one) => one.code === 'SPEC_FILE_NOT_FOUND');
}

/** compose-probes.json: one file, asked of the reference's command. */
export const runProbes: RunSet = (cases) => cases.map(probeCase);

function probeCase(one: Case): CaseResult {
  const dir = `/probes/${one.id}`;
  const files = new Map([[`${dir}/compose.yaml`, text(one['yaml'])], [`${dir}/x.env`, 'FOO=bar\nQ="a b"\n#c\n']]);
  const own = ownEnvironment(dir, record(one['env']));
  if (text(one['projectName']) !== '') own.set('COMPOSE_PROJECT_NAME', text(one['projectName']));
  return configCase(one, { host: memoryHost(files, [dir]), dir, names: ['compose.yaml'], own, consistency: true, replace: [[dir, '$DIR'], ['/probes', '$PARENT']] });
}

/** A set of stacks: lines of JSON, each a load of files on disk. `root` is the folder that holds the stacks. */
export function runStacks(cases: readonly Case[], root: string): CaseResult[] {
  return cases
    .filter((one) => one['head_agrees'] !== false)
    .map((one) => {
      const dir = join(root, text(one['dir']));
      const shaped: Case = one['ok'] === true ? { id: one.id, config: one['config'] } : { id: one.id, error: one['error'] };
      return configCase(shaped, { host: diskHost, dir, names: list(one['files']), own: ownEnvironment(dir, record(one['env'])), consistency: one['mode'] !== 'no-consistency', replace: [[root, '$ROOT']] });
    });
}

type Config = {
  readonly host: Host;
  readonly dir: string;
  readonly names: readonly string[];
  readonly own: ReadonlyMap<string, string>;
  readonly consistency: boolean;
  readonly replace: readonly (readonly [string, string])[];
};

/** What `compose config --format json` does with files in a folder. */
function configCase(one: Case, { host, dir, names, own, consistency, replace }: Config): CaseResult {
  const files = names.map((name) => (name.startsWith('/') ? name : join(dir, name)));
  const workingDir = join(files[0] ?? dir, '..');
  const dotenv = host(join(workingDir, '.env'));
  const { environment, diagnostics } = projectEnvironment({ own, files: dotenv.kind === 'file' ? [{ path: join(workingDir, '.env'), text: new TextDecoder().decode(bytesOf(dotenv.content)) }] : [] });
  const named = environment.get('COMPOSE_PROJECT_NAME') ?? '';
  const result = loadWith(host, {
    files,
    workingDir,
    environment,
    projectName: named === '' ? { name: normalizeName(basename(workingDir)), isExplicit: false } : { name: named, isExplicit: true },
    profiles: (environment.get('COMPOSE_PROFILES') ?? '').split(',').map((profile) => profile.trim()),
    home: own.get('HOME'),
    phases: { checkConsistency: consistency, discardEnvFiles: true, dropUnused: true },
  });
  const isRefused = result.kind === 'failed' || diagnostics.length > 0;
  if ('error' in one) return isRefused ? { id: one.id, ok: true } : { id: one.id, ok: false, why: `expected the error ${text(one['error'])}` };
  if (result.kind === 'failed') return { id: one.id, ok: false, why: whyNot(result.diagnostics) };
  const want = comparable(one['config']);
  const got = comparable(jsonOf(result.project, true), replace);
  return want === got ? { id: one.id, ok: true } : { id: one.id, ok: false, why: difference(want, got) };
}

/** Lines of JSON, each a case; the place and the mode are its id. */
export function readStackLines(path: string): Case[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => {
    const one = record(JSON.parse(line));
    return { ...one, id: `${text(one['dir'])} ${list(one['files']).join(',')} ${text(one['mode'])}` };
  });
}

/** The stacks beside a folder of expectations, looked for upwards. */
export function stacksFor(folder: string): string | undefined {
  for (let at = folder; at !== join(at, '..'); at = join(at, '..')) if (existsSync(join(at, 'stacks'))) return join(at, 'stacks');
  return undefined;
}

function ownEnvironment(dir: string, env: Readonly<Record<string, unknown>>): Map<string, string> {
  const own = new Map([['PATH', '/usr/bin:/bin'], ['HOME', '/home/app'], ['TZ', 'UTC'], ['DOCKER_CONFIG', '/nonexistent'], ['DOCKER_HOST', 'unix:///nonexistent.sock'], ['PWD', dir]]);
  for (const [key, value] of Object.entries(env)) own.set(key, text(value));
  return own;
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function record(value: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value ?? {}));
}
