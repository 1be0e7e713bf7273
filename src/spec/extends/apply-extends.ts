import { limits } from '../../base/limits.ts';
import { mergeService } from '../merge/merge.ts';
import { folderOf, relativePath } from '../paths/posix.ts';
import { resolvePaths } from '../paths/resolve-paths.ts';
import { isRemoteResource } from '../remote.ts';
import { applyResets } from '../reset.ts';
import { absoluteIn, demand, followLink, stop } from '../session.ts';
import type { FileModel, Scope, Session } from '../session.ts';
import { isDict, isList, kindOf, newDict } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';
import { suggestion } from '../suggest.ts';

/** Reads a file as the base of an `extends`: without its own includes, extends and checks. */
export type ReadBase = (scope: Scope, path: string) => FileModel | undefined;

type Walk = {
  readonly scope: Scope;
  readonly readBase: ReadBase;
  /** The file (as it was named) and the service of each step so far. */
  readonly trail: readonly { readonly file: string; readonly name: string }[];
  readonly file: string;
  readonly services: Dict;
  readonly resets: FileModel['resets'];
};

/** Lays each service over the one that it extends, in place; chains through files are followed. */
export function applyExtends(options: { readonly scope: Scope; readonly readBase: ReadBase; readonly model: Dict; readonly file: string; readonly resets: FileModel['resets'] }): void {
  const { scope, readBase, model, file, resets } = options;
  const services = model['services'];
  if (!isDict(services)) return;
  for (const name of Object.keys(services)) services[name] = extended({ scope, readBase, trail: [], file, services, resets }, name);
}

function extended(walk: Walk, name: string): Value {
  const { scope, services } = walk;
  const { report } = scope.session;
  const service = services[name] ?? null;
  if (!isDict(service) || !('extends' in service)) return service;
  const reference = referenceOf(walk, service, name);
  if (reference === undefined) return withoutExtends(service);
  const spot = { container: service, key: 'extends', path: `services.${name}.extends` } as const;
  const next = reference.file === undefined ? walk : baseWalk(walk, reference.file, service, name);
  if (next === undefined) return withoutExtends(service);
  if (!(reference.service in next.services)) {
    const where = reference.file === undefined ? '' : ` in ${reference.file}`;
    report.errorAt(spot, { code: 'SPEC_EXTENDS_UNKNOWN', message: `service \`${name}\` extends \`${reference.service}\`, which is not defined${where}`, hint: suggestion(reference.service, Object.keys(next.services)) });
    return withoutExtends(service);
  }
  const step = { file: next.file, name };
  if (walk.trail.some((one) => one.file === step.file && one.name === step.name)) {
    const circle = [...walk.trail, step].map((one) => `\`${one.name}\` in ${one.file}`);
    report.errorAt(spot, { code: 'SPEC_EXTENDS_CYCLE', message: `services extend each other in a circle: ${circle.join(' → ')}` });
    return withoutExtends(service);
  }
  if (walk.trail.length >= limits.composeExtendsMax) {
    report.errorAt(spot, { code: 'SPEC_TOO_DEEP', message: `more than ${limits.composeExtendsMax} services extend each other in a row` });
    return stop();
  }
  const base = extended({ ...next, trail: [...walk.trail, step] }, reference.service);
  if (!isDict(base)) return service;
  const copy = cloneWithOrigins(base, scope.session);
  if (!isDict(copy)) return service;
  const named = newDict();
  named[name] = copy;
  const model = newDict();
  model['services'] = named;
  applyResets(model, walk.resets);
  const merged = mergeService(copy, service, name, report);
  delete merged['extends'];
  services[name] = merged;
  return merged;
}

function referenceOf({ scope }: Walk, service: Dict, name: string): { readonly service: string; readonly file: string | undefined } | undefined {
  const value = service['extends'] ?? null;
  const spot = { container: service, key: 'extends', path: `services.${name}.extends` } as const;
  if (typeof value === 'string') return { service: value, file: undefined };
  if (isDict(value) && typeof value['service'] === 'string') {
    const file = value['file'] ?? null;
    if (file === null || typeof file === 'string') return { service: value['service'], file: file ?? undefined };
    scope.session.report.errorAt({ container: value, key: 'file', path: `${spot.path}.file` }, { code: 'SPEC_WRONG_TYPE', message: `${spot.path}.file: a path is expected, not ${kindOf(file)}` });
    return undefined;
  }
  scope.session.report.errorAt(spot, { code: 'SPEC_WRONG_TYPE', message: `${spot.path}: the service to extend is not named`, hint: 'Write `extends: {service: name}`.' });
  return undefined;
}

/** The services of another file, with paths that start where those of this project do. */
function baseWalk(walk: Walk, file: string, service: Dict, name: string): Walk | undefined {
  const { scope, readBase } = walk;
  const { session } = scope;
  const spot = { container: service, key: 'extends', path: `services.${name}.extends` } as const;
  if (isRemoteResource(file)) {
    session.report.errorAt(spot, { code: 'SPEC_REMOTE_UNSUPPORTED', message: `service \`${name}\` extends a file that is not on this host: ${file}`, hint: 'Fetch it first, and name the local file.' });
    return undefined;
  }
  const path = absoluteIn(scope.base, file);
  const folder = relativePath(scope.base, absoluteIn(scope.base, folderOf(file)));
  const key = `${path}\0${folder}`;
  const known = session.bases.get(key);
  if (known === undefined) {
    const provided = demand(session, path);
    if (provided.kind !== 'file') {
      session.report.errorAt(spot, { code: 'SPEC_FILE_NOT_FOUND', message: `service \`${name}\` extends a service of ${file}, but ${path} ${provided.kind === 'directory' ? 'is a folder' : provided.kind === 'missing' ? 'does not exist' : provided.message}` });
      return undefined;
    }
    const read = readBase({ ...scope, folder }, path);
    if (read === undefined) return undefined;
    resolvePaths(read.model, { folder, home: session.input.home, report: session.report, followLink: (one) => followLink(session, one) });
    session.bases.set(key, read);
  }
  const base = session.bases.get(key);
  const services = base?.model['services'];
  if (base === undefined || !isDict(services)) {
    session.report.errorAt(spot, { code: 'SPEC_EXTENDS_UNKNOWN', message: `service \`${name}\` extends a service of ${file}, but that file has no services` });
    return undefined;
  }
  return { ...walk, file, services, resets: base.resets };
}

function withoutExtends(service: Dict): Dict {
  delete service['extends'];
  return service;
}

/** A copy, counted: a large base that many services extend makes a very large project of a small file. */
function cloneWithOrigins(value: Value, session: Session): Value {
  const { origins } = session.report;
  session.counts.copied += 1;
  if (session.counts.copied > limits.composeValuesMax) {
    session.report.error({ code: 'SPEC_TOO_LARGE', message: `\`extends\` blows the project up to more than ${limits.composeValuesMax} values` });
    stop();
  }
  if (isList(value)) {
    const copy: List = value.map((item) => cloneWithOrigins(item, session));
    origins.carry(copy, value);
    return copy;
  }
  if (!isDict(value)) return value;
  const copy = newDict();
  for (const key of Object.keys(value)) copy[key] = cloneWithOrigins(value[key] ?? null, session);
  origins.carry(copy, value);
  return copy;
}
