import type { Diagnostic } from '../base/diagnostic.ts';
import { checkValues } from './consistency/checks.ts';
import { applyExtends } from './extends/apply-extends.ts';
import { applyInclude } from './include/apply-include.ts';
import { interpolateModel } from './interpolate/model.ts';
import { mergeModels } from './merge/merge.ts';
import { enforceUnique } from './merge/unique.ts';
import { fillFromEnvironment } from './normalize/environment.ts';
import { resolvePaths } from './paths/resolve-paths.ts';
import type { Report } from './report.ts';
import { applyResets } from './reset.ts';
import { validateModel } from './schema/validate.ts';
import { salvage } from './salvage.ts';
import { demand, followLink, lookupOf, stop, stopOnErrors, yamlOf } from './session.ts';
import type { FileModel, Scope } from './session.ts';
import { buildModel } from './source/build-model.ts';
import { FloatValue, TimeValue, isDict, isList, kindOf, newDict } from './source/values.ts';
import type { Dict, List, Value } from './source/values.ts';
import { canonicalize } from './transform/canonical.ts';
import { setDefaults } from './transform/defaults.ts';

/**
 * Loads files over each other up to the model in its long form, with defaults, checked, paths resolved: everything that an
 * included project goes through too. Source: Compose spec; the order of phases is the reference's.
 */
export function loadModel(scope: Scope, files: readonly string[]): Dict {
  const { session, phases } = scope;
  const { report } = session;
  let model = newDict();
  for (const file of files) model = loadFile({ ...scope, included: [...scope.included, file] }, file, model).model;
  setDefaults(model);
  if (phases.validate) checkValues(model, report);
  salvage(session, model);
  if (phases.resolvePaths) resolvePaths(model, { folder: scope.folder, home: session.input.home, report, followLink: (path) => followLink(session, path) });
  salvage(session, model);
  fillFromEnvironment(model, scope.environment);
  return model;
}

/** Lays one file, document by document, over an earlier model. */
function loadFile(scope: Scope, file: string, earlier: Dict): FileModel {
  const { session } = scope;
  const { report } = session;
  const provided = demand(session, file);
  if (provided.kind !== 'file') {
    report.error({ code: 'SPEC_FILE_NOT_FOUND', message: `${file} ${provided.kind === 'directory' ? 'is a folder' : provided.kind === 'missing' ? 'does not exist' : provided.message}` });
    return stop();
  }
  const read = yamlOf(file, provided);
  for (const diagnostic of read.diagnostics) report.add(diagnostic);
  stopOnErrors(session);
  let model = earlier;
  let resets: FileModel['resets'] = [];
  for (const { source, document } of read.documents) {
    const built = buildModel({ source, document, origins: report.origins, report });
    stopOnErrors(session);
    if (built === undefined || (built.value === null && document.contents === null && read.documents.length === 1 && !/^---/m.test(source.text))) continue;
    resets = built.resets;
    if (!isDict(built.value)) {
      report.error({ code: 'SPEC_WRONG_TYPE', message: `the file must hold a mapping, not ${kindOf(built.value)}`, hint: 'Begin with `services:`.', file, line: 1, column: 1 });
      return stop();
    }
    model = layDocument(scope, file, model, { model: built.value, resets });
  }
  return { model, resets };
}

function layDocument(scope: Scope, file: string, earlier: Dict, later: FileModel): Dict {
  const { session, phases } = scope;
  const { report } = session;
  const { model, resets } = later;
  if (phases.interpolate) interpolateModel(model, { lookup: lookupOf(scope.environment), report });
  salvageIn(scope, model);
  if (phases.include) applyInclude({ scope, model, loadIncluded: loadModel, resets });
  applyResets(earlier, resets);
  if (phases.extends) applyExtends({ scope, readBase, model, file, resets });
  salvageIn(scope, model);
  const merged = mergeModels(earlier, model, report);
  enforceUnique(merged, report);
  if (phases.validate) {
    validate(merged, report);
    if ('version' in merged) {
      report.warnAt({ container: merged, key: 'version', part: 'key', path: 'version' }, { code: 'SPEC_OLD_VERSION', message: 'the key `version` is obsolete and not used', hint: 'Take the line away.' });
      delete merged['version'];
    }
  }
  salvageIn(scope, merged);
  canonicalize(merged, report, !phases.interpolate);
  // A range of ports is only now seen to redefine another port.
  enforceUnique(merged, report);
  salvageIn(scope, merged);
  return merged;
}

/** NOTE: in the base of an `extends` paths lead elsewhere than in the project. */
function salvageIn(scope: Scope, model: Dict): void {
  if (scope.phases.validate) salvage(scope.session, model);
  else stopOnErrors(scope.session);
}

/** A file as the base of an `extends`: its own includes, extends and checks are the extending side's business. */
function readBase(scope: Scope, path: string): FileModel {
  return loadFile({ ...scope, phases: { ...scope.phases, include: false, extends: false, validate: false } }, path, newDict());
}

function validate(model: Dict, report: Report): void {
  const plain = plainOf(model, report, '');
  for (const error of validateModel(plain)) {
    const place = positionOf(model, error.path.map(String), report, error.on);
    report.error({ code: error.code, message: error.message, hint: error.hint, ...place, path: error.path.join('.') });
  }
}

/** Where a path of a model stands: the child itself, or the nearest parent that has a place. */
export function positionOf(model: Dict, path: readonly string[], report: Report, part: 'key' | 'value'): Pick<Diagnostic, 'file' | 'line' | 'column' | 'length'> | undefined {
  let at: Dict | List = model;
  let place = report.origins.whole(model);
  for (const [index, name] of path.entries()) {
    const isLast = index === path.length - 1;
    const key: string | number = isList(at) ? Number(name.replace(/^\[|\]$/g, '')) : name;
    place = report.origins.at(at, key, isLast ? part : 'key') ?? place;
    const child: Value | undefined = isList(at) ? (typeof key === 'number' ? at[key] : undefined) : at[name];
    if (!isDict(child) && !isList(child)) break;
    at = child;
  }
  return place;
}

/** The model as JSON values, for the schema. A date is refused here, except in extensions. Shares what needs no change. */
function plainOf(value: Value, report: Report, path: string): unknown {
  if (value instanceof FloatValue) return Number.isFinite(value.value) ? value.value : 0.5;
  if (typeof value === 'bigint') return Number(value);
  if (isList(value)) return mapped(value, (item, index) => checked(value, index, item, report, `${path}[${index}]`));
  if (!isDict(value)) return value;
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    if (key.startsWith('x-')) continue;
    const child = value[key] ?? null;
    const plain = checked(value, key, child, report, path === '' ? key : `${path}.${key}`);
    if (plain === child) continue;
    copy ??= Object.assign<Record<string, unknown>, Dict>(newDict(), value);
    copy[key] = plain;
  }
  return copy ?? value;
}

function checked(container: Dict | List, key: string | number, value: Value, report: Report, path: string): unknown {
  if (!(value instanceof TimeValue)) return plainOf(value, report, path);
  report.errorAt({ container, key, path }, { code: 'SPEC_WRONG_TYPE', message: `${path}: this reads as a date`, hint: 'Put quotes around it.' });
  return value.text;
}

function mapped(list: List, change: (item: Value, index: number) => unknown): unknown[] {
  let copy: unknown[] | undefined;
  list.forEach((item, index) => {
    const plain = change(item, index);
    if (plain === item) return;
    copy ??= [...list];
    copy[index] = plain;
  });
  return copy ?? list;
}
