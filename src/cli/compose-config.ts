import { AppError } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Loaded, Phases } from '../spec/input.ts';
import { load, loadUntyped } from '../spec/load.ts';
import { type CliContext, ExitWith } from './context.ts';
import { hasError, refuse, warn } from './project-diagnostics.ts';
import { findProject, newReader, runLoader } from './read-project.ts';
import type { ProjectFlags, Reader, ReadHost } from './read-project.ts';

/** What the command writes to. */
export type ConfigHost = ReadHost & {
  readonly out: { readonly write: (text: string) => void };
  readonly err: { readonly write: (text: string) => void; readonly isTty: boolean };
  /** Only images' digests are asked of it. */
  readonly daemon?: CliContext['daemon'];
};

type Options = Readonly<Record<string, unknown>>;

export async function config(host: ConfigHost, flags: ProjectFlags, services: readonly string[], options: Options): Promise<void> {
  const format = oneOf(options, 'format', ['yaml', 'json']);
  const project = findProject(host, flags);
  const reader = newReader();
  const target = oneOf(options, 'checkTarget', ['laptop', 'cluster']);
  if (target !== '') {
    const loaded = await typedProject(host, project, reader, services, options);
    const { checkTarget } = await import('./check-target.ts');
    const checked = await checkTarget({ host, loaded, reader, target: target === 'laptop' ? 'laptop' : 'cluster', format });
    await deliver(host, options, checked.text);
    if (checked.isRefused) throw new ExitWith(1);
    return;
  }
  const isUntyped = options['variables'] === true || options['interpolate'] === false;
  if (isUntyped && arePinned(options)) throw new AppError({ code: 'CLI_USAGE', message: 'the names of images are known only once their variables are in', hint: 'leave --no-interpolate and --variables out, or the digests' });
  const text = isUntyped
    ? await untypedText(host, project, reader, services, options, format)
    : await typedText(host, project, reader, services, options, format);
  await deliver(host, options, text);
}

async function deliver(host: ConfigHost, options: Options, text: string): Promise<void> {
  if (options['quiet'] === true) return;
  if (typeof options['output'] === 'string') {
    const { writeFileDurable } = await import('../os/files.ts');
    try {
      await writeFileDurable(options['output'], text, 0o644);
    } catch (error) {
      throw new AppError({ code: 'CLI_FILE_UNWRITABLE', message: `${options['output']} can't be written: ${error instanceof Error ? error.message : String(error)}`, hint: 'name a file in a folder that is there and that you may write to' });
    }
  } else host.out.write(text);
}

type Found = ReturnType<typeof findProject>;

async function typedText(host: ConfigHost, project: Found, reader: Reader, services: readonly string[], options: Options, format: string): Promise<string> {
  const loaded = await typedProject(host, project, reader, services, options);
  if (!arePinned(options)) return viewOf(loaded, options, format);
  const { imagesOnly, pinImages } = await import('./pin-images.ts');
  const pinned = await pinImages({ host, loaded, reader });
  if (options['lockImageDigests'] !== true || isView(options)) return viewOf(pinned, options, format);
  const images = imagesOnly(pinned.project);
  return format === 'json' ? `${JSON.stringify(images, null, 2)}\n` : (await import('../spec/print/yaml.ts')).printValueYaml(images, { escapeDollars: true });
}

async function typedProject(host: ConfigHost, project: Found, reader: Reader, services: readonly string[], options: Options): Promise<Loaded> {
  const phases = phasesOf(options);
  const result = runLoader(reader, ({ provided, links }) => load({ ...project.input, services, phases, provided, links }));
  const diagnostics = [...project.diagnostics, ...result.diagnostics];
  if (result.kind === 'failed' || hasError(diagnostics)) return refuse(host, diagnostics, reader);
  await warn(host, diagnostics, reader);
  const same = await sameNames(result, options);
  if (same.length > 0) return refuse(host, same, reader);
  return result;
}

/** Whether something else than the model is to be printed. */
function isView(options: Options): boolean {
  return ['services', 'volumes', 'networks', 'models', 'profiles', 'images', 'environment'].some((name) => options[name] === true) || ['hash', 'graph'].some((name) => typeof options[name] === 'string');
}

async function viewOf(loaded: Loaded, options: Options, format: string): Promise<string> {
  const graph = oneOf(options, 'graph', ['dot', 'mermaid', 'json']);
  if (graph !== '') {
    const [{ graphOf }, { printGraph }] = await Promise.all([import('../graph/graph.ts'), import('../graph/print.ts')]);
    return printGraph(graphOf(loaded.project), graph === 'dot' ? 'dot' : graph === 'json' ? 'json' : 'mermaid');
  }
  const lists = (['services', 'volumes', 'networks', 'models', 'profiles', 'images'] as const).filter((name) => options[name] === true);
  const [list] = lists;
  const view = await import('../spec/config-view.ts');
  if (list !== undefined) return view.namesOf(loaded, list).map((name) => `${name}\n`).join('');
  if (options['environment'] === true) return view.environmentText(loaded.environment, format === 'json' ? 'json' : 'lines');
  if (typeof options['hash'] === 'string') {
    const hashes = view.hashesOf(loaded.project, options['hash']);
    if ('unknown' in hashes) throw new AppError({ code: 'SPEC_UNDEFINED', message: `no such service: ${hashes.unknown}` });
    return hashes.lines.map((line) => `${line}\n`).join('');
  }
  if (format === 'json') return `${(await import('../spec/print/json.ts')).printJson(loaded.project, { indent: 2, escapeDollars: true })}\n`;
  return (await import('../spec/print/yaml.ts')).printYaml(loaded.project, { escapeDollars: true });
}

/** The model with its variables in it. */
async function untypedText(host: ConfigHost, project: Found, reader: Reader, services: readonly string[], options: Options, format: string): Promise<string> {
  const phases = { ...phasesOf(options), interpolate: false, resolveEnvironment: false };
  const result = runLoader(reader, ({ provided, links }) => loadUntyped({ ...project.input, services, phases, provided, links }));
  const diagnostics = [...project.diagnostics, ...result.diagnostics];
  if (result.kind === 'failed' || hasError(diagnostics)) return refuse(host, diagnostics, reader);
  await warn(host, diagnostics, reader);
  if (options['variables'] === true) return (await import('../spec/config-view.ts')).variablesText(result.model, format === 'json' ? 'json' : 'table');
  if (format === 'json') return `${(await import('../spec/print/json.ts')).printValueJson(result.model, { indent: 2, escapeDollars: false })}\n`;
  return (await import('../spec/print/yaml.ts')).printValueYaml(result.model, { escapeDollars: false });
}

function arePinned(options: Options): boolean {
  return options['resolveImageDigests'] === true || options['lockImageDigests'] === true;
}

function phasesOf(options: Options): Partial<Phases> {
  return {
    normalize: options['normalize'] !== false,
    resolvePaths: options['pathResolution'] !== false,
    checkConsistency: options['consistency'] !== false,
    resolveEnvironment: options['envResolution'] !== false,
    discardEnvFiles: true,
    dropUnused: true,
  };
}

async function sameNames(loaded: Loaded, options: Options): Promise<Diagnostic[]> {
  if (options['consistency'] === false) return [];
  const { findSameNames } = await import('../spec/consistency/consistency.ts');
  return findSameNames(loaded.project.services).map((one) => ({ severity: 'error', code: one.code, message: one.message, line: 0, column: 0, ...loaded.locate(one.path) }));
}

function oneOf(options: Options, name: string, allowed: readonly string[]): string {
  const value = options[name];
  if (value === undefined) return '';
  if (typeof value === 'string' && allowed.includes(value)) return value;
  throw new AppError({ code: 'CLI_USAGE', message: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} takes ${allowed.join(' or ')}, not "${String(value)}"` });
}
