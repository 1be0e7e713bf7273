import { isAbsolute, basename, dirname, join, resolve } from 'node:path';
import { AppError } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { followFirstLink, namesIn, readPlace, readStandardInput } from '../os/compose-host.ts';
import { chooseFiles, foldersUpwards } from '../spec/discover.ts';
import { projectEnvironment } from '../spec/environment.ts';
import type { LoadInput, LoadNeeds, Provided } from '../spec/input.ts';
import { normalizeName } from '../spec/project-name.ts';

/** What of the process a loader of files needs. */
export type ReadHost = { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string };

/** Flags before the command that say which project is meant. */
export type ProjectFlags = {
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  readonly profile?: readonly string[];
  readonly envFile?: readonly string[];
};

export type ProjectFiles = {
  /** All that the loader wants to know, `provided` apart. */
  readonly input: Omit<LoadInput, 'provided' | 'links'>;
  /** Findings of the env files, and files that were passed over. */
  readonly diagnostics: readonly Diagnostic[];
};

/**
 * Finds the project that is meant: its files (`-f`, COMPOSE_FILE, or those of the folder or a parent), its folder, its
 * environment (the process's and .env), its profiles, and the name to fall back on.
 */
export function findProject(host: ReadHost, flags: ProjectFlags): ProjectFiles {
  const warnings: Diagnostic[] = [];
  const folder = flags.projectDirectory === undefined ? undefined : resolve(host.cwd, flags.projectDirectory);
  const named = (flags.file ?? []).length > 0 ? (flags.file ?? []) : undefined;
  const first = readEnvironment(host, flags);
  const listed = named ?? filesOfEnvironment(first.environment);
  const files = listed === undefined ? discover(folder ?? host.cwd, warnings) : listed.map((file) => (file === '-' || file.includes('://') || file.startsWith('git@') ? file : resolve(host.cwd, file)));
  const workingDir = folder ?? (files.length === 0 ? host.cwd : folderFor(host.cwd, files));
  const { environment, diagnostics } = workingDir === first.folder ? first : withFolder(host, flags, first, workingDir);
  const name = flags.projectName ?? environment.get('COMPOSE_PROJECT_NAME') ?? '';
  const profiles = (flags.profile ?? []).length > 0 ? (flags.profile ?? []) : (environment.get('COMPOSE_PROFILES') ?? '').split(',').map((profile) => profile.trim());
  return {
    input: {
      files,
      workingDir,
      environment,
      projectName: name === '' ? { name: normalizeName(basename(workingDir)), isExplicit: false } : { name, isExplicit: true },
      profiles,
      home: host.env['HOME'],
    },
    diagnostics: [...diagnostics, ...warnings],
  };
}

export type Environment = ReturnType<typeof projectEnvironment> & { readonly folder: string; readonly paths: readonly string[] };

/**
 * The environment of a project: the process's, and below it that of --env-file, COMPOSE_ENV_FILES or the first .env: beside the files that
 * flags name, or in the current folder. It comes before the files, since it may name them.
 */
export function readEnvironment(host: ReadHost, flags: ProjectFlags): Environment {
  const own = new Map(Object.entries(host.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  const named = (flags.file ?? []).length > 0 ? (flags.file ?? []) : undefined;
  const folder = flags.projectDirectory !== undefined ? resolve(host.cwd, flags.projectDirectory) : named === undefined ? host.cwd : folderFor(host.cwd, named);
  const files = envFilesOf(host, flags, folder);
  return { ...projectEnvironment({ own, files }), folder, paths: files.map((file) => file.path) };
}

/** The project's own folder turned out to be another: its .env counts too, below what is there. */
function withFolder(host: ReadHost, flags: ProjectFlags, first: Environment, workingDir: string): Environment {
  const files = envFilesOf(host, flags, workingDir).filter((file) => !first.paths.includes(file.path));
  const second = projectEnvironment({ own: first.environment, files });
  return { ...first, environment: second.environment, diagnostics: [...first.diagnostics, ...second.diagnostics] };
}

export type Reader = {
  readonly provided: Map<string, Provided>;
  readonly links: Map<string, string>;
  /** Reads what the loader asked for. */
  readonly answer: (needs: LoadNeeds['needs']) => void;
};

export function newReader(): Reader {
  const provided = new Map<string, Provided>();
  const links = new Map<string, string>();
  return {
    provided,
    links,
    answer: (needs) => {
      for (const need of needs) {
        if (need.kind === 'link') links.set(need.path, followFirstLink(need.path));
        else provided.set(need.path, need.path === '-' ? { kind: 'file', content: readStandardInput() } : readPlace(need.path));
      }
    },
  };
}

/** Rounds of asking; each asks for at least one new path. */
const roundsMax = 10_000;

/** Runs a loader to its end, reading what it asks for. */
export function runLoader<T extends { readonly kind: string }>(reader: Reader, load: (reader: Reader) => T | LoadNeeds): T {
  for (let round = 0; round < roundsMax; round += 1) {
    const result = load(reader);
    if (!isNeeds(result)) return result;
    reader.answer(result.needs);
  }
  throw new AppError({ code: 'BASE_LIMIT', message: `the project asks for files in more than ${roundsMax} rounds` });
}

function isNeeds(result: { readonly kind: string }): result is LoadNeeds {
  return result.kind === 'need';
}

function folderFor(cwd: string, files: readonly string[]): string {
  const first = files.find((file) => file !== '-');
  return first === undefined ? cwd : dirname(isAbsolute(first) ? first : resolve(cwd, first));
}

function discover(from: string, warnings: Diagnostic[]): readonly string[] {
  for (const folder of foldersUpwards(from)) {
    const found = chooseFiles(folder, namesIn(folder));
    if (found === undefined) continue;
    if (found.passedOver.length > 0) {
      warnings.push({ severity: 'warning', code: 'SPEC_SEVERAL_FILES', message: `several compose files are here; ${found.files.join(' and ')} ${found.files.length === 1 ? 'is' : 'are'} used, not ${found.passedOver.join(', ')}`, line: 0, column: 0 });
    }
    return found.files;
  }
  return [];
}

function filesOfEnvironment(environment: ReadonlyMap<string, string>): readonly string[] | undefined {
  const value = environment.get('COMPOSE_FILE');
  if (value === undefined || value === '') return undefined;
  return value.split(environment.get('COMPOSE_PATH_SEPARATOR') || ':');
}

function envFilesOf(host: ReadHost, flags: ProjectFlags, folder: string): { readonly path: string; readonly text: string }[] {
  const listed = (flags.envFile ?? []).length > 0 ? (flags.envFile ?? []) : (host.env['COMPOSE_ENV_FILES'] ?? '').split(',').filter((path) => path !== '');
  const isOff = ['1', 't', 'true'].includes((host.env['COMPOSE_DISABLE_ENV_FILE'] ?? '').toLowerCase());
  const paths = listed.length > 0 ? listed.map((path) => resolve(host.cwd, path)) : isOff ? [] : [join(folder, '.env')];
  return paths.flatMap((path) => {
    const found = readPlace(path);
    if (found.kind === 'file') return [{ path, text: new TextDecoder().decode(found.content) }];
    if (listed.length === 0 && found.kind !== 'unreadable') return [];
    throw new AppError({ code: 'SPEC_ENV_FILE', message: `the env file ${path} ${found.kind === 'missing' ? 'does not exist' : found.kind === 'directory' ? 'is a folder' : `can't be read: ${found.message}`}` });
  });
}
