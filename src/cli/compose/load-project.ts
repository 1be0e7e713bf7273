import { AppError } from '../../base/app-error.ts';
import { base64FromBytes } from '../../base/base64.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { nearestWord } from '../../base/nearest.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { ConfigSource, Project, SecretSource, Service } from '../../model/project.ts';
import { readPlace } from '../../os/compose-host.ts';
import { serviceHash } from '../../spec/hash.ts';
import type { Loaded, LoadFailed } from '../../spec/input.ts';
import { load } from '../../spec/load.ts';
import type { CliContext } from '../context.ts';
import { readDockerConfig } from '../docker-config.ts';
import { hasError, refuse, warn } from '../project-diagnostics.ts';
import { findProject, newReader, runLoader, type Reader } from '../read-project.ts';
import type { ComposeFlags } from './flags.ts';

export type LoadedProject = {
  readonly name: string;
  readonly deployment: Omit<Deployment, 'options'>;
  /** Where things stand in the files, for what is found later. */
  readonly files: { readonly project: Project; readonly locate: Loaded['locate']; readonly reader: Reader };
};

export type LoadOptions = {
  readonly services: readonly string[];
  readonly scale: Readonly<Record<string, number>>;
  /** Only the named services, without what they need. */
  readonly isDependenciesLeftOut?: boolean;
};

/** Loads the project that the flags mean, whole, with the content of its secrets and configs; errors were printed when it throws. */
export async function loadProject(context: CliContext, flags: ComposeFlags, options: LoadOptions): Promise<LoadedProject> {
  const named = [...options.services, ...Object.keys(options.scale)];
  const { loaded, reader } = await loadFiles(context, flags, named);
  const { project } = loaded;
  noSuchService({ name: project.name, serviceNames: Object.keys(project.services), disabledNames: [] }, named);
  const picked = options.isDependenciesLeftOut === true && options.services.length > 0 ? pick(project, options.services) : project;
  const chosen = withProxies(onPlatform(picked, loaded.environment.get('DOCKER_DEFAULT_PLATFORM')), readDockerConfig(context.env).proxyVariables);
  const contents = readContents(chosen, loaded);
  if (contents.problems.length > 0) return refuse(context, contents.problems, reader);
  return {
    name: project.name,
    deployment: {
      project: chosen,
      workingDir: loaded.workingDir,
      configFiles: loaded.files,
      serviceHashes: Object.fromEntries(Object.entries(chosen.services).map(([name, service]) => [name, serviceHash(service)])),
      secretData: contents.secretData,
      configData: contents.configData,
      disabledServices: Object.keys(loaded.disabledServices),
    },
    files: { project, locate: loaded.locate, reader },
  };
}

export type ProjectName = { readonly name: string; /** null: no file was read, since the name was given and none is there. */ readonly serviceNames: readonly string[] | null; /** Those that no active profile enables: they may run all the same. */ readonly disabledNames: readonly string[] };

/** The project that a command on running containers means. With a name given, files are not needed. */
export async function projectNameOf(context: CliContext, flags: ComposeFlags): Promise<ProjectName> {
  const explicit = flags.projectName ?? context.env['COMPOSE_PROJECT_NAME'];
  if (explicit !== undefined && explicit !== '' && (flags.file ?? []).length === 0) {
    const found = findProject(context, flags);
    if (found.input.files.length === 0) return { name: explicit, serviceNames: null, disabledNames: [] };
  }
  const { project, disabledServices } = (await loadFiles(context, flags, [])).loaded;
  return { name: project.name, serviceNames: Object.keys(project.services), disabledNames: Object.keys(disabledServices) };
}

/** Refuses names that the project does not have, all at once. */
export function noSuchService(project: ProjectName, names: readonly string[]): void {
  const known = project.serviceNames;
  if (known === null) return;
  const unknown = names.filter((name) => !known.includes(name) && !project.disabledNames.includes(name));
  if (unknown.length === 0) return;
  const near = nearestWord(unknown[0] ?? '', known);
  throw new AppError({ code: 'CLI_NO_SUCH_SERVICE', message: `no such service: ${unknown.join(', ')}`, hint: near === undefined ? `services: ${known.join(', ')}` : `did you mean \`${near}\`? services: ${known.join(', ')}` });
}

/** Naming a service switches its profiles on. */
async function loadFiles(context: CliContext, flags: ComposeFlags, named: readonly string[]): Promise<{ readonly loaded: Loaded; readonly reader: Reader }> {
  const found = findProject(context, flags);
  if (found.input.files.length === 0) {
    throw new AppError({ code: 'CLI_NO_COMPOSE_FILE', message: `no compose file in ${context.cwd} or above it`, hint: 'compose.yaml, compose.yml, docker-compose.yml and docker-compose.yaml are looked for; or name one: flotilla compose -f FILE …' });
  }
  const reader = newReader();
  const given = found.input.profiles ?? [];
  const loadWith = (profiles: readonly string[]): Loaded | LoadFailed => runLoader(reader, ({ provided, links }) => load({ ...found.input, profiles, phases: { discardEnvFiles: true, dropUnused: true }, provided, links }));
  const first = loadWith(given);
  const switchedOn = first.kind === 'loaded' ? named.flatMap((name) => first.disabledServices[name]?.profiles ?? []) : [];
  const result = switchedOn.length === 0 ? first : loadWith([...given, ...switchedOn]);
  const diagnostics = [...found.diagnostics, ...result.diagnostics];
  if (result.kind === 'failed' || hasError(diagnostics)) return refuse(context, diagnostics, reader);
  await warn(context, diagnostics, reader);
  return { loaded: result, reader };
}

/** Services that name no platform are for that of DOCKER_DEFAULT_PLATFORM, as in Compose. */
function onPlatform(project: Project, platform: string | undefined): Project {
  if (platform === undefined || platform === '') return project;
  return { ...project, services: Object.fromEntries(Object.entries(project.services).map(([name, service]): [string, Service] => [name, { ...service, platform: service.platform ?? platform }])) };
}

/** Docker's `proxies` are given to every container; what its service says itself counts before them. */
function withProxies(project: Project, variables: Readonly<Record<string, string>>): Project {
  if (Object.keys(variables).length === 0) return project;
  return { ...project, services: Object.fromEntries(Object.entries(project.services).map(([name, service]): [string, Service] => [name, { ...service, environment: { ...variables, ...service.environment } }])) };
}

function pick(project: Project, names: readonly string[]): Project {
  return { ...project, services: Object.fromEntries(names.flatMap((name): [string, Service][] => (project.services[name] === undefined ? [] : [[name, project.services[name]]]))) };
}

type Contents = { readonly secretData: Record<string, string>; readonly configData: Record<string, string>; readonly problems: readonly Diagnostic[] };

/** The bytes of every secret and config that is used and not external, as base64. All that are missing are told at once. */
function readContents(project: Project, loaded: Loaded): Contents {
  const used = (key: 'secrets' | 'configs'): ReadonlySet<string> => new Set(Object.values(project.services).flatMap((service) => (service[key] ?? []).map((use) => use.source ?? '')));
  const problems: Diagnostic[] = [];
  const read = (kind: 'secret' | 'config', sources: Readonly<Record<string, SecretSource | ConfigSource>> | undefined, names: ReadonlySet<string>): Record<string, string> => {
    const contents: Record<string, string> = {};
    for (const [name, source] of Object.entries(sources ?? {})) {
      if (source.external === true || !names.has(name)) continue;
      const found = contentOf(source, loaded);
      if (typeof found === 'string') {
        const path = [`${kind}s`, name, source.file === undefined ? (source.environment === undefined ? '' : 'environment') : 'file'].filter((part) => part !== '');
        problems.push({ severity: 'error', code: 'CLI_FILE_UNREADABLE', message: `${kind} ${name}: ${found}`, hint: source.file === undefined ? 'set it, or name a file' : 'make the file, or name another', line: 0, column: 0, path: path.join('.'), ...loaded.locate(path) });
      }
      else contents[name] = base64FromBytes(found.bytes);
    }
    return contents;
  };
  return { secretData: read('secret', project.secrets, used('secrets')), configData: read('config', project.configs, used('configs')), problems };
}

/** The bytes, or why there are none. */
function contentOf(source: SecretSource | ConfigSource, loaded: Loaded): { readonly bytes: Uint8Array } | string {
  if ('content' in source && source.content !== undefined) return { bytes: new TextEncoder().encode(source.content) };
  if (source.environment !== undefined) {
    const value = loaded.environment.get(source.environment);
    return value === undefined ? `the variable ${source.environment} is not set` : { bytes: new TextEncoder().encode(value) };
  }
  if (source.file === undefined) return 'it has neither file, environment nor content';
  const found = readPlace(source.file);
  if (found.kind === 'file') return { bytes: found.content };
  return found.kind === 'missing' ? `the file ${source.file} does not exist` : found.kind === 'directory' ? `${source.file} is a folder` : `${source.file} can't be read: ${found.message}`;
}
