import type { Diagnostic } from '../base/diagnostic.ts';
import { sortDiagnostics } from '../base/diagnostic.ts';
import { findContradictions } from './consistency/consistency.ts';
import { findSamePorts } from './consistency/same-ports.ts';
import { allPhases } from './input.ts';
import type { LoadFailed, LoadInput, LoadNeeds, LoadResult, LoadedModel, Loaded } from './input.ts';
import { loadModel, positionOf } from './load-model.ts';
import { resolveEnvFiles } from './env-files.ts';
import { normalize } from './normalize/normalize.ts';
import { projectNameOf } from './project-name.ts';
import { dropUnused, selectServices, splitByProfile } from './select.ts';
import { typeProject } from './decode/type-project.ts';
import { salvage } from './salvage.ts';
import { isRemoteResource } from './remote.ts';
import { LoadStopped, NeedMore, lookupOf, newSession, peek, stop, stopOnErrors } from './session.ts';
import type { Scope, Session } from './session.ts';
import type { Dict } from './source/values.ts';

/**
 * Loads compose files into a project, or says everything that is wrong with them.
 * The host reads files: while the answer is `need`, add what it names to `provided` and call again with the same values.
 * Bound: each round asks for at least one new path; files, nodes and depth are bounded by base/limits.ts.
 * Errors: never thrown for anything that a file can hold; diagnostics carry codes SPEC_… and GRAPH_CYCLE.
 */
export function load(input: LoadInput): LoadResult {
  return attempt(input, (session) => {
    const { model, projectName, environment } = prepare(session);
    return typed(session, model, projectName, environment);
  });
}

/** The same files up to the untyped model: for `config --no-interpolate`, `--variables`, and the support matrix. */
export function loadUntyped(input: LoadInput): LoadedModel | LoadFailed | LoadNeeds {
  return attempt(input, (session) => {
    const { model, projectName } = prepare(session);
    return { kind: 'model', model, projectName, diagnostics: sortDiagnostics(session.report.diagnostics) };
  });
}

function attempt<T extends Loaded | LoadedModel>(input: LoadInput, run: (session: Session) => T): T | LoadFailed | LoadNeeds {
  const session = newSession(input, { ...allPhases, ...input.phases });
  try {
    const result = run(session);
    if (session.needs.size > 0) return needsOf(session);
    return session.report.hasErrors ? failed(session.report.diagnostics) : result;
  } catch (error) {
    if (error instanceof NeedMore) return needsOf(session);
    if (error instanceof LoadStopped) return session.needs.size > 0 && !session.report.hasErrors ? needsOf(session) : failed(session.report.diagnostics);
    throw error;
  }
}

function prepare(session: Session): { readonly model: Dict; readonly projectName: string; readonly environment: ReadonlyMap<string, string> } {
  const { input, phases, report } = session;
  if (input.files.length === 0) {
    report.error({ code: 'SPEC_NO_FILE', message: 'no compose file is given' });
    return stop();
  }
  for (const file of input.files) {
    if (!isRemoteResource(file)) continue;
    report.error({ code: 'SPEC_REMOTE_UNSUPPORTED', message: `the file is not on this host: ${file}`, hint: 'Fetch it first, and name the local file.' });
  }
  stopOnErrors(session);
  for (const file of input.files) peek(session, file);
  if (session.needs.size > 0) throw new NeedMore();
  const projectName = projectNameOf(session);
  stopOnErrors(session);
  const environment = new Map(input.environment).set('COMPOSE_PROJECT_NAME', projectName);
  const scope: Scope = { session, folder: input.workingDir, base: input.workingDir, environment, phases, included: [] };
  const model = loadModel(scope, input.files);
  if (Object.keys(model).length === 0) {
    report.error({ code: 'SPEC_EMPTY', message: 'the compose file is empty', hint: 'Begin with `services:`.', file: input.files[0], line: 1, column: 1 });
    return stop();
  }
  if (phases.validate && projectName === '') {
    report.error({ code: 'SPEC_NO_NAME', message: 'the project has no name', hint: 'Add a top-level `name:`, or use --project-name.' });
    return stop();
  }
  if (phases.normalize) {
    model['name'] = projectName;
    normalize(model, lookupOf(environment));
  }
  return { model, projectName, environment };
}

function typed(session: Session, model: Dict, projectName: string, environment: ReadonlyMap<string, string>): Loaded {
  const { input, phases, report } = session;
  let everything = typeProject(model, projectName, report);
  if (report.hasOpenErrors) {
    salvage(session, model);
    everything = typeProject(model, projectName, report);
  }
  const profiles = input.profiles ?? [];
  let { project, disabled } = splitByProfile(everything, profiles);
  const locate: Loaded['locate'] = (path) => positionOf(model, path, report, 'key');
  if (phases.checkConsistency) {
    for (const one of findContradictions(project, disabled)) report.error({ code: one.code, message: one.message, hint: one.hint, ...locate(one.path), path: one.path.join('.') });
    for (const one of findSamePorts(project.services)) report.warn({ code: one.code, message: one.message, hint: one.hint, ...locate(one.path), path: one.path.join('.') });
  }
  // Which services are meant can't be told for sure any more.
  if (report.hasErrors && (input.services ?? []).length > 0) return stop();
  if ((input.services ?? []).length > 0) {
    const selected = selectServices(everything, profiles, input.services ?? []);
    if ('unknown' in selected) {
      for (const name of selected.unknown) report.error({ code: 'SPEC_UNDEFINED', message: `no such service: ${name}` });
      return stop();
    }
    ({ project, disabled } = selected);
  }
  if (phases.dropUnused && !report.hasErrors) project = dropUnused(project);
  project = resolveEnvFiles(session, project, environment, locate);
  return {
    kind: 'loaded', project, disabledServices: disabled, profiles, workingDir: input.workingDir, files: input.files,
    readFiles: [...session.readFiles], environment, diagnostics: sortDiagnostics(report.diagnostics), locate,
  };
}

function needsOf(session: Session): LoadNeeds {
  return { kind: 'need', needs: [...session.needs.values()] };
}

function failed(diagnostics: readonly Diagnostic[]): LoadFailed {
  return { kind: 'failed', diagnostics: sortDiagnostics(diagnostics) };
}

