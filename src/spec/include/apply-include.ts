import { limits } from '../../base/limits.ts';
import { mergeResource } from '../merge/merge.ts';
import { folderOf, isAbsolutePath, joinPath, relativePath } from '../paths/posix.ts';
import { isRemoteResource } from '../remote.ts';
import { applyResets } from '../reset.ts';
import { absoluteIn, demand, peek, stop, textOfFile } from '../session.ts';
import type { FileModel, Scope } from '../session.ts';
import { parseDotenv } from '../dotenv/parse.ts';
import { isDict, isList, kindOf, newDict } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** Loads the files of an included project up to, but without, its normalization. */
export type LoadIncluded = (scope: Scope, files: readonly string[]) => Dict;

type Entry = { readonly paths: readonly string[]; readonly projectDirectory: string; readonly envFiles: readonly string[]; readonly index: number; readonly list: List };

const kinds: readonly string[] = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'];

/** Brings what `include` names into the model, in place; a resource of the same name is laid over the included one. */
export function applyInclude(options: { readonly scope: Scope; readonly model: Dict; readonly loadIncluded: LoadIncluded; readonly resets: FileModel['resets'] }): void {
  const { scope, model, loadIncluded, resets } = options;
  const { session } = scope;
  const entries = entriesOf(scope, model);
  delete model['include'];
  // Ask for all files at once: fewer rounds with the host.
  for (const entry of entries) for (const path of entry.paths) if (!isRemoteResource(path)) peek(session, absoluteIn(scope.base, path));
  for (const entry of entries) {
    const found = projectOf(scope, entry);
    if (found === undefined) continue;
    const environment = environmentOf(scope, entry, found.base);
    const inner: Scope = {
      ...scope,
      folder: found.folder,
      base: found.base,
      environment,
      phases: { ...scope.phases, resolvePaths: true },
      included: scope.included,
    };
    importResources(scope, loadIncluded(inner, found.files), model, resets);
  }
}

function entriesOf({ session: { report } }: Scope, model: Dict): Entry[] {
  const value = model['include'] ?? null;
  if (value === null) return [];
  if (!isList(value)) {
    report.errorAt({ container: model, key: 'include', path: 'include' }, { code: 'SPEC_WRONG_TYPE', message: `include: a list is expected, not ${kindOf(value)}`, hint: 'Begin the path with `- `.' });
    return stop();
  }
  return value.flatMap((item, index) => {
    const at = { container: value, key: index, path: `include[${index}]` } as const;
    if (typeof item === 'string') return [{ paths: [item], projectDirectory: '', envFiles: [], index, list: value }];
    const paths = isDict(item) ? textsOf(item['path']) : undefined;
    const envFiles = isDict(item) ? textsOf(item['env_file'] ?? null) : undefined;
    const folder = isDict(item) ? (item['project_directory'] ?? '') : '';
    if (!isDict(item) || paths === undefined || envFiles === undefined || typeof folder !== 'string') {
      report.errorAt(at, { code: 'SPEC_WRONG_TYPE', message: `${at.path}: a path or a mapping of path, project_directory and env_file is expected` });
      return [];
    }
    for (const key of Object.keys(item)) if (!['path', 'project_directory', 'env_file'].includes(key)) report.warnAt({ container: item, key, part: 'key', path: `${at.path}.${key}` }, { code: 'SPEC_UNKNOWN_KEY', message: `${at.path} has no key \`${key}\`: it is not used` });
    return paths.length === 0 ? [] : [{ paths, projectDirectory: folder, envFiles, index, list: value }];
  });
}

/** The files of an entry, and the folder that its paths start from. */
function projectOf(scope: Scope, entry: Entry): { readonly files: readonly string[]; readonly folder: string; readonly base: string } | undefined {
  const { session } = scope;
  const at = { container: entry.list, key: entry.index, path: `include[${entry.index}]` } as const;
  const files: string[] = [];
  for (const path of entry.paths) {
    if (isRemoteResource(path)) {
      session.report.errorAt(at, { code: 'SPEC_REMOTE_UNSUPPORTED', message: `${at.path}: the file is not on this host: ${path}`, hint: 'Fetch it first, and include the local file.' });
      return undefined;
    }
    const file = absoluteIn(scope.base, path);
    const provided = demand(session, file);
    if (provided.kind !== 'file') {
      session.report.errorAt(at, { code: 'SPEC_FILE_NOT_FOUND', message: `${at.path}: ${file} ${provided.kind === 'directory' ? 'is a folder' : provided.kind === 'missing' ? 'does not exist' : provided.message}`, hint: 'Paths of `include` start from the folder of the file that they stand in.' });
      return undefined;
    }
    files.push(file);
  }
  const main = files[0] ?? '';
  if (scope.included.includes(main)) {
    session.report.errorAt(at, { code: 'SPEC_INCLUDE_CYCLE', message: `files include each other in a circle: ${[...scope.included.slice(scope.included.indexOf(main)), main].join(' → ')}` });
    return stop();
  }
  session.counts.includes += 1;
  if (session.counts.includes > limits.composeIncludesMax) {
    session.report.errorAt(at, { code: 'SPEC_TOO_LARGE', message: `more than ${limits.composeIncludesMax} files are included`, hint: 'Include a file once, at the top.' });
    return stop();
  }
  const { projectDirectory } = entry;
  if (projectDirectory === '') return { files, base: folderOf(main), folder: relativePath(scope.base, folderOf(main)) };
  if (isAbsolutePath(projectDirectory)) return { files, base: projectDirectory, folder: projectDirectory };
  const base = joinPath(scope.base, projectDirectory);
  // NOTE: as in the reference, a folder that is not there counts as its parent, for paths only.
  const isFolder = demand(session, base).kind === 'directory';
  return { files, base, folder: relativePath(scope.base, isFolder ? base : joinPath(scope.base, folderOf(projectDirectory))) };
}

/** The outer environment, and below it the included project's own env files. */
function environmentOf(scope: Scope, entry: Entry, base: string): ReadonlyMap<string, string> {
  const { session } = scope;
  const files = entry.envFiles.length > 0 ? entry.envFiles.filter((path) => path !== '/dev/null').map((path) => absoluteIn(scope.base, path)) : [joinPath(base, '.env')];
  const values = new Map<string, string>();
  for (const file of files) {
    const provided = demand(session, file);
    const at = { container: entry.list, key: entry.index, path: `include[${entry.index}].env_file` } as const;
    if (provided.kind !== 'file') {
      if (entry.envFiles.length > 0) session.report.errorAt(at, { code: 'SPEC_FILE_NOT_FOUND', message: `${at.path}: ${file} ${provided.kind === 'directory' ? 'is a folder' : provided.kind === 'missing' ? 'does not exist' : provided.message}` });
      continue;
    }
    const read = parseDotenv(textOfFile(provided.content), { lookup: (name) => scope.environment.get(name), earlier: values });
    if (!read.ok) session.report.error({ code: 'SPEC_ENV_FILE', message: read.error.message, file, line: read.error.line, column: read.error.column });
    for (const [name, value] of read.values) values.set(name, value);
  }
  for (const [name, value] of scope.environment) values.set(name, value);
  return values;
}

function importResources(scope: Scope, source: Dict, target: Dict, resets: FileModel['resets']): void {
  const { report } = scope.session;
  for (const kind of kinds) {
    const from = source[kind];
    if (!isDict(from)) continue;
    const known = target[kind];
    const to = isDict(known) ? known : newDict();
    for (const name of Object.keys(from)) {
      const imported = from[name] ?? null;
      if (name in to && !isSame(imported, to[name] ?? null)) {
        const model = wrap(kind, name, imported);
        applyResets(model, resets);
        const merged = mergeResource(imported, to[name] ?? null, kind, name, report);
        report.origins.move(to, name, from, name);
        to[name] = merged;
      } else {
        to[name] = imported;
        report.origins.move(to, name, from, name);
      }
    }
    target[kind] = to;
  }
}

function wrap(kind: string, name: string, value: Value): Dict {
  const named = newDict();
  named[name] = value;
  const model = newDict();
  model[kind] = named;
  return model;
}

function isSame(a: Value, b: Value): boolean {
  if (isList(a)) return isList(b) && a.length === b.length && a.every((one, index) => isSame(one, b[index] ?? null));
  if (!isDict(a)) return a === b;
  const keys = Object.keys(a);
  return isDict(b) && keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key] ?? null, b[key] ?? null));
}

function textsOf(value: Value | undefined): string[] | undefined {
  if (value == null) return [];
  if (typeof value === 'string') return [value];
  return isList(value) && value.every((one) => typeof one === 'string') ? value.filter((one) => typeof one === 'string') : undefined;
}
