import type { Diagnostic } from '../base/diagnostic.ts';
import type { EnvFile, Project, Service } from '../model/project.ts';
import { parseDotenv, parseRawEnv } from './dotenv/parse.ts';
import type { DotenvResult } from './dotenv/parse.ts';
import type { Lookup } from './interpolate/template.ts';
import type { Loaded } from './input.ts';
import { peek, textOfFile } from './session.ts';
import type { Session } from './session.ts';

type Place = ReturnType<Loaded['locate']>;

/**
 * Puts the values of env files and label files into the services. What a service says itself wins over its files, a later
 * file over an earlier one; `$NAME` in a file sees the project's environment, the service's, and the files so far.
 */
export function resolveEnvFiles(session: Session, project: Project, environment: ReadonlyMap<string, string>, locate: Loaded['locate']): Project {
  const { phases } = session;
  const services: { [name: string]: Service } = Object.create(null);
  for (const [name, service] of Object.entries(project.services)) {
    let next = service;
    if (phases.resolveEnvironment) next = withEnvironment(session, next, environment, locate(['services', name, 'env_file']));
    next = withLabels(session, next, locate(['services', name, 'label_file']));
    if (phases.discardEnvFiles) {
      const { env_file: envFiles, label_file: labelFiles, ...rest } = next;
      const isDiscarded = (envFiles !== undefined && phases.resolveEnvironment) || labelFiles !== undefined;
      if (isDiscarded) next = phases.resolveEnvironment || envFiles === undefined ? rest : { ...rest, env_file: envFiles };
    }
    services[name] = next;
  }
  return { ...project, services };
}

function withEnvironment(session: Session, service: Service, environment: ReadonlyMap<string, string>, place: Place): Service {
  const own = new Map(Object.entries(service.environment ?? {}).map(([key, value]) => [key, value ?? environment.get(key) ?? null]));
  const values = new Map<string, string>();
  for (const [key, value] of own) if (value !== null) values.set(key, value);
  const lookup: Lookup = (name) => environment.get(name) ?? own.get(name) ?? undefined;
  for (const envFile of service.env_file ?? []) {
    const read = readEnvFile(session, envFile, { lookup, earlier: values }, place);
    for (const [key, value] of read ?? []) values.set(key, value);
  }
  const all = new Map<string, string | null>([...values, ...own]);
  if (all.size === 0) return service;
  const { environment: _, ...rest } = service;
  return reordered(service, { ...rest, environment: sortedMap(all) });
}

function withLabels(session: Session, service: Service, place: Place): Service {
  if (service.label_file === undefined) return service;
  const values = new Map<string, string>();
  for (const path of service.label_file) {
    const read = readEnvFile(session, { path }, { lookup: (name) => values.get(name), earlier: values }, place);
    for (const [key, value] of read ?? []) values.set(key, value);
  }
  for (const [key, value] of Object.entries(service.labels ?? {})) values.set(key, value);
  return values.size === 0 ? service : { ...service, labels: sortedMap(values) };
}

function readEnvFile(session: Session, envFile: Pick<EnvFile, 'path' | 'format' | 'required'>, options: { readonly lookup: Lookup; readonly earlier: ReadonlyMap<string, string> }, place: Place): DotenvResult['values'] | undefined {
  const { report } = session;
  const refuse = (code: Diagnostic['code'], message: string, hint?: string): undefined => {
    report.error({ code, message, hint, ...place });
    return undefined;
  };
  // NOTE: an empty text is left out of the canonical form, so it may not be there at all.
  const path = envFile.path ?? '';
  if (path === '') return refuse('SPEC_BAD_VALUE', 'an env file is named by an empty path', 'Name a file, or take the entry away.');
  const provided = peek(session, path);
  if (provided === undefined) return undefined;
  if (provided.kind === 'missing') return envFile.required === false ? undefined : refuse('SPEC_FILE_NOT_FOUND', `the env file ${path} does not exist`, 'Make it, or write `required: false`.');
  if (provided.kind === 'directory') return refuse('SPEC_ENV_FILE', `the env file ${path} is a folder`);
  if (provided.kind === 'unreadable') return refuse('SPEC_ENV_FILE', `the env file ${path} can't be read: ${provided.message}`);
  const format = envFile.format ?? '';
  if (format !== '' && format !== 'raw' && format !== '.env') return refuse('SPEC_BAD_VALUE', `unknown format \`${format}\` of the env file ${path}`, 'Use `raw`, or leave `format` out.');
  const text = textOfFile(provided.content);
  const read = format === 'raw' ? parseRawEnv(text, options.lookup) : parseDotenv(text, options);
  if (!read.ok) report.error({ code: 'SPEC_ENV_FILE', message: read.error.message, hint: 'One KEY=value a line.', file: path, line: read.error.line, column: read.error.column });
  return read.values;
}

/** Keeps the order of the keys where `environment` is new. */
function reordered(before: Service, after: Service): Service {
  return before.environment === undefined ? after : { ...before, ...after };
}

function sortedMap<T extends string | null>(values: ReadonlyMap<string, T>): { readonly [key: string]: T } {
  const made: { [key: string]: T } = Object.create(null);
  for (const key of [...values.keys()].sort()) {
    const value = values.get(key);
    if (value !== undefined) made[key] = value;
  }
  return made;
}

